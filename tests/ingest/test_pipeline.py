"""What an ingestion does with files that are new, changed, doubled, broken or gone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import ingest
import mmsearch
from ingest import FileResult, Progress
from mmsearch.config import Settings
from mmsearch.engine import SearchEngine
from mmsearch.filters import Filter
from mmsearch.types import DocumentState
from tests import builders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "files"
    path.mkdir()
    return path


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[SearchEngine]:
    with mmsearch.open(tmp_path / "index", settings=Settings(workers=1)) as engine:
        yield engine


def statuses(report: ingest.Report) -> dict[str, str]:
    return {Path(result.path).name: result.status for result in report.results}


def titles(engine: SearchEngine, text: str) -> set[str]:
    return {Path(path).name for hit in engine.search(text) for path in hit.document.paths}


def test_pages_words_and_vectors_arrive(engine: SearchEngine, folder: Path) -> None:
    builders.write_text_pdf(folder / "a.pdf", ["a heron in the river", "the second page"])
    seen: list[Progress] = []
    results: list[FileResult] = []
    report = ingest.run([folder], engine, progress=seen.append, on_file=results.append)
    assert statuses(report) == {"a.pdf": "done"}
    assert results == report.results
    assert seen[-1].pages == 2
    (document,) = engine.documents.all()
    assert document.state is DocumentState.DONE
    assert (document.kind, document.page_count, document.title) == ("pdf", 2, "a")
    for name in ("text", "lexical"):
        assert engine.status()["vectors"][name] == 2
    hit = engine.search("river heron")[0]
    assert (hit.page, hit.document.paths) == (1, (str(folder / "a.pdf"),))
    assert engine.store.picture(document.id, 1)[:2] == b"\xff\xd8"
    assert {word.text for word in engine.store.words(document.id, 1)} >= {"heron", "river"}


def test_an_unchanged_file_is_not_read_again(engine: SearchEngine, folder: Path) -> None:
    builders.write_text_pdf(folder / "a.pdf", ["words"])
    ingest.run([folder], engine)
    again = ingest.run([folder], engine)
    assert [(r.status, r.reason) for r in again.results] == [("skipped", "unchanged")]


def test_a_changed_file_replaces_its_old_version(engine: SearchEngine, folder: Path) -> None:
    builders.write_text_pdf(folder / "a.pdf", ["the walrus version"])
    ingest.run([folder], engine)
    builders.write_text_pdf(folder / "a.pdf", ["the penguin version"])
    report = ingest.run([folder], engine)
    assert statuses(report) == {"a.pdf": "done"}
    assert engine.search("penguin")[0].snippet == "the penguin version"
    assert "walrus" not in engine.search("walrus")[0].snippet
    assert engine.index.pages.count(Filter()) == 1
    assert len(list(engine.documents.all())) == 1


def test_a_changed_file_that_no_longer_opens_keeps_its_old_version(
    engine: SearchEngine, folder: Path
) -> None:
    builders.write_text_pdf(folder / "a.pdf", ["the walrus version"])
    ingest.run([folder], engine)
    (folder / "a.pdf").write_bytes(b"%PDF-1.4 damaged while copying")
    report = ingest.run([folder], engine)
    assert statuses(report) == {"a.pdf": "failed"}
    assert "walrus" in engine.search("walrus")[0].snippet


def test_the_same_bytes_are_one_document_with_two_paths(engine: SearchEngine, folder: Path) -> None:
    builders.write_text_pdf(folder / "a.pdf", ["a heron"])
    shutil.copy(folder / "a.pdf", folder / "b.pdf")
    report = ingest.run([folder], engine)
    assert statuses(report) == {"a.pdf": "done", "b.pdf": "skipped"}
    assert "same content as" in report.of("skipped")[0].reason
    (folder / "c").mkdir()
    shutil.copy(folder / "a.pdf", folder / "c" / "late.pdf")
    ingest.run([folder], engine)
    assert titles(engine, "heron") == {"a.pdf", "b.pdf", "late.pdf"}
    assert engine.index.pages.count(Filter()) == 1
    engine.remove(str(folder / "a.pdf"))
    assert titles(engine, "heron") == {"b.pdf", "late.pdf"}
    assert engine.index.pages.count(Filter()) == 1


def test_a_moved_file_is_not_read_again(engine: SearchEngine, folder: Path) -> None:
    builders.write_text_pdf(folder / "a.pdf", ["a heron"])
    ingest.run([folder], engine)
    (folder / "a.pdf").rename(folder / "moved.pdf")
    report = ingest.run([folder], engine)
    assert statuses(report) == {"moved.pdf": "skipped"}
    assert "moved.pdf" in titles(engine, "heron")


def test_a_failed_file_is_recorded_and_tried_again(engine: SearchEngine, folder: Path) -> None:
    (folder / "a.pdf").write_bytes(b"%PDF-1.4 nothing")
    builders.write_text_pdf(folder / "b.pdf", ["neighbour"])
    for _ in range(2):
        report = ingest.run([folder], engine)
        assert statuses(report)["a.pdf"] == "failed"
    (failed,) = [d for d in engine.documents.all() if d.state is DocumentState.FAILED]
    assert failed.reason
    assert titles(engine, "neighbour") == {"b.pdf"}
    builders.write_text_pdf(folder / "a.pdf", ["mended"])
    assert statuses(ingest.run([folder], engine))["a.pdf"] == "done"
    assert {d.state for d in engine.documents.all()} == {DocumentState.DONE}


def test_a_folder_that_was_named_twice_is_read_once(engine: SearchEngine, folder: Path) -> None:
    builders.write_text_pdf(folder / "a.pdf", ["words"])
    report = ingest.run([folder, folder / "a.pdf", folder], engine)
    assert statuses(report) == {"a.pdf": "done"}


def test_hidden_files_and_index_folders_are_passed_over(
    engine: SearchEngine, folder: Path, tmp_path: Path
) -> None:
    builders.write_text_pdf(folder / ".hidden.pdf", ["words"])
    (folder / ".git").mkdir()
    builders.write_text_pdf(folder / ".git" / "a.pdf", ["words"])
    report = ingest.run([tmp_path], engine)  # holds the index as well
    assert report.results == []


def test_what_is_not_a_file_is_passed_over(engine: SearchEngine, folder: Path) -> None:
    import os

    os.mkfifo(folder / "pipe.pdf")
    report = ingest.run([folder], engine)
    assert [(r.status, r.reason) for r in report.results] == [("skipped", "not a regular file")]


def test_a_file_over_the_size_limit_fails_alone(tmp_path: Path, folder: Path) -> None:
    builders.write_text_pdf(folder / "a.pdf", ["words"])
    with mmsearch.open(tmp_path / "i", settings=Settings(max_file_bytes=100)) as engine:
        report = ingest.run([folder], engine)
    assert "raise the setting max_file_bytes" in report.of("failed")[0].reason


def test_nothing_is_visible_before_its_document_is(engine: SearchEngine, folder: Path) -> None:
    builders.write_text_pdf(folder / "a.pdf", [f"heron {n}" for n in range(40)])
    visible: set[int] = set()
    counts: list[int] = []

    def look(progress: Progress) -> None:
        if progress.phase == "reading":
            counts.append(engine.index.pages.count(Filter()))
            visible.add(len(engine.index.pages.search([], Filter())) or _visible(engine))

    ingest.run([folder], engine, progress=look)
    assert visible <= {0, 40}
    assert any(0 < count < 40 for count in counts)


def _visible(engine: SearchEngine) -> int:
    from mmsearch.documents import READY

    return engine.index.pages.count(READY)
