"""Snakemake's DAG is DVC's, job by job; and stages depend on the code that they run."""

import ast
import re
import subprocess
from pathlib import Path

import pytest
from dvc.repo import Repo

from npvae.pipeline import Pipeline

# They check, report or parse: no output depends on them (see the head of dvc.yaml).
NO_DEPENDENCY = {
    "npvae",
    "npvae.cli",
    "npvae.cli.options",
    "npvae.errors",
    "npvae.figures",
    "npvae.measures",
    "npvae.params",
}


@pytest.fixture
def small(new_project, tmp_path):
    return new_project(tmp_path / "project")


def snakemake_dag(project) -> tuple[set[str], set[tuple[str, str]]]:
    """Jobs, by DVC's names, and edges (producer, user) of what Snakemake would run from nothing."""
    reads, writes = {}, {}
    for block in project.run("snakemake --dry-run --forceall all comparators sweep").split("\n\n"):
        if rule := re.search(r"^(?:local)?rule (\w+):$", block, flags=re.MULTILINE):
            fields = dict(re.findall(r"^    (\w+): (.*)$", block, flags=re.MULTILINE))
            values = [part.partition("=")[2] for part in fields.get("wildcards", "").split(", ") if part]
            job = rule[1] + ("@" + "-".join(values) if values else "")
            reads[job] = [path.removeprefix(f"{project.folder}/") for path in fields["input"].split(", ")]
            writes |= dict.fromkeys(fields.get("output", "").split(", "), job)
    reads.pop("all")
    return set(reads), {
        (writes[path], job) for job, paths in reads.items() for path in paths if path in writes
    }


@pytest.mark.parametrize("z_dims", [[2, 5], [3], [2, 20, 500]])
def test_both_engines_have_the_same_jobs_and_edges(small, z_dims):
    small.edit({"z_dims": z_dims})
    jobs, edges = snakemake_dag(small)
    with Repo(str(small.folder)) as repo:
        graph = repo.index.graph
        assert jobs == {stage.name for stage in graph}
        assert edges == {(producer.name, stage.name) for stage, producer in graph.edges}
    # data, generate, judge; train, replicate, embed, interpolate, evaluate, measure of two models; the
    # figures, claims and evidence; comparators, two points of the sweep and its report
    assert len(jobs) == 3 + 2 * 6 * len(z_dims) + 6 + 4


def test_a_fresh_clone_runs_no_study_whose_result_is_committed(small):
    def planned():
        return set(
            re.findall(r"^(?:local)?rule (\w+):$", small.run("snakemake --dry-run"), flags=re.MULTILINE)
        )

    assert planned() == set(Pipeline(small.folder).default()) | {"all"}
    small.run("rm results/comparators.csv")
    assert planned() == set(Pipeline(small.folder).default()) | {"all", "comparators"}


def test_every_stage_has_a_rule_that_runs_it(root):
    rules = subprocess.run(
        ["snakemake", "--list-rules"], cwd=root, check=True, capture_output=True, text=True
    ).stdout.split()
    assert set(rules) == {*Pipeline(root).stages, "all", "figures"}


def test_snakemakes_lint_asks_for_nothing_but_conda(root):
    done = subprocess.run(["snakemake", "--lint"], cwd=root, capture_output=True, text=True)
    asked = set(re.findall(r"^ +\* (.*)$", done.stdout + done.stderr, flags=re.MULTILINE))
    assert asked == {
        "Specify a conda environment or container for each rule.:"
    }  # pip's lock is the environment


def imports(module: str, root: Path, function: str | None = None) -> set[str]:
    """npvae's modules that a module imports; of its functions, only ``function`` counts if named."""
    path = root / "src" / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(path.read_text())
    if function:
        helpers = {
            node.name: node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[0] == "_"
        }
        called = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == function)
        tree.body = [node for node in tree.body if not isinstance(node, ast.FunctionDef)]
        tree.body += [called, *helpers.values()]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "npvae":
            found.add(node.module)
            for alias in node.names:
                if (root / "src" / node.module.replace(".", "/") / f"{alias.name}.py").exists():
                    found.add(f"{node.module}.{alias.name}")
    return found


def test_every_stage_depends_on_exactly_the_modules_it_runs(root):
    for name, stage in Pipeline(root).stages.items():
        [shell] = [d for d in stage.deps if d.startswith("src/npvae/cli/")]
        module = shell.removeprefix("src/").removesuffix(".py").replace("/", ".")
        reached, todo = {module}, imports(module, root, name)
        while todo:
            one = todo.pop()
            if one not in reached:
                reached.add(one)
                todo |= imports(one, root)
        wanted = {f"src/{one.replace('.', '/')}.py" for one in reached - NO_DEPENDENCY}
        assert {d for d in stage.deps if d.startswith("src/")} == wanted, name


def test_no_path_of_an_output_is_written_outside_dvc_yaml(root):
    sources = [
        *(root / "src").rglob("*.py"),
        *(root / "workflow").rglob("*.smk"),
        root / "workflow/Snakefile",
    ]
    for source in sources:
        found = re.findall(r"results/(?!logs/|benchmarks/)\w+", source.read_text())
        assert not found, f"{source}: {found}"
