"""The committed run as a Workflow Run RO-Crate: what git holds of it, and what DVC recorded of each job.

Profile 0.5 of https://w3id.org/ro/wfrun/workflow, on RO-Crate 1.1. What is not in the crate (checkpoints,
images, source code) has an identifier of path and md5 sum, so that the chain never breaks.
"""

import hashlib
import json
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ruamel.yaml import YAML

from dvcrules.ledger import LEDGER
from npvae.data.sources import PUBLISHED, TITLES
from npvae.errors import NpvaeError
from npvae.files import reading
from npvae.provenance.history import kept_by_git, last_change
from npvae.provenance.ledger import Job, Ledger
from npvae.provenance.trace import recorded_machines

if TYPE_CHECKING:
    from rocrate.model.entity import Entity
    from rocrate.rocrate import ROCrate

_WORKFLOW = "workflow/Snakefile"
_BESIDE = {
    "CITATION.cff": "whom to cite",
    "LICENSE": "the licence",
    "README.md": "what this is",
    "dvc.lock": "the ledger: what each job read, ran and wrote",
    "dvc.yaml": "the stages that the Snakefile runs: commands, inputs, outputs",
    "params.yaml": "every parameter",
    "studies/dvc.lock": "the ledger of the studies",
    "studies/dvc.yaml": "stages that run only when asked for",
}
_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
_CATALOGUE = {  # home, licence, and who says so
    "mnist": (
        "http://yann.lecun.com/exdb/mnist/",
        "CC-BY-SA-3.0",
        "https://www.tensorflow.org/api_docs/python/tf/keras/datasets/mnist/load_data",
    ),
    "fashion-mnist": (
        "https://github.com/zalandoresearch/fashion-mnist",
        "MIT",
        "https://github.com/zalandoresearch/fashion-mnist/blob/master/LICENSE",
    ),
    "kmnist": (
        "http://codh.rois.ac.jp/kmnist/",
        "CC-BY-SA-4.0",
        "https://github.com/rois-codh/kmnist",
    ),
}
_FORMATS = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".md": "text/markdown",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".yaml": "application/yaml",
}


def write_crate(root: Path, folder: Path) -> None:
    """Write the crate of the run that git holds; the same run gives the same bytes.

    Args:
        root: of the project.
        folder: for the crate; must not exist.

    Raises:
        NpvaeError: ``folder`` exists, rocrate is not installed, there is no git history, or a result is not
            what its record says.
        BridgeError: a ledger can't be read.
    """
    if folder.exists():
        raise NpvaeError(f"{folder}: is there already; remove it, or name another folder")
    try:
        from rocrate.rocrate import ROCrate
    except ImportError:
        raise NpvaeError("rocrate is not installed; `pip install rocrate` installs it") from None
    _Run(root, ROCrate(version="1.1")).crate.write(folder)


