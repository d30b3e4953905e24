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


rule sample:
    input:
        inputs("sample"),
    output:
        outputs("sample"),
    log:
        "results/logs/sample/{model}-z{z}.log",
    benchmark:
        "results/benchmarks/sample/{model}-z{z}.tsv"
    shell:
        repro("sample")
