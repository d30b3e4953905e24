"""X fitted to a VAE that is trained already, whose networks stay as they are."""
