"""Snakemake's DAG is DVC's, job by job; and stages depend on the code that they run."""

import ast
import re
import subprocess
from pathlib import Path

import pytest
from dvc.repo import Repo
from dvc.repo.reproduce import get_active_graph

from dvcrules.pipeline import Pipeline, Stage

# They check, report, parse, or write the bytes they are given: no output depends on them (see dvc.yaml).
NO_DEPENDENCY = {
    "npvae",
    "npvae.cli",
    "npvae.cli.options",
    "npvae.cli.progress",
    "npvae.errors",
    "npvae.files",
    "npvae.params",
    "npvae.settings",
}


@pytest.fixture
def small(new_project, tmp_path):
    return new_project(tmp_path / "project")


def snakemake_dag(project) -> tuple[set[str], set[tuple[str, str]]]:
    """Jobs, by DVC's names, and edges (producer, user) of what Snakemake would run from nothing."""
    reads, writes = {}, {}
    command = "snakemake --dry-run --forceall all comparators vampprior gplvm sweep"
    for block in project.run(command).split("\n\n"):
        if rule := re.search(r"^(?:local)?rule (\w+):$", block, flags=re.MULTILINE):
            fields = dict(re.findall(r"^    (\w+): (.*)$", block, flags=re.MULTILINE))
            fields = {key: re.sub(r" \((update|ancient)\)", "", value) for key, value in fields.items()}
            values = [part.partition("=")[2] for part in fields.get("wildcards", "").split(", ") if part]
            job = rule[1] + ("@" + "-".join(values) if values else "")
            reads[job] = fields["input"].split(", ")
            writes |= dict.fromkeys(fields.get("output", "").split(", "), job)
    reads.pop("all")
    return set(reads), {
        (writes[path], job) for job, paths in reads.items() for path in paths if path in writes
    }


@pytest.mark.parametrize("z_dims", [[3], [2, 20, 500]])
def test_both_engines_have_the_same_jobs_and_edges(small, z_dims):
    small.edit({"z_dims": z_dims})
    jobs, edges = snakemake_dag(small)
    with Repo(str(small.folder)) as repo:
        graph = get_active_graph(repo.index.graph)  # a frozen stage depends on nothing
        assert jobs == {stage.name for stage in graph}
        assert edges == {(producer.name, stage.name) for stage, producer in graph.edges}
    # data, classifier, real, two of generate; train, replicate of two models, advise, advise_replicates, and
    # embed, interpolate, measure, summary, explorer_part of three; figures and their data, claims, their
    # page, evidence, explorer; comparators, vampprior, gplvm, two points, sweep
    assert len(jobs) == 5 + (2 * 2 + 2 + 5 * 3) * len(z_dims) + 12 + 6


