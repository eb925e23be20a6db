"""Kill an ingestion at any moment, run it again: the index equals that of one clean run."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import ingest
import mmsearch
from mmsearch.config import Settings
from mmsearch.filters import Filter
from mmsearch.index import Collection, Point
from mmsearch.screenshots.features import encode
from mmsearch.types import SparseVector

COMMAND = [sys.executable, "-m", "mmsearch.cli", "ingest"]


@pytest.fixture(scope="module")
def corpus(sample_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A part of the samples: text layers, a scan, a picture, an archive, and a broken file."""
    folder = tmp_path_factory.mktemp("resume") / "corpus"
    for name in ("invoices", "manuals", "archive/letters-1962.pdf", "pictures/lighthouse.jpg"):
        source, target = sample_dir / "corpus" / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)
    members = sorted((folder / "manuals").iterdir())[:2]
    with zipfile.ZipFile(folder / "old.zip", "w") as archive:
        for member in members:
            archive.write(member, f"old/{member.name}")
    members[0].unlink()  # one file is in the archive alone, one in both places
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 nothing")
    return folder


@pytest.fixture(scope="module")
def clean(
    corpus: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[mmsearch.SearchEngine]:
    """What one run that is left in peace makes of it."""
    folder = tmp_path_factory.mktemp("clean") / "index"
    with mmsearch.open(folder, settings=Settings()) as engine:
        (failed,) = ingest.run([corpus], engine).of("failed")
        assert failed.path.endswith("broken.pdf")
        yield engine


@pytest.mark.parametrize("moment", ["first pages", "halfway", "vectors"])
def test_killed_and_run_again_equals_one_clean_run(
    corpus: Path, clean: mmsearch.SearchEngine, tmp_path: Path, moment: str
) -> None:
    folder = tmp_path / "index"
    total = clean.index.pages.count(Filter())
    stored = {"first pages": 2, "halfway": total // 2, "vectors": total}[moment]
    _kill(corpus, folder, lambda: len(list(folder.glob("store/*/*/*.jpg"))) >= stored)
    with mmsearch.open(folder, settings=Settings()) as engine:
        unfinished = engine.documents.counts()
        assert unfinished.get("done", 0) < clean.documents.counts()["done"]
    _assert_mended(corpus, folder, clean)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(25))
def test_killed_at_any_moment_and_run_again_equals_one_clean_run(
    corpus: Path, clean: mmsearch.SearchEngine, tmp_path: Path, seed: int
) -> None:
    folder = tmp_path / "index"
    chance = random.Random(seed)
    for _ in range(chance.choice((1, 1, 2))):
        end = time.monotonic() + chance.uniform(0.3, 30.0)
        _kill(corpus, folder, lambda end=end: time.monotonic() > end)
    _assert_mended(corpus, folder, clean)


def _assert_mended(corpus: Path, folder: Path, clean: mmsearch.SearchEngine) -> None:
    """Another run makes the index equal to that of a clean one, and leaves nothing lying about."""
    with mmsearch.open(folder, settings=Settings()) as engine:
        ingest.run([corpus], engine)
        assert_equal(engine.index.documents, clean.index.documents)
        assert_equal(engine.index.pages, clean.index.pages)
        for point in clean.index.pages.scroll(Filter()):
            page = (point.payload["document"], point.payload["number"])
            assert engine.store.picture(*page) == clean.store.picture(*page)
            assert engine.store.words(*page) == clean.store.words(*page)
            assert encode(engine.store.features(*page)) == encode(clean.store.features(*page))
    assert list(folder.glob("mmsearch-run-*")) == []
    kept = (path.name for path in (folder / "store").rglob("*") if path.is_file())
    assert [name for name in kept if not name.endswith((".jpg", ".json", ".features"))] == []


def _kill(corpus: Path, folder: Path, when: Callable[[], bool]) -> None:
    """Start an ingestion in a process of its own and SIGKILL it, unless it ends before."""
    process = subprocess.Popen(
        [*COMMAND, str(corpus), "--index", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder.parent,
        env={
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "PATH": "/usr/bin:/bin",
            "HOME": str(Path.home()),
        },
    )
    deadline = time.monotonic() + 120
    while not when() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.wait()


def assert_equal(left: Collection, right: Collection) -> None:
    """Same points: payload and sparse vectors equal, dense rows at cosine >= .99999."""
    ours, theirs = (
        {point.id: point for point in collection.scroll(Filter(), vectors=True)}
        for collection in (left, right)
    )
    assert ours.keys() == theirs.keys()
    for id_, point in ours.items():
        _assert_same(point, theirs[id_])


def _assert_same(ours: Point, theirs: Point) -> None:
    assert ours.payload == theirs.payload
    assert ours.vectors.keys() == theirs.vectors.keys()
    for name, vector in ours.vectors.items():
        other = theirs.vectors[name]
        if isinstance(vector, SparseVector):
            assert isinstance(other, SparseVector)
            assert vector.indices.tolist() == other.indices.tolist()
            assert vector.values.tolist() == other.values.tolist()
        else:
            assert not isinstance(other, SparseVector)
            assert vector.shape == other.shape
            rows = np.atleast_2d(vector) * np.atleast_2d(other)
            norms = np.linalg.norm(np.atleast_2d(vector), axis=1) * np.linalg.norm(
                np.atleast_2d(other), axis=1
            )
            assert (rows.sum(axis=1) / norms >= 0.99999).all()
