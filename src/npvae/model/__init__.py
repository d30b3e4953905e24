"""The two models, the kernel on X, the objective (Eqs. 1 to 6), and trained models in files."""
