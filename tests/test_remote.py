"""The whole way over a Qdrant server: ingest, search, remove, and what is said when it is down."""

from __future__ import annotations

from pathlib import Path

import pytest

import ingest
import mmsearch
from mmsearch.config import Settings
from mmsearch.errors import IndexUnavailable, NotFound, ProfileMismatch
from tests import builders
from tests.qdrant_server import QdrantServer


def test_a_server_serves_as_a_folder_does(tmp_path: Path) -> None:
    builders.write_text_pdf(tmp_path / "a.pdf", ["a heron in the river", "a kingfisher"])
    builders.write_text_pdf(tmp_path / "b.pdf", ["an otter"])
    files = [tmp_path / "a.pdf", tmp_path / "b.pdf"]
    settings = Settings(store=str(tmp_path / "store"))
    with QdrantServer() as server:
        with pytest.raises(NotFound, match="there is no index; make one"):
            mmsearch.open(url=server.url, create=False, settings=settings)
        with mmsearch.open(url=server.url, settings=settings) as engine:
            assert len(ingest.run(files, engine).of("done")) == 2
            assert len(ingest.run(files, engine).of("skipped")) == 2
        with mmsearch.open(url=server.url, create=False, settings=settings) as engine:
            hit = engine.search("kingfisher")[0]
            assert (hit.page, hit.document.paths) == (2, (str(tmp_path / "a.pdf"),))
            assert engine.store.picture(hit.document.id, 2)[:2] == b"\xff\xd8"
            with mmsearch.open(tmp_path / "folder", settings=Settings()) as local:
                ingest.run(files, local)
                ours, theirs = (e.search("otter in the river") for e in (local, engine))
                assert [(h.document.id, h.page) for h in ours] == [
                    (h.document.id, h.page) for h in theirs
                ]
                assert [h.score for h in ours] == pytest.approx([h.score for h in theirs], abs=1e-5)
            engine.remove(str(tmp_path / "a.pdf"))
            assert {h.document.title for h in engine.search("kingfisher")} == {"b"}
        (tmp_path / "mine.toml").write_text('[views.lexical]\nencoder = "bm25"\n')
        with pytest.raises(ProfileMismatch, match="made with profile 'lite'"):
            mmsearch.open(url=server.url, profile=str(tmp_path / "mine.toml"), settings=settings)


def test_a_server_that_is_down_is_one_clear_line() -> None:
    with pytest.raises(IndexUnavailable, match="is the server running") as caught:
        mmsearch.open(url="http://127.0.0.1:9", settings=Settings())
    assert "\n" not in str(caught.value)
