"""Kill an ingestion at any moment, run it again: the index equals that of one clean run."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import ingest
import mmsearch
from mmsearch.config import Settings
from mmsearch.filters import Filter
from mmsearch.index import Collection, Point
from mmsearch.types import SparseVector

COMMAND = [sys.executable, "-m", "mmsearch.cli", "ingest"]


@pytest.fixture(scope="module")
def corpus(sample_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A part of the samples: text layers, a scan and a picture."""
    folder = tmp_path_factory.mktemp("resume") / "corpus"
    for name in ("invoices", "manuals", "archive/letters-1962.pdf", "pictures/lighthouse.jpg"):
        source, target = sample_dir / "corpus" / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)
    return folder


@pytest.fixture(scope="module")
def clean(
    corpus: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[mmsearch.SearchEngine]:
    """What one run that is left in peace makes of it."""
    folder = tmp_path_factory.mktemp("clean") / "index"
    with mmsearch.open(folder, settings=Settings()) as engine:
        assert ingest.run([corpus], engine).of("failed") == []
        yield engine


@pytest.mark.parametrize("moment", ["first pages", "halfway", "vectors"])
def test_killed_and_run_again_equals_one_clean_run(
    corpus: Path, clean: mmsearch.SearchEngine, tmp_path: Path, moment: str
) -> None:
    folder = tmp_path / "index"
    total = clean.index.pages.count(Filter())
    stored = {"first pages": 2, "halfway": total // 2, "vectors": total}[moment]
    _kill_when_stored(corpus, folder, stored)
    with mmsearch.open(folder, settings=Settings()) as engine:
        unfinished = engine.documents.counts()
        assert unfinished.get("done", 0) < clean.documents.counts()["done"]
        assert not engine.index.pages.count(Filter()) > total
        report = ingest.run([corpus], engine)
        assert report.of("failed") == []
        assert_equal(engine.index.documents, clean.index.documents)
        assert_equal(engine.index.pages, clean.index.pages)
        for point in clean.index.pages.scroll(Filter()):
            page = (point.payload["document"], point.payload["number"])
            assert engine.store.picture(*page) == clean.store.picture(*page)
            assert engine.store.words(*page) == clean.store.words(*page)


def _kill_when_stored(corpus: Path, folder: Path, pages: int) -> None:
    """Start an ingestion in a process of its own and SIGKILL it once so many pages are stored."""
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
    while len(list(folder.glob("store/*/*/*.jpg"))) < pages:
        assert process.poll() is None, "the ingestion ended before it was killed"
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