def test_a_fresh_clone_plans_the_studies_that_the_claims_show_and_no_others(small):
    small.freeze_comparators(False)
    small.edit({"sweep": {"points": []}})
    output = small.run("snakemake --dry-run")
    planned = set(re.findall(r"^(?:local)?rule (\w+):$", output, flags=re.MULTILINE))
    assert planned == {*Pipeline(small.folder).default(), "all", "comparators", "advise_replicates"}


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
    # what only a type checker reads does not run
    tree.body = [node for node in tree.body if "TYPE_CHECKING" not in ast.unparse(node).partition(":")[0]]
    if function:
        helpers = {
            node.name: node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[0] == "_"
        }
        called = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == function)
        tree.body = [node for node in tree.body if not isinstance(node, ast.FunctionDef)] + [called]
        while used := {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & helpers.keys():
            tree.body += [helpers.pop(name) for name in used]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "npvae":
            found.add(node.module)
            for alias in node.names:
                if (root / "src" / node.module.replace(".", "/") / f"{alias.name}.py").exists():
                    found.add(f"{node.module}.{alias.name}")
    return found


def modules_run(stage: Stage, root: Path) -> set[str]:
    """Paths of the modules that a stage's command reaches, of which its output depends."""
    [shell] = [dep for dep in stage.deps if dep.startswith("src/npvae/cli/")]
    module = shell.removeprefix("src/").removesuffix(".py").replace("/", ".")
    function = stage.name.removesuffix("_advised")  # a figure's command takes the model
    reached, todo = {module}, imports(module, root, function)
    while todo:
        one = todo.pop()
        if one not in reached:
            reached.add(one)
            todo |= imports(one, root)
    files = (root / "src" / f"{one.replace('.', '/')}.py" for one in reached - NO_DEPENDENCY)
    return {
        file.relative_to(root).as_posix() for file in files if file.exists()
    }  # packages only say what they are


def test_every_stage_depends_on_the_modules_it_runs_and_on_no_room_beside_them(root):
    for name, stage in Pipeline(root).stages.items():
        run, listed = modules_run(stage, root), [dep for dep in stage.deps if dep.startswith("src/")]
        assert len(listed) <= 7, name
        for module in run:
            assert any(module == dep or module.startswith(f"{dep}/") for dep in listed), f"{name}: {module}"
        for dep in listed:
            assert any(module == dep or module.startswith(f"{dep}/") for module in run), f"{name}: {dep}"


@pytest.mark.parametrize(
    ("edited", "stays", "goes"),
    [
        ("figures/figure2.py", {"train", "classifier", "measure", "claims"}, {"figure2", "figure2_advised"}),
        ("measures/fidelity.py", {"train", "classifier", "embed", "comparators"}, {"measure", "real"}),
        ("verdicts/claims.py", {"train", "classifier", "measure"}, {"claims"}),
        ("data/sources.py", {"train", "classifier", "measure", "embed"}, {"data"}),
        ("model/kernel.py", {"classifier", "real"}, {"train", "embed", "measure", "comparators"}),
        ("fitting/afterwards.py", {"train", "replicate", "classifier", "measure"}, {"advise"}),
        ("rivals/gplvm.py", {"train", "measure", "comparators", "vampprior"}, {"gplvm"}),
        ("latent/paths.py", {"train", "classifier", "real"}, {"interpolate", "measure"}),
    ],
)
def test_an_edit_sets_off_what_runs_it_and_leaves_the_rest(root, edited, stays, goes):
    stages = Pipeline(root).stages.values()
    file = f"src/npvae/{edited}"
    stale = {s.name for s in stages if any(file == dep or file.startswith(f"{dep}/") for dep in s.deps)}
    assert goes <= stale
    assert not stale & stays


def test_imports_run_downwards(root):
    floors = [
        {"settings", "errors"},
        {"files"},
        {"params", "machine", "data"},
        {"model"},
        {"training", "latent"},
        {"fitting", "measures"},
        {"comparators", "rivals", "verdicts", "figures", "estimator", "onnx"},
        {"provenance", "explorer"},
        {"cli"},
    ]
    height = {room: floor for floor, rooms in enumerate(floors) for room in rooms}
    for file in (root / "src/npvae").rglob("*.py"):
        module = file.relative_to(root / "src").with_suffix("").as_posix().replace("/", ".")
        room = module.split(".")[1]
        if room == "__init__":
            continue
        for other in imports(module.removesuffix(".__init__"), root):
            to = other.split(".")[1] if "." in other else room
            assert to == room or height[to] < height[room], f"{module} imports {other}"
    for room in ("figures", "verdicts"):
        assert not any(
            "import torch" in file.read_text() for file in (root / "src/npvae" / room).glob("*.py")
        )


def test_no_path_of_an_output_is_written_outside_dvc_yaml(root):
    sources = [
        *(root / "src").rglob("*.py"),
        *(root / "workflow").rglob("*.smk"),
        root / "workflow/Snakefile",
    ]
    for source in sources:
        found = re.findall(r"results/(?!logs/|benchmarks/)\w+", source.read_text())
        assert not found, f"{source}: {found}"
