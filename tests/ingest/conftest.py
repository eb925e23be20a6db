"""What tests of folders share: a folder, and an index of words alone that each finds empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import mmsearch
from mmsearch.config import Settings
from mmsearch.engine import SearchEngine


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "files"
    path.mkdir()
    return path


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchEngine]:
    profile = tmp_path_factory.mktemp("profile") / "words.toml"
    profile.write_text('[views.lexical]\nencoder = "bm25"\n')
    settings = Settings(workers=1, ocr="off", profile=str(profile), archive_depth=2)
    with mmsearch.open(tmp_path_factory.mktemp("index") / "index", settings=settings) as engine:
        yield engine


@pytest.fixture
def engine(shared: SearchEngine) -> Iterator[SearchEngine]:
    """An empty index of words alone; whatever a test does, it is left tidy."""
    yield shared
    for document in list(shared.documents.all()):
        shared.forget(document, set(document.paths))
    assert not list(Path(shared.index.address).glob("mmsearch-run-*"))
