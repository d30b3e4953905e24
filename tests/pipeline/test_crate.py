"""``npvae crate``, of a run of four small jobs; `make test-extras` installs what it needs."""

import hashlib
import importlib.util
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from npvae.data.sources import PUBLISHED
from npvae.errors import NpvaeError
from npvae.provenance.crate import write_crate

IMAGES = {f"data/mnist/{file}": proof.md5 for file, proof in PUBLISHED["mnist"].items()}
CHECKPOINT = {"results/checkpoints/vae-z2.safetensors": "c" * 32}
MACHINE = "float32 on a slide rule, 1 thread"
KEPT = {
    "results/metrics/vae-z2.json": json.dumps({"mean": {}, "origin": {"measured": MACHINE}}),
    "results/figures/figure2.png": "drawn",
    "results/sweep/z20-npvae.match_weight=0.1.csv": "measure,value\n",
    "workflow/Snakefile": "rule all: input: 'results/figures/figure2.png'\n",
    "dvc.yaml": "stages: {}\n",
    "params.yaml": "depth: 7\n",
}
RESULTS = {path: hashlib.md5(text.encode()).hexdigest() for path, text in KEPT.items() if "results" in path}
METRICS, FIGURE, SWEEP = ({path: md5} for path, md5 in RESULTS.items())
JOBS: dict[str, dict[str, Any]] = {
    "data": {"outs": IMAGES},
    "train@vae-2": {
        "deps": IMAGES | {"src/model": "d" * 32 + ".dir"},
        "params": {"depth": 7},
        "outs": CHECKPOINT,
    },
    "measure@vae-2": {"deps": CHECKPOINT | IMAGES, "outs": METRICS},
    "figure2": {"deps": {"results/metrics": "e" * 32 + ".dir"}, "outs": FIGURE},
    "sweep@z20": {"deps": CHECKPOINT, "outs": SWEEP},
}


def lock(job: str, record: dict[str, Any]) -> dict[str, Any]:
    files = {
        kind: [{"path": path, "hash": "md5", "md5": md5} for path, md5 in record.get(kind, {}).items()]
        for kind in ("deps", "outs")
    }
    return {"cmd": f"make {job}", "params": {"params.yaml": record.get("params", {})}, **files}


@pytest.fixture
def project(root: Path, tmp_path: Path) -> Path:
    pytest.importorskip("rocrate", reason="`make test-extras` installs rocrate")
    folder = tmp_path / "project"
    for path, text in KEPT.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    for file in ("CITATION.cff", "LICENSE"):
        shutil.copy(root / file, folder)
    ledger = {"schema": "2.0", "stages": {job: lock(job, record) for job, record in JOBS.items()}}
    YAML().dump(ledger, folder / "dvc.lock")
    for command in ("init -q .", "add -A", "-c user.name=t -c user.email=t@example.org commit -qm run"):
        subprocess.run(["git", *command.split()], cwd=folder, check=True)
    return folder


def graph(crate: Path) -> dict[str, dict[str, Any]]:
    whole = json.loads((crate / "ro-crate-metadata.json").read_text())["@graph"]
    return {entity["@id"]: entity for entity in whole}


def sources(result: str, entities: dict[str, dict[str, Any]]) -> set[str]:
    """The md5 sums of all that is behind a result: from the action that made it to what that read, and on."""
    actions = [
        entity
        for identifier, entity in entities.items()
        if entity["@type"] == "CreateAction" and identifier != "#run" and {"@id": result} in entity["result"]
    ]
    read = [item["@id"] for action in actions for item in action.get("object", [])]
    return {entities[result].get("md5", "")}.union(*(sources(item, entities) for item in read))


def test_each_result_leads_to_the_images(project: Path, tmp_path: Path) -> None:
    write_crate(project, tmp_path / "crate")
    entities = graph(tmp_path / "crate")
    for result in RESULTS:
        [found] = [identifier for identifier, entity in entities.items() if entity.get("name") == result]
        assert set(IMAGES.values()) <= sources(found, entities), result
        assert (tmp_path / "crate" / result).read_text() == KEPT[result]
    assert {entities[item["@id"]]["md5"] for item in entities["#mnist"]["hasPart"]} == set(IMAGES.values())
    assert entities["#mnist"]["license"] == {"@id": "https://spdx.org/licenses/CC-BY-SA-3.0"}
    assert not (tmp_path / "crate/results/checkpoints").exists()


