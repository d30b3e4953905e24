rule comparators:
    input:
        inputs("comparators"),
    output:
        outputs("comparators"),
    log:
        "results/logs/comparators.log",
    benchmark:
        "results/benchmarks/comparators.tsv"
    threads: workflow.cores
    shell:
        repro("comparators")
