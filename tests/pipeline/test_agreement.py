"""Whatever changes, `dvc status`, `snakemake -n` and `npvae check` agree on what is stale.

One change at a time: every leaf of params.yaml, every command, every module, every file of data and results,
and every other file of the repository, which must matter to nothing; in a working tree, in a fresh clone
without DVC's files, and in one after `dvc pull`. A sample runs by default, all of it by `make test-faults`.
"""

import contextlib
import itertools
import os
import random
import re
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import networkx
import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

from npvae.errors import NpvaeError
from npvae.params import load_params
from npvae.provenance.check import check
from tests.pipeline.at_once import MINUTES
from tests.pipeline.project import SMALL, Project, duplicate

ROOT = Path(__file__).parents[2]
DEFINITIONS = ("dvc.yaml", "studies/dvc.yaml")
PLACES = ("tree", "clone", "pulled")
KINDS = ("parameter", "command", "module", "artefact", "data", "nothing")


class Case(NamedTuple):
    """One change in one place."""

    place: str
    kind: str
    name: str  # of a parameter, a command (its dvc.yaml and stage), a file, or a folder

    def __str__(self) -> str:
        return "-".join(self)


def tracked() -> list[str]:
    """The files that git has, except results and ledgers."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True)
    other = re.compile(r"results/|(studies/)?dvc\.lock$")
    return [name for name in listed.stdout.splitlines() if not other.match(name)]


def cases() -> list[Case]:
    """Every change, in every place."""
    outs, sources = dict(outputs()), [name for name in TRACKED if name.startswith("src/")]
    others = dict.fromkeys(name.partition("/")[0] for name in TRACKED if name not in sources)
    changes = [
        *(("parameter", name) for name in leaves(small_params())),
        *(("command", f"{file}:{name}") for file, name, _ in stages()),
        *(("module", name) for name in sources),
        *(("artefact", name) for name, in_git in outs.items() if in_git),
        *(("nothing", name) for name in others),
    ]
    of_dvc = [("data", name) for name, in_git in outs.items() if not in_git]
    return [Case(place, *change) for place in PLACES for change in changes + of_dvc * (place != "clone")]


def small_params() -> dict[str, Any]:
    values = YAML(typ="safe").load(ROOT / "params.yaml")
    for key, value in (SMALL | {"z_dims": [2]}).items():
        values[key] = values[key] | value if isinstance(value, dict) else value
    return values


def leaves(values: Any, prefix: str = "") -> Iterator[str]:
    """The dotted names of all values that can be changed alone; some lists can only be turned round."""
    for key, value in values.items() if isinstance(values, dict) else enumerate(values):
        if isinstance(value, dict | list) and key not in {"models", "measured", "points", "image_shape"}:
            yield from leaves(value, f"{prefix}{key}.")
        elif key != "image_shape":  # MNIST has but one
            yield f"{prefix}{key}"


def stages() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The dvc.yaml, name and definition of every stage that the small project has run."""
    for file in DEFINITIONS:
        for name, stage in YAML(typ="safe").load(ROOT / file)["stages"].items():
            if name not in MINUTES:
                yield file, name, stage


def outputs() -> Iterator[tuple[str, bool]]:
    """The outputs of the small project, and whether git holds them rather than DVC."""
    values = small_params()
    items = {"model": values["models"], "z": values["z_dims"], "point": values["sweep"]["points"]}
    filled = {"${z_dims[-1]}": values["z_dims"][-1], "${data.name}": values["data"]["name"]}
    for _, _, stage in stages():
        matrix = stage.get("matrix", {}).items()
        axes = {f"${{item.{key}}}": some if isinstance(some, list) else items[key] for key, some in matrix}
        for out in itertools.chain(*(stage.get(kind, []) for kind in ("outs", "metrics", "plots"))):
            [(pattern, options)] = out.items() if isinstance(out, dict) else [(out, {})]
            for item in itertools.product(*axes.values()):
                name = pattern
                for key, value in (*filled.items(), *zip(axes, item, strict=True)):
                    name = name.replace(key, str(value))
                assert "$" not in name
                yield name, not options.get("cache", True)


TRACKED = tracked()
CASES = cases()
RANDOM = random.Random(0)
SAMPLED = [RANDOM.choice([case for case in CASES if case.kind == kind]) for kind in KINDS]


@contextlib.contextmanager
def changed(folder: Path, case: Case) -> Iterator[None]:
    """One change, which is undone."""
    match case.kind:
        case "parameter":
            names = ["params.yaml"]
        case "command":
            names = [case.name.partition(":")[0]]
        case "nothing":
            names = [name for name in TRACKED if name == case.name or name.startswith(f"{case.name}/")]
        case _:
            names = [case.name]
    before = {folder / name: ((folder / name).read_bytes(), (folder / name).stat()) for name in names}
    try:
        for path, (content, _) in before.items():
            if case.kind == "parameter":
                change_parameter(path, [int(key) if key.isdigit() else key for key in case.name.split(".")])
            elif case.kind == "command":
                change_command(path, case.name.partition(":")[2])
            else:
                path.write_bytes(content + b"\n# a comment\n")
        yield
    finally:
        for path, (content, times) in before.items():
            path.write_bytes(content)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def change_parameter(path: Path, keys: list[str | int]) -> None:
    yaml = YAML()
    values = yaml.load(path)
    section = values
    for key in keys[:-1]:
        section = section[key]
    for other in other_values(section[keys[-1]]):
        section[keys[-1]] = other
        yaml.dump(values, path)
        try:
            load_params(path)
        except NpvaeError:
            continue
        return
    raise AssertionError("none of the other values is valid")