def test_an_action_says_how_and_where(project: Path, tmp_path: Path) -> None:
    write_crate(project, tmp_path / "crate")
    entities = graph(tmp_path / "crate")
    train, measure = entities["#job/train%40vae-2"], entities["#job/measure%40vae-2"]
    assert entities[train["instrument"]["@id"]]["description"] == "make train@vae-2"
    read = [entities[item["@id"]] for item in train["object"]]
    assert {one["name"]: one["value"] for one in read if one["@type"] == "PropertyValue"} == {"depth": "7"}
    assert [one["name"] for one in read if one["@type"] == "Dataset"] == ["src/model"]
    assert [entities[item["@id"]]["value"] for item in measure["resourceUsage"]] == [MACHINE]
    assert entities["./"]["mainEntity"] == {"@id": "workflow/Snakefile"}
    authors = [entities[item["@id"]]["name"] for item in entities["./"]["author"]]
    assert authors == ["The npvae authors"]


def test_the_same_run_gives_the_same_bytes(project: Path, tmp_path: Path) -> None:
    for name in ("one", "other"):
        write_crate(project, tmp_path / name)
    subprocess.run(["diff", "-r", "one", "other"], cwd=tmp_path, check=True)


def test_a_result_that_is_not_the_recorded_one_is_refused(project: Path, tmp_path: Path) -> None:
    (project / "results/figures/figure2.png").write_text("painted over")
    with pytest.raises(NpvaeError, match=r"figure2.png: not the file that figure2 made"):
        write_crate(project, tmp_path / "crate")
    assert not (tmp_path / "crate").exists()


def test_what_is_there_stays(project: Path, tmp_path: Path) -> None:
    (tmp_path / "crate").mkdir()
    with pytest.raises(NpvaeError, match="is there already"):
        write_crate(project, tmp_path / "crate")


@pytest.mark.skipif(importlib.util.find_spec("rocrate") is not None, reason="it can be written here")
def test_a_package_that_is_missing_is_named(root: Path, tmp_path: Path) -> None:
    with pytest.raises(NpvaeError, match="pip install rocrate"):
        write_crate(root, tmp_path / "crate")


def remember_context(cache: Path) -> None:
    """Put RO-Crate's terms where the validator looks before it asks the web, which tests don't.

    rocrate's copy is of a later version, in which one term of those that are used here has another address.
    """
    from requests_cache import CachedRequest, CachedResponse, CachedSession
    from rocrate.vocabs import RO_CRATE

    terms = RO_CRATE["@context"] | {"ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow"}
    request = CachedRequest(method="GET", url="https://w3id.org/ro/crate/1.1/context")
    kind = {"Content-Type": "application/ld+json"}
    response = CachedResponse(status_code=200, url=request.url, headers=kind, request=request)
    response._content = json.dumps({"@context": terms}).encode()
    session = CachedSession(str(cache), backend="sqlite", expire_after=-1)
    session.cache.save_response(response, session.cache.create_key(request))


def validated(crate: Path, cache: Path) -> dict[str, Any]:
    report = crate.with_suffix(".json")
    where = f"--offline --cache-path {cache} --output-format json --output-file {report} {crate}"
    what = "--no-paging --profile-identifier workflow-run-crate-0.5 --requirement-severity required"
    command = ["rocrate-validator", "--disable-color", "validate", *what.split(), *where.split()]
    done = subprocess.run(command, capture_output=True, text=True)
    assert report.exists(), done.stdout + done.stderr
    return json.loads(report.read_text())


def test_the_validator_accepts_it(project: Path, tmp_path: Path) -> None:
    pytest.importorskip("rocrate_validator", reason="`make test-extras` installs roc-validator")
    crate, cache = tmp_path / "crate", tmp_path / "cache"
    remember_context(cache)
    write_crate(project, crate)
    report = validated(crate, cache)
    assert (report["passed"], report["issues"]) == (True, [])
    (crate / "workflow/Snakefile").unlink()
    assert not validated(crate, cache)["passed"]
