rule embed:
    input:
        inputs("embed"),
    output:
        outputs("embed"),
    log:
        "results/logs/embed/{model}-z{z}.log",
    benchmark:
        "results/benchmarks/embed/{model}-z{z}.tsv"
    shell:
        repro("embed")


rule interpolate:
    input:
        inputs("interpolate"),
    output:
        outputs("interpolate"),
    log:
        "results/logs/interpolate/{model}-z{z}.log",
    benchmark:
        "results/benchmarks/interpolate/{model}-z{z}.tsv"
    shell:
        repro("interpolate")


rule generate:
    input:
        inputs("generate"),
    output:
        outputs("generate"),
    log:
        "results/logs/generate.log",
    benchmark:
        "results/benchmarks/generate.tsv"
    shell:
        repro("generate")
