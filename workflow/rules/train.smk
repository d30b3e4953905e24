# Seed 0, all that the figures need, goes before the replicates.
rule train:
    input:
        inputs("train"),
    output:
        outputs("train"),
    log:
        log_of("train"),
    benchmark:
        timing_of("train")
    priority: 1
    shell:
        repro("train")


rule replicate:
    input:
        inputs("replicate"),
    output:
        outputs("replicate"),
    log:
        log_of("replicate"),
    benchmark:
        timing_of("replicate")
    shell:
        repro("replicate")


rule advise:
    input:
        inputs("advise"),
    output:
        outputs("advise"),
    log:
        log_of("advise"),
    benchmark:
        timing_of("advise")
    priority: 1
    shell:
        repro("advise")
