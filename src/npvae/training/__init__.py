"""Training: Adam on minibatches, one model or all seeds of one side by side, and what makes it fast."""
