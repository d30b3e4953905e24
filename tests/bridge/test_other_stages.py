"""What else a dvc.yaml can hold, in two of them, with named rules and Snakemake's default settings.

Templates (foreach over a list and a dictionary, matrix, vars), wdir, frozen stages, outputs that persist,
stages that always run. The tests share one project and leave it as they found it.
"""

import pytest

FILES = {
    "Snakefile": """\
from dvcrules.rules import Rules

DVC = Rules(workflow)

rule all:
    input: DVC.targets()

rule split:
    input: DVC.inputs("split")
    output: DVC.outputs("split")
    log: f"logs/{DVC.job('split')}.log"
    shell: f"{DVC.repro('split')} > >(tee {{log}}) 2>&1"

rule country:
    input: DVC.inputs("country")
    output: DVC.outputs("country")
    shell: DVC.repro("country")

rule fit:
    input: DVC.inputs("fit")
    output: DVC.outputs("fit")
    shell: DVC.repro("fit")

rule tune:
    input: DVC.inputs("tune")
    output: DVC.outputs("tune")
    shell: DVC.repro("tune")

rule history:
    input: DVC.inputs("history")
    output: DVC.outputs("history")
    shell: DVC.repro("history")

rule report:
    input: DVC.inputs("report")
    output: DVC.outputs("report")
    shell: DVC.repro("report")

rule summary:
    input: DVC.inputs("reports/dvc.yaml:report")
    output: DVC.outputs("reports/dvc.yaml:report")
    shell: DVC.repro("reports/dvc.yaml:report")

rule ping:
    input: DVC.inputs("ping")
    output: DVC.outputs("ping")
    shell: DVC.repro("ping")

rule clock:
    input: DVC.inputs("clock")
    output: DVC.outputs("clock")
    shell: DVC.repro("clock")
""",
    ".gitignore": "/.snakemake/\n/logs/\n",
    "raw.txt": "1\n2\n",
    "config/sizes.json": '{"sizes": [1, 2]}',
    "params.yaml": "countries: {uk: {population: 3, file: a}, us: {population: 5, file: b}}\nrate: 0.1\n",
    "dvc.yaml": """\
vars:
  - config/sizes.json
stages:
  split:
    foreach: [train, test]
    do:
      cmd: cat raw.txt > 'parts of ${item}.txt'
      deps: [raw.txt]
      outs: ["parts of ${item}.txt"]
  country:
    foreach: ${countries}
    do:
      cmd: echo ${key} ${item.population} > ${item.file}.csv; echo ${item.population} > ${key}.json
      deps: ["parts of train.txt"]
      outs: ["${item.file}.csv"]
      metrics: ["${key}.json"]
  fit:
    matrix: {kind: [lin, log], size: "${sizes}"}
    wdir: models
    cmd: (cat '../parts of train.txt'; echo ${item.size}) > ${item.kind}-${item.size}.bin
    deps: ["../parts of train.txt"]
    params:
      - ../config/sizes.json: [sizes]
    outs: ["${item.kind}-${item.size}.bin"]
  tune:
    matrix:
      grid: [{depth: 1}, {depth: 2}]
    cmd: echo ${item.grid.depth} > tuned-${item.grid.depth}.txt
    deps: [models/lin-1.bin]
    params: [rate]
    outs: ["tuned-${item.grid.depth}.txt"]
  history:
    cmd: echo more >> history.log; test ! -e fail
    deps: [models/lin-2.bin]
    outs:
      - history.log: {persist: true}
  report:
    cmd: cat tuned-1.txt > report.md
    deps: [tuned-1.txt]
    outs: [report.md]
  ping:
    cmd: echo pong
  clock:
    cmd: echo tick > clock.txt
    deps: [raw.txt]
    always_changed: true
    outs: [clock.txt]
""",
    "reports/dvc.yaml": """\
vars:
  - title: A report
  - ../params.yaml
stages:
  report:
    cmd:
      - mkdir -p out
      - echo '${title} ${rate}' > out/page.md
      - cat ../models/lin-1.bin ../report.md >> out/page.md
    deps: [../models, ../report.md]
    outs: [out]
""",
    "models/README": "",
}
ALWAYS = {"dvc.yaml:ping", "dvc.yaml:clock"}
AFTER_FIT = {"dvc.yaml:tune@grid0", "dvc.yaml:tune@grid1", "dvc.yaml:history", "reports/dvc.yaml:report"}
FITS = {f"dvc.yaml:fit@{kind}-{size}" for kind in ("lin", "log") for size in (1, 2)}
COUNTRIES = {"dvc.yaml:country@uk", "dvc.yaml:country@us"}
SPLITS = {"dvc.yaml:split@train", "dvc.yaml:split@test"}
ALL = {*SPLITS, *COUNTRIES, *FITS, *AFTER_FIT, *ALWAYS, "dvc.yaml:report"}


@pytest.fixture(scope="module")
def built(new_project, tmp_path_factory):
    """The project, run by DVC."""
    project = new_project(tmp_path_factory.mktemp("other") / "project", FILES)
    assert project.ran(project.run("dvc repro --all-pipelines")) == ALL
    assert project.named() == ALWAYS
    project.run("dvc freeze -q report")
    project.commit()
    return project


@pytest.mark.faults
def test_snakemake_runs_every_stage_through_dvc(new_project, tmp_path):
    project = new_project(tmp_path / "project", FILES)
    assert project.planned() == ALL
    project.run("snakemake --cores 2")
    assert project.planned() == project.named() == ALWAYS
    assert (project.folder / "reports/out/page.md").read_text() == "A report 0.1\n1\n2\n1\n1\n"
    assert "Running stage 'split@test'" in (project.folder / "logs/split-test.log").read_text()


