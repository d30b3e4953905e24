rule data:
    input:
        inputs("data"),
    output:
        outputs("data"),
    log:
        "results/logs/data.log",
    benchmark:
        "results/benchmarks/data.tsv"
    shell:
        repro("data")
