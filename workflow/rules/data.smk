rule data:
    input:
        inputs("data"),
    output:
        outputs("data"),
    log:
        log_of("data"),
    benchmark:
        timing_of("data")
    shell:
        repro("data")