@pytest.mark.faults
def test_what_always_runs_is_all_there_is_to_do(built):
    assert built.planned() == built.named() == ALWAYS
    assert built.ran(built.run("snakemake --cores 1")) == ALWAYS
    assert built.named() == ALWAYS


@pytest.mark.faults
def test_a_job_that_is_stale_runs_and_what_depends_on_it(built):
    built.replace("params.yaml", "rate: 0.1", "rate: 0.5")
    output = built.run("snakemake --cores 2")
    assert built.ran(output) == {
        "dvc.yaml:tune@grid0",
        "dvc.yaml:tune@grid1",
        *ALWAYS,
        "reports/dvc.yaml:report",
    }
    assert built.named() == ALWAYS
    built.reset()


def test_a_file_is_a_target_and_no_other_value_is(built):
    assert "Nothing to be done" in built.run("snakemake -n models/log-2.bin 'parts of test.txt'")
    assert "MissingRuleException" in built.run("snakemake -n models/log-3.bin", fails=True)


def edit(name: str):
    return lambda project: project.write({name: (project.folder / name).read_text() + "\n"})


def remove(name: str):
    return lambda project: project.run(f"rm -r '{name}'")


def replace(name: str, old: str, new: str):
    return lambda project: project.replace(name, old, new)


@pytest.mark.parametrize(
    ("change", "named", "after"),
    [
        (replace("config/sizes.json", "[1, 2]", "[2, 1]"), FITS, AFTER_FIT),
        (edit("report.md"), {"dvc.yaml:report", "reports/dvc.yaml:report"}, set()),
        *(
            pytest.param(*row, marks=pytest.mark.faults)
            for row in [
                (edit("reports/out/page.md"), {"reports/dvc.yaml:report"}, set()),
                (replace("params.yaml", "population: 3", "population: 4"), {"dvc.yaml:country@uk"}, set()),
                (edit("raw.txt"), SPLITS, COUNTRIES | FITS | AFTER_FIT),
                (edit("parts of train.txt"), {"dvc.yaml:split@train", *COUNTRIES, *FITS}, AFTER_FIT),
                (remove("parts of test.txt"), {"dvc.yaml:split@test"}, set()),
                (remove("uk.json"), {"dvc.yaml:country@uk"}, set()),
                (edit("b.csv"), {"dvc.yaml:country@us"}, set()),
                (remove("models/log-1.bin"), {"dvc.yaml:fit@log-1", "reports/dvc.yaml:report"}, set()),
                (edit("models/lin-2.bin"), {"dvc.yaml:fit@lin-2", "dvc.yaml:history"}, AFTER_FIT),
                (edit("models/README"), {"reports/dvc.yaml:report"}, set()),
                (edit("history.log"), {"dvc.yaml:history"}, set()),
                (remove("tuned-1.txt"), {"dvc.yaml:tune@grid0"}, set()),  # a frozen stage looks at nothing
                (replace("params.yaml", "rate: 0.1", "rate: 0.2"), {"dvc.yaml:tune@grid0"}, AFTER_FIT),
                (replace("reports/dvc.yaml", "A report", "A page"), {"reports/dvc.yaml:report"}, set()),
                (replace("dvc.yaml", "depth: 2", "depth: 3"), {"dvc.yaml:tune@grid1"}, set()),
                (replace("dvc.yaml", "echo more", "echo less"), {"dvc.yaml:history"}, set()),
                (replace("dvc.yaml", "    frozen: true\n", ""), set(), set()),
            ]
        ),
    ],
)
def test_what_dvc_names_is_what_snakemake_plans(built, change, named, after):
    change(built)
    try:
        found, planned = built.named(), built.planned()
        assert named | ALWAYS <= found <= planned
        assert planned <= named | after | ALWAYS
    finally:
        built.reset()


def test_what_is_gone_comes_back_without_a_job_and_nothing_else_is_touched(built):
    built.run(
        "rm -r 'parts of train.txt' a.csv us.json models/*.bin history.log report.md tuned-2.txt reports/out"
    )
    built.write({"uk.json": "mine"})
    assert {
        "dvc.yaml:split@train",
        "reports/dvc.yaml:report",
    } <= built.planned()  # a dry run restores nothing
    assert not (built.folder / "a.csv").exists()
    output = built.run("snakemake --cores 1 --omit-from country")
    assert "Restored from DVC's cache: 10 outputs" in output
    assert built.ran(output) == ALWAYS
    assert (built.folder / "uk.json").read_text() == "mine"
    assert not (built.folder / "a.csv").exists()  # of a job that DVC has to look at
    built.reset()
    assert built.named() == ALWAYS


def test_what_a_failed_job_added_to_an_output_that_persists_stays(built):
    built.write({"fail": ""})
    built.replace("dvc.yaml", "echo more", "echo  more")
    built.run("snakemake --cores 1 history", fails=True)
    assert (built.folder / "history.log").read_text() == "more\nmore\n"
    built.run("rm fail && snakemake --cores 1 history")
    assert (built.folder / "history.log").read_text() == "more\nmore\nmore\n"
    built.reset()


@pytest.mark.faults
def test_a_file_from_the_future_does_not_hide_that_it_is_stale(built):
    built.run("echo 1 >> models/log-1.bin && touch -d '2 days' models/log-1.bin")
    assert "dvc.yaml:fit@log-1" in built.planned()
    built.reset()
