rule embed:
    input:
        inputs("embed"),
    output:
        outputs("embed"),
    log:
        log_of("embed"),
    benchmark:
        timing_of("embed")
    shell:
        repro("embed")


rule interpolate:
    input:
        inputs("interpolate"),
    output:
        outputs("interpolate"),
    log:
        log_of("interpolate"),
    benchmark:
        timing_of("interpolate")
    shell:
        repro("interpolate")


rule generate:
    input:
        inputs("generate"),
    output:
        outputs("generate"),
    log:
        log_of("generate"),
    benchmark:
        timing_of("generate")
    shell:
        repro("generate")
