# Slow, and never part of the default run: only a missing result or --forcerun makes them run.
rule comparators:
    input:
        ancient(STUDIES.inputs("comparators")),
    output:
        STUDIES.stages["comparators"].outs,
    log:
        "results/logs/comparators.log",
    benchmark:
        "results/benchmarks/comparators.tsv"
    threads: workflow.cores
    shell:
        "dvc --wait-for-lock repro --single-item studies/dvc.yaml:comparators 2>&1 | tee {log}"
