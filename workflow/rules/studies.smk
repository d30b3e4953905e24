# Minutes each, so no default run makes them: they run when asked for by name, the comparators also where the
# table that the claims show is missing.
rule comparators:
    input:
        inputs("comparators"),
    output:
        outputs("comparators"),
    log:
        "results/logs/comparators.log",
    benchmark:
        "results/benchmarks/comparators.tsv"
    # asked for only where the job is run: `snakemake --report` has no cores
    threads: lambda wildcards: workflow.cores
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
