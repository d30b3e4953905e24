# Minutes, and hours of training, so no default run makes them: they run when asked for by name, the comparators
# also where DVC calls the table that the claims show stale.
rule comparators:
    input:
        inputs("comparators"),
    output:
        outputs("comparators"),
    log:
        log_of("comparators"),
    benchmark:
        timing_of("comparators")
    shell:
        repro("comparators")


rule vampprior:
    input:
        inputs("vampprior"),
    output:
        outputs("vampprior"),
    log:
        log_of("vampprior"),
    benchmark:
        timing_of("vampprior")
    shell:
        repro("vampprior")


rule gplvm:
    input:
        inputs("gplvm"),
    output:
        outputs("gplvm"),
    log:
        log_of("gplvm"),
    benchmark:
        timing_of("gplvm")
    shell:
        repro("gplvm")


rule advise_replicates:
    input:
        inputs("advise_replicates"),
    output:
        outputs("advise_replicates"),
    log:
        log_of("advise_replicates"),
    benchmark:
        timing_of("advise_replicates")
    shell:
        repro("advise_replicates")


if config["sweep"]["points"]:  # DVC has no stage without a job

    rule sweep_point:
        input:
            inputs("sweep_point"),
        output:
            outputs("sweep_point"),
        log:
            log_of("sweep_point"),
        benchmark:
            timing_of("sweep_point")
        shell:
            repro("sweep_point")

    rule sweep:
        input:
            inputs("sweep"),
        output:
            outputs("sweep"),
        log:
            log_of("sweep"),
        benchmark:
            timing_of("sweep")
        shell:
            repro("sweep")
