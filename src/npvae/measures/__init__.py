"""How good an embedding, a likelihood, a sample or a path is: the measures behind the verdicts."""
