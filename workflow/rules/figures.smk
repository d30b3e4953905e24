rule figure_data:
    input:
        inputs("figure_data"),
    output:
        outputs("figure_data"),
    log:
        log_of("figure_data"),
    benchmark:
        timing_of("figure_data")
    shell:
        repro("figure_data")


rule figure1:
    input:
        inputs("figure1"),
    output:
        report(
            outputs("figure1")[0],
            caption="../report/figure1.rst",
            category="Figures",
            labels={"figure": "1: the models compared"},
        ),
        outputs("figure1")[1:],
    log:
        log_of("figure1"),
    benchmark:
        timing_of("figure1")
    shell:
        repro("figure1")


rule figure2:
    input:
        inputs("figure2"),
    output:
        report(
            outputs("figure2")[0],
            caption="../report/figure2.rst",
            category="Figures",
            labels={"figure": "2: X, and images generated from it"},
        ),
        outputs("figure2")[1:],
    log:
        log_of("figure2"),
    benchmark:
        timing_of("figure2")
    shell:
        repro("figure2")


rule figure2_advised:
    input:
        inputs("figure2_advised"),
    output:
        report(
            outputs("figure2_advised")[0],
            caption="../report/figure2-advised.rst",
            category="Figures",
            labels={"figure": "2: X, and images generated from it, advised"},
        ),
        outputs("figure2_advised")[1:],
    log:
        log_of("figure2_advised"),
    benchmark:
        timing_of("figure2_advised")
    shell:
        repro("figure2_advised")


rule figure3:
    input:
        inputs("figure3"),
    output:
        report(
            outputs("figure3")[0],
            caption="../report/figure3.rst",
            category="Figures",
            labels={"figure": "3: Z and X over the dimensions of Z"},
        ),
        outputs("figure3")[1:],
    log:
        log_of("figure3"),
    benchmark:
        timing_of("figure3")
    shell:
        repro("figure3")


rule figure3_advised:
    input:
        inputs("figure3_advised"),
    output:
        report(
            outputs("figure3_advised")[0],
            caption="../report/figure3-advised.rst",
            category="Figures",
            labels={"figure": "3: Z and X over the dimensions of Z, advised"},
        ),
        outputs("figure3_advised")[1:],
    log:
        log_of("figure3_advised"),
    benchmark:
        timing_of("figure3_advised")
    shell:
        repro("figure3_advised")


rule figure4:
    input:
        inputs("figure4"),
    output:
        report(
            outputs("figure4")[0],
            caption="../report/figure4.rst",
            category="Figures",
            labels={"figure": "4: images between two images"},
        ),
        outputs("figure4")[1:],
    log:
        log_of("figure4"),
    benchmark:
        timing_of("figure4")
    shell:
        repro("figure4")


rule figure4_advised:
    input:
        inputs("figure4_advised"),
    output:
        report(
            outputs("figure4_advised")[0],
            caption="../report/figure4-advised.rst",
            category="Figures",
            labels={"figure": "4: images between two images, advised"},
        ),
        outputs("figure4_advised")[1:],
    log:
        log_of("figure4_advised"),
    benchmark:
        timing_of("figure4_advised")
    shell:
        repro("figure4_advised")


rule explorer_part:
    input:
        inputs("explorer_part"),
    output:
        outputs("explorer_part"),
    log:
        log_of("explorer_part"),
    benchmark:
        timing_of("explorer_part")
    shell:
        repro("explorer_part")


rule explorer:
    input:
        inputs("explorer"),
    output:
        report(
            outputs("explorer")[0],
            caption="../report/explorer.rst",
            category="Explorer",
            labels={"page": "explore X"},
        ),
    log:
        log_of("explorer"),
    benchmark:
        timing_of("explorer")
    shell:
        repro("explorer")
