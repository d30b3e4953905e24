"""A project of the shape of DVC's example-get-started, with no rule of its own.

Folders, parameters, metrics and plots with options, a file of ``dvc add``. The tests share one project and
leave it as they found it.
"""

import pytest

FILES = {
    "Snakefile": """\
from dvcrules import EVERY_STAGE

include: EVERY_STAGE

rule all:
    input: DVC.targets()
""",
    "data/data.csv": "a,b\n1,2\n3,4\n5,6\n",
    "params.yaml": "prepare: {rows: 2}\nfeaturize: {column: 1}\ntrain: {seed: 1, trees: 5}\n",
    "src/prepare.sh": "mkdir -p data/prepared; head -$1 data/data.csv > data/prepared/train.csv\n",
    "src/featurize.sh": "mkdir -p data/features/sub\n"
    "cut -d, -f$1 data/prepared/train.csv > data/features/sub/x.csv\n",
    "src/train.sh": "cat data/features/sub/x.csv > model.pkl\necho $1 $2 >> model.pkl\n",
    "src/evaluate.sh": "mkdir -p eval\nwc -l < model.pkl > eval/metrics.json\ncat model.pkl > eval/roc.csv\n"
    "sort model.pkl > eval/importance.csv\necho $$ > eval/log\n",
    "dvc.yaml": """\
stages:
  prepare:
    cmd: sh src/prepare.sh ${prepare.rows}
    deps: [data/data.csv, src/prepare.sh]
    params: [prepare]
    outs: [data/prepared]
  featurize:
    cmd: sh src/featurize.sh ${featurize.column}
    deps: [data/prepared, src/featurize.sh]
    params: [featurize.column]
    outs: [data/features]
  train:
    cmd: sh src/train.sh ${train.seed} ${train.trees}
    deps: [data/features/sub/x.csv, src/train.sh]
    params: [train.seed, train.trees]
    outs: [model.pkl]
  evaluate:
    cmd:
      - sh src/evaluate.sh
      - echo done
    deps: [model.pkl, src/evaluate.sh]
    metrics:
      - eval/metrics.json: {cache: false}
    plots:
      - eval/importance.csv
      - eval/roc.csv: {cache: false, template: simple}
    outs: [eval/log]
metrics: [eval/metrics.json]
plots:
  - ROC: {y: {eval/roc.csv: tpr}}
artifacts:
  classifier: {path: model.pkl, type: model}
""",
}
ORDER = [
    "dvc.yaml:prepare",
    "dvc.yaml:featurize",
    "dvc.yaml:train",
    "dvc.yaml:evaluate",
]  # each needs the one before


@pytest.fixture(scope="module")
def project(new_project, tmp_path_factory):
    return new_project(tmp_path_factory.mktemp("get-started") / "with space", FILES)


@pytest.fixture(scope="module")
def built(project):
    """The project, run by Snakemake."""
    project.run("dvc add -q data/data.csv")
    assert project.ran(project.run("snakemake --cores 1")) == set(ORDER)
    project.commit()
    return project


def test_nothing_to_do_by_both_doors(built):
    assert "Nothing to be done" in built.run("snakemake --cores 1")
    assert "up to date" in built.run("dvc repro")
    assert not list(built.folder.rglob(".snakemake_timestamp"))  # Snakemake's, in folders that DVC hashes


def edit(name: str):
    return lambda project: project.write({name: (project.folder / name).read_text() + "\n"})


def add(name: str):
    return lambda project: project.write({name: ""})


def remove(name: str):
    return lambda project: project.run(f"rm -r '{name}'")


def replace(name: str, old: str, new: str):
    return lambda project: project.replace(name, old, new)


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        (edit("data/data.csv"), "prepare"),
        (replace("params.yaml", "trees: 5", "trees: 6"), "train"),
        *(
            pytest.param(*row, marks=pytest.mark.faults)
            for row in [
                (edit("data/features/sub/x.csv"), "featurize"),
                (remove("eval/roc.csv"), "evaluate"),
                (edit("src/prepare.sh"), "prepare"),
                (edit("src/featurize.sh"), "featurize"),
                (edit("src/train.sh"), "train"),
                (edit("src/evaluate.sh"), "evaluate"),
                (replace("params.yaml", "rows: 2", "rows: 3"), "prepare"),
                (replace("params.yaml", "column: 1", "column: 2"), "featurize"),
                (replace("params.yaml", "seed: 1", "seed: 2"), "train"),
                (replace("dvc.yaml", "echo done", "echo well"), "evaluate"),
                (replace("dvc.yaml", "sh src/train.sh", "sh  src/train.sh"), "train"),
                (replace("dvc.yaml", "[model.pkl, ", "[model.pkl, data/features, "), "evaluate"),
                (edit("data/prepared/train.csv"), "prepare"),
                (add("data/prepared/more.csv"), "prepare"),
                (remove("data/prepared"), "prepare"),
                (remove("data/features/sub/x.csv"), "featurize"),
                (edit("model.pkl"), "train"),
                (remove("model.pkl"), "train"),
                (edit("eval/metrics.json"), "evaluate"),
                (edit("eval/importance.csv"), "evaluate"),
                (remove("eval/log"), "evaluate"),
            ]
        ),
    ],
)
def test_what_dvc_names_is_what_snakemake_plans(built, change, stale):
    change(built)
    try:
        named, planned = built.named(), built.planned()
        assert f"dvc.yaml:{stale}" in named
        assert named <= planned == set(ORDER[ORDER.index(f"dvc.yaml:{stale}") :])
    finally:
        built.reset()
