"""docs/bridge.md, as it is written."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/bridge.md"


def test_the_page_can_be_copied(new_project, tmp_path):
    blocks = re.findall(r"```\w+\n# (\S+)\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    [(_, named), (last, every)] = [block for block in blocks if block[0] == "Snakefile"]
    assert len(named.splitlines()) <= 20
    files = dict(blocks[:-1]) | {"texts/de.txt": "ein Wort\n", "texts/en.txt": "word\n", "counts/README": ""}
    project = new_project(tmp_path / "project", files)
    project.run("snakemake --cores 2")
    assert (project.folder / "table.md").read_text() == "2\n1\n"
    assert "Running stage 'count@de'" in (project.folder / "logs/count-de.log").read_text()
    assert not project.named()
    project.write({last: every})
    assert "Nothing to be done" in project.run("snakemake --cores 1")
    project.write({"texts/en.txt": "two words\n"})
    assert project.planned() == {"dvc.yaml:count@en", "dvc.yaml:table"}
