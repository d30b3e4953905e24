rule claims:
    input:
        inputs("claims"),
    output:
        outputs("claims"),
    log:
        log_of("claims"),
    benchmark:
        timing_of("claims")
    shell:
        repro("claims")


rule claims_page:
    input:
        inputs("claims_page"),
    output:
        report(
            outputs("claims_page")[0],
            caption="../report/claims.rst",
            category="Claims",
            labels={"what": "verdicts"},
        ),
    log:
        log_of("claims_page"),
    benchmark:
        timing_of("claims_page")
    shell:
        repro("claims_page")


rule evidence:
    input:
        inputs("evidence"),
    output:
        report(
            outputs("evidence")[0],
            caption="../report/evidence.rst",
            category="Claims",
            labels={"what": "evidence"},
        ),
        outputs("evidence")[1:],
    log:
        log_of("evidence"),
    benchmark:
        timing_of("evidence")
    shell:
        repro("evidence")
