"""Nonparametric Inference for Auto-Encoding Variational Bayes (Bodin, Malik, Ek and Campbell, 2017)."""
