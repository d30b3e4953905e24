rule evaluate:
    input:
        inputs("evaluate"),
    output:
        outputs("evaluate"),
    log:
        "results/logs/evaluate/{model}-z{z}.log",
    benchmark:
        "results/benchmarks/evaluate/{model}-z{z}.tsv"
    shell:
        repro("evaluate")
