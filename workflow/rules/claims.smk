rule judge:
    input:
        inputs("judge"),
    output:
        outputs("judge"),
    log:
        "results/logs/judge.log",
    benchmark:
        "results/benchmarks/judge.tsv"
    shell:
        repro("judge")


rule measure:
    input:
        inputs("measure"),
    output:
        outputs("measure"),
    log:
        "results/logs/measure/{model}-z{z}.log",
    benchmark:
        "results/benchmarks/measure/{model}-z{z}.tsv"
    shell:
        repro("measure")


rule claims:
    input:
        inputs("claims"),
    output:
        report(outputs("claims")[0], caption="../report/claims.rst", category="Claims"),
        outputs("claims")[1:],
    log:
        "results/logs/claims.log",
    benchmark:
        "results/benchmarks/claims.tsv"
    shell:
        repro("claims")


rule evidence:
    input:
        inputs("evidence"),
    output:
        report(outputs("evidence")[0], caption="../report/evidence.rst", category="Claims"),
        outputs("evidence")[1:],
    log:
        "results/logs/evidence.log",
    benchmark:
        "results/benchmarks/evidence.tsv"
    shell:
        repro("evidence")
