"""The latent spaces X and Z of a trained model: where images lie, and what lies where there are none."""
