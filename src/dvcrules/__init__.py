"""A bridge between DVC and Snakemake: the stages of a dvc.yaml as rules, and a ledger of no others."""