class _Run:
    def __init__(self, root: Path, crate: "ROCrate") -> None:
        self.root, self.crate, self.ledger = root, crate, Ledger(root)
        crate.metadata.extra_terms = {
            term: f"https://w3id.org/ro/terms/workflow-run#{term}" for term in ("md5", "resourceUsage")
        }
        self._describe()
        results = []
        for path in sorted(kept_by_git(root)):
            if self.ledger.maker(path):
                results.append(self._include(path))
            elif path in _BESIDE or path.startswith("workflow/"):
                self._include(path)
        images = [file for job in self.ledger.jobs.values() for file in self._data_set(job)]
        whole = crate.add_action(
            crate.mainEntity, "#run", images, results, {"name": "the whole run", "agent": self.authors}
        )
        crate.root_dataset["mentions"] = [whole, *map(self._action, self.ledger.in_order())]

    def _add(self, identifier: str, kind: str, **properties: Any) -> "Entity":
        """Something that is no file in the crate; described once."""
        from rocrate.model.contextentity import ContextEntity

        entity = ContextEntity(self.crate, identifier, {"@type": kind} | properties)
        return self.crate.get(identifier) or self.crate.add(entity)

    def _describe(self) -> None:
        with reading(self.root / "CITATION.cff", "a citation"):
            cited = YAML(typ="safe").load(self.root / "CITATION.cff")
        paper, whole = cited["preferred-citation"], self.crate.root_dataset
        self.authors = self._people(cited["authors"])
        whole["name"] = cited["title"]
        whole["description"] = "Figures, metrics and tables, and the run behind them, down to the images."
        whole["datePublished"] = last_change(self.root, LEDGER)
        whole["author"] = self.authors
        whole["license"] = self._licence(cited["license"], "see LICENSE")
        whole["citation"] = self._add(
            paper["url"], "ScholarlyArticle", name=paper["title"], author=self._people(paper["authors"])
        )
        whole["conformsTo"] = [
            self._add(profile, "CreativeWork", name=name, version=profile.rpartition("/")[2])
            for profile, name in _PROFILES.items()
        ]

    def _licence(self, name: str, words: str) -> "Entity":
        return self._add(f"https://spdx.org/licenses/{name}", "CreativeWork", name=name, description=words)

    def _people(self, people: list[dict[str, str]]) -> "list[Entity]":
        found = []
        for one in people:
            kind = "Organization" if "name" in one else "Person"
            name = one.get("name") or f"{one['given-names']} {one['family-names']}"
            found.append(self._add(f"#{quote(name)}", kind, name=name))
        return found

    def _include(self, path: str) -> "Entity":
        md5 = hashlib.md5((self.root / path).read_bytes()).hexdigest()
        job = self.ledger.maker(path)
        if job and job.outs[path] != md5:
            raise NpvaeError(f"{path}: not the file that {job.name} made; `npvae check` says what is stale")
        about = {"name": path, "md5": md5, "encodingFormat": _FORMATS.get(Path(path).suffix, "text/plain")}
        if path in _BESIDE:
            about["description"] = _BESIDE[path]
        if path == _WORKFLOW:
            source = self.root / path
            return self.crate.add_workflow(source, path, properties=about, main=True, lang="snakemake")
        return self.crate.add_file(self.root / path, path, properties=about, record_size=True)

    def _file(self, path: str, md5: str) -> "Entity":
        there = self.crate.get(quote(path))
        if there and there["md5"] == md5:
            return there
        kind = "Dataset" if md5.endswith(".dir") else "File"  # so DVC marks the sum of a folder
        return self._add(f"#{quote(path)}?md5={md5}", kind, name=path, md5=md5)

    def _data_set(self, job: Job) -> "list[Entity]":
        """The files of a data set of the catalogue that a job fetched, and where such files come from."""
        files = []
        for path, md5 in job.outs.items():
            name = PurePosixPath(path).parent.name
            if PurePosixPath(path).name in PUBLISHED.get(name, ()):
                words = "accepted only with the published md5 sums, whichever mirror gave the files"
                home, licence, source = _CATALOGUE[name]
                about = {"name": TITLES[name], "url": home, "description": words}
                about["license"] = self._licence(licence, f"stated by {source}")
                files.append(self._file(path, md5))
                self._add(f"#{name}", "Dataset", **about).append_to("hasPart", files[-1])
        return files

    def _value(self, kind: str, key: str, value: Any) -> "Entity":
        text = value if isinstance(value, str) else json.dumps(value)
        mark = hashlib.md5(text.encode()).hexdigest()[:8]
        return self._add(f"#{kind}/{quote(key)}/{mark}", "PropertyValue", name=key, value=text)

    def _action(self, job: Job) -> "Entity":
        read: dict[str, str] = {}
        for dep, md5 in job.deps.items():  # a file, or a folder that other jobs filled
            filled = {out: maker.outs[out] for out, maker in self.ledger.makers(dep) if out != dep}
            read |= filled or {dep: md5}
        command = "\n".join(job.commands)
        about = {"name": job.name, "description": command, "agent": self.authors}
        if machines := recorded_machines(job, self.ledger, self.root):
            about["resourceUsage"] = [self._value("machine", "machine", machine) for machine in machines]
        return self.crate.add_action(
            self._add(
                f"#command/{quote(job.name)}", "SoftwareApplication", name=job.name, description=command
            ),
            f"#job/{quote(job.name)}",
            [self._file(*item) for item in read.items()]
            + [self._value("params.yaml", *item) for item in job.params.items()],
            [self._file(*item) for item in job.outs.items()],
            about,
        )
