# Seed 0, all that the figures need, goes before the replicates.
rule train:
    input:
        inputs("train"),
    output:
        outputs("train"),
    log:
        "results/logs/train/{model}-z{z}.log",
    benchmark:
        "results/benchmarks/train/{model}-z{z}.tsv"
    priority: 1
    shell:
        repro("train")


rule replicate:
    input:
        inputs("replicate"),
    output:
        outputs("replicate"),
    log:
        "results/logs/replicate/{model}-z{z}.log",
    benchmark:
        "results/benchmarks/replicate/{model}-z{z}.tsv"
    shell:
        repro("replicate")
