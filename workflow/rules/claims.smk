rule claims:
    input:
        inputs("claims"),
    output:
        report(outputs("claims")[0], caption="../report/claims.rst", category="Claims"),
        outputs("claims")[1:],
    log:
        log_of("claims"),
    benchmark:
        timing_of("claims")
    shell:
        repro("claims")


rule evidence:
    input:
        inputs("evidence"),
    output:
        report(outputs("evidence")[0], caption="../report/evidence.rst", category="Claims"),
        outputs("evidence")[1:],
    log:
        log_of("evidence"),
    benchmark:
        timing_of("evidence")
    shell:
        repro("evidence")