def other_values(value: Any) -> list[Any]:
    match value:
        case bool():
            return [not value]
        case int():
            return [value + 1, value - 1]
        case float():
            return [value / 2 or 0.5]
        case list():
            return [value[::-1]]
        case None:
            return [0.5]
        case _:
            words = ["float32", "own", "tanh", "glorot-normal", "predictive", "learned", "leave-one-out"]
            return [other for other in (f"{value}0", *words) if other != value]


def change_command(path: Path, name: str) -> None:
    yaml = YAML()
    content = yaml.load(path)
    stage = content["stages"][name]
    command = stage["cmd"]
    stage["cmd"] = [*command[:-1], f"{command[-1]} #"] if isinstance(command, list) else f"{command} #"
    yaml.dump(content, path)


class Answers(NamedTuple):
    """The jobs that each of the three calls stale."""

    status: set[str]
    check: set[str]
    snakemake: set[str]
    downstream: set[str]  # of those in status, themselves included


def ask(project: Project) -> Answers:
    """Ask all three; what is merely absent is not stale, except for Snakemake, which must make it."""
    with contextlib.chdir(project.folder), Repo() as repo:
        jobs = {stage.addressing: stage for stage in repo.index.stages}
        status = {jobs[name] for name, changes in repo.status().items() if not absent(jobs[name], changes)}
        graph = repo.index.graph  # from a stage to those that it depends on
        downstream = status.union(*(networkx.ancestors(graph, stage) for stage in status))
        names = {stage.name for stage in jobs.values()}
    found = check(project.folder)
    lines = [line.removeprefix("dvc.lock: ") for line in found.problems + found.older]
    return Answers(
        {stage.name for stage in status},
        {line.partition(": ")[0] for line in lines} & names,  # jobs without a declaration are DVC's past
        planned(project),
        {stage.name for stage in downstream},
    )


def absent(stage: Any, changes: list[Any]) -> bool:
    """Whether all that DVC has against a job is that files are not here, or a study that never ran."""
    study = Path(stage.path_in_repo).as_posix() != DEFINITIONS[0]
    if study and not any(out.hash_info for out in stage.outs):
        return True
    for change in changes:
        if isinstance(change, str):  # "changed command"
            return False
        [states] = change.values()
        if any(state not in ("deleted", "not in cache") for state in states.values()):
            return False
    return True


def planned(project: Project) -> set[str]:
    """The jobs, by DVC's names, that Snakemake would run, studies included."""
    jobs = set()
    output = project.run("snakemake --dry-run all results/comparators.csv results/sweep.md")
    for block in output.split("\n\n"):
        if rule := re.search(r"^(?:local)?rule (\w+):$", block, flags=re.MULTILINE):
            found = re.search(r"^    wildcards: (.*)$", block, flags=re.MULTILINE)
            values = [part.partition("=")[2] for part in found[1].split(", ")] if found else []
            jobs.add(rule[1] + ("@" + "-".join(values) if values else ""))
    return jobs - {"all"}


@pytest.fixture(scope="session")
def place(
    done: Project,
    as_project: Callable[[Path], Project],
    once: Callable,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], tuple[Project, Answers]]:
    """A project by the name of its place, in which studies have run too, and what is stale in it as it is."""

    def make(folder: Path) -> None:
        tree = duplicate(done, folder / "tree")
        tree.run(f"dvc remote add --default storage {folder}/remote && dvc push -q")
        tree.commit()
        tree.run(f"git clone -q . {folder}/clone && git clone -q . {folder}/pulled")
        Project(folder / "pulled", tree.environment).run("dvc pull -q")

    @cache
    def found(name: str) -> tuple[Project, Answers]:
        made = as_project(once("places", make) / name)
        project = duplicate(made, tmp_path_factory.mktemp("place") / name)
        return project, ask(project)

    return found


@pytest.mark.parametrize("name", PLACES)
def test_nothing_is_stale_as_it_is(place, name):
    _, before = place(name)
    assert before.status == before.check == set()
    if name == "clone":
        assert before.snakemake  # which must make what is not here
    else:
        assert not before.snakemake


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=str(case), marks=[] if case in SAMPLED else pytest.mark.faults) for case in CASES],
)
def test_after_one_change_all_three_agree(place, case):
    project, before = place(case.place)
    with changed(project.folder, case):
        now = ask(project)
    assert now.check == now.status
    assert now.status <= now.snakemake <= now.downstream | before.snakemake
    if case.kind == "nothing":
        assert not now.status
        assert now.snakemake == before.snakemake
    elif case.kind != "module":  # of which some only parse, check or report
        assert now.status
