"""Every notebook runs from top to bottom, as in a repository after `make demo`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmsearch.engine import SearchEngine

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def folder(
    sample_dir: Path, sample_engine: SearchEngine, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """`notebooks` beside `demo`, whose index this process holds: notebooks use it through it."""
    root = tmp_path_factory.mktemp("repository")
    (root / "demo").mkdir()
    for made in sample_dir.iterdir():
        (root / "demo" / made.name).symlink_to(made)
    (root / "demo" / "index").symlink_to(sample_engine.index.address)
    (root / "notebooks").mkdir()
    return root / "notebooks"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(notebook: Path, folder: Path, tmp_path: Path) -> None:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    assert all(not cell.get("outputs") for cell in cells), "committed with outputs"
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) == 4
