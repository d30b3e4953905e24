rule classifier:
    input:
        inputs("classifier"),
    output:
        outputs("classifier"),
    log:
        log_of("classifier"),
    benchmark:
        timing_of("classifier")
    shell:
        repro("classifier")


rule real:
    input:
        inputs("real"),
    output:
        outputs("real"),
    log:
        log_of("real"),
    benchmark:
        timing_of("real")
    shell:
        repro("real")


rule measure:
    input:
        inputs("measure"),
    output:
        outputs("measure"),
    log:
        log_of("measure"),
    benchmark:
        timing_of("measure")
    shell:
        repro("measure")


rule summary:
    input:
        inputs("summary"),
    output:
        outputs("summary"),
    log:
        log_of("summary"),
    benchmark:
        timing_of("summary")
    shell:
        repro("summary")
