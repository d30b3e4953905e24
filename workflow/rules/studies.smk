# The claims take the committed table of the comparators: no time may trigger their ten minutes in a default
# run. They run if it is missing, or by --forcerun comparators.
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


rule sweep_point:
    input:
        inputs("sweep_point"),
    output:
        outputs("sweep_point"),
    log:
        "results/logs/sweep/{point}.log",
    benchmark:
        "results/benchmarks/sweep/{point}.tsv"
    shell:
        repro("sweep_point")


rule sweep:
    input:
        inputs("sweep"),
    output:
        outputs("sweep"),
    log:
        "results/logs/sweep.log",
    benchmark:
        "results/benchmarks/sweep.tsv"
    shell:
        repro("sweep")
