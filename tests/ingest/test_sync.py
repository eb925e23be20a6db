"""An index is brought into line with folders: what was added, changed, moved, deleted; failures."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.report import FileResult, Progress, Report
from ingest.syncing import retry, sync
from mmsearch.engine import SearchEngine
from mmsearch.errors import MissingExtra, NotFound
from mmsearch.filters import Filter
from mmsearch.types import Document
from tests import builders


def outcome(report: Report) -> dict[str, str]:
    return {Path(result.path).name: result.status for result in report.results}


def names(engine: SearchEngine) -> set[str]:
    return {place.name for document in engine.documents.all() for place in document.locations}


def the_document(engine: SearchEngine) -> Document:
    (document,) = engine.documents.all()
    return document


def test_what_was_added_changed_moved_and_deleted(engine: SearchEngine, folder: Path) -> None:
    for name in ("same", "changed", "moved", "deleted"):
        builders.write_text_pdf(folder / f"{name}.pdf", [f"the {name} heron"])
    assert set(outcome(sync([folder], engine)).values()) == {"done"}
    builders.write_text_pdf(folder / "changed.pdf", ["another gull"])
    (folder / "to").mkdir()
    (folder / "moved.pdf").rename(folder / "to" / "here.pdf")
    (folder / "deleted.pdf").unlink()
    builders.write_text_pdf(folder / "added.pdf", ["a new heron"])
    told: list[FileResult] = []
    report = sync([folder], engine, on_file=told.append)
    assert outcome(report) == {
        "same.pdf": "skipped",
        "changed.pdf": "done",
        "here.pdf": "skipped",  # its pages are known
        "added.pdf": "done",
        "moved.pdf": "removed",
        "deleted.pdf": "removed",
    }
    assert told == report.results
    reasons = {Path(result.path).name: result.reason for result in report.of("removed")}
    assert reasons == {
        "moved.pdf": f"no longer there, still at {folder / 'to' / 'here.pdf'}",
        "deleted.pdf": "no longer there",
    }
    assert names(engine) == {"same.pdf", "changed.pdf", "to/here.pdf", "added.pdf"}
    assert engine.index.pages.count(Filter()) == 4
    again = sync([folder], engine)
    assert set(outcome(again).values()) == {"skipped"}


def test_what_is_missing_can_be_kept_and_only_what_was_named_is_removed(
    engine: SearchEngine, folder: Path
) -> None:
    for name in ("x/a.pdf", "x/b.pdf", "xy/c.pdf"):
        (folder / name).parent.mkdir(exist_ok=True)
        builders.write_text_pdf(folder / name, [f"heron {name}"])
    sync([folder], engine)
    for name in ("x/b.pdf", "xy/c.pdf"):
        (folder / name).unlink()
    assert outcome(sync([folder], engine, keep_missing=True)) == {"a.pdf": "skipped"}
    assert names(engine) == {"x/a.pdf", "x/b.pdf", "xy/c.pdf"}
    report = sync([folder / "x"], engine)  # of other folders nothing is removed
    assert outcome(report) == {"a.pdf": "skipped", "b.pdf": "removed"}
    assert names(engine) == {"x/a.pdf", "xy/c.pdf"}


def test_a_folder_that_may_not_be_mounted_loses_nothing(engine: SearchEngine, folder: Path) -> None:
    path = builders.write_text_pdf(folder / "a.pdf", ["heron"])
    sync([folder], engine)
    path.unlink()
    with pytest.raises(NotFound, match=r"is empty, but 1 documents .* mmsearch remove"):
        sync([folder], engine)
    folder.rmdir()
    with pytest.raises(NotFound, match="no such folder; mount it"):
        sync([folder], engine)
    assert names(engine) == {"a.pdf"}
    folder.mkdir()
    (folder / "other").mkdir()
    assert outcome(sync([folder], engine)) == {"a.pdf": "removed"}
    (folder / "other").rmdir()
    assert sync([folder], engine).results == []  # empty, as it is known


def test_a_folder_that_cannot_be_looked_into_keeps_its_documents(
    engine: SearchEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("closed/in/a.pdf", "closed/b.pdf", "open/c.pdf", "open/d.pdf"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        builders.write_text_pdf(folder / name, [f"heron {name}"])
    sync([folder], engine)
    (folder / "open" / "c.pdf").unlink()
    scandir = os.scandir

    def refused(path: str) -> object:  # the tests may run as root, whom no mode keeps out
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    report = sync([folder], engine)
    assert outcome(report) == {"d.pdf": "skipped", "closed": "failed", "c.pdf": "removed"}
    assert names(engine) == {"closed/in/a.pdf", "closed/b.pdf", "open/d.pdf"}


def test_the_old_version_is_found_until_the_new_one_is_whole(
    engine: SearchEngine, folder: Path
) -> None:
    path = builders.write_text_pdf(folder / "a.pdf", ["the walrus version"])
    sync([folder], engine)
    builders.write_text_pdf(path, [f"penguin {n}" for n in range(40)])
    found: list[tuple[int, int]] = []

    def look(progress: Progress) -> None:
        if 0 < progress.pages <= 40:
            found.append((len(engine.search("walrus")), len(engine.search("penguin", limit=50))))

    sync([folder], engine, progress=look)
    assert set(found) <= {(1, 0), (1, 40), (0, 40)}
    assert {(1, 0), (0, 40)} <= set(found)


def test_files_that_are_not_ready_are_left_as_they_are(engine: SearchEngine, folder: Path) -> None:
    for name in ("a", "b"):
        builders.write_text_pdf(folder / f"{name}.pdf", [f"old {name}"])
    sync([folder], engine)
    for name in ("b", "c"):
        builders.write_text_pdf(folder / f"{name}.pdf", [f"young {name}"])
    report = sync([folder], engine, ready=lambda source: source.path.name == "a.pdf")
    assert set(outcome(report).values()) == {"skipped"}
    assert len(report.results) == 3
    assert {hit.document.title for hit in engine.search("old")} == {"a", "b"}
    assert engine.search("young") == []


def test_a_file_that_failed_is_read_again_by_retry_alone(
    engine: SearchEngine, folder: Path
) -> None:
    path = folder / "in" / "a.pdf"
    path.parent.mkdir()
    path.write_bytes(b"%PDF-1.4 nothing")
    (result,) = sync([folder], engine).results
    cause = result.reason
    (result,) = sync([folder], engine).results
    assert (result.status, result.error) == ("failed", "UnreadableFile")
    assert result.reason == f"failed before: {cause}; then run: mmsearch retry"
    assert the_document(engine).attempts == 1
    assert retry(engine, [folder / "elsewhere"]).results == []
    (result,) = retry(engine, [folder / "in"]).results
    assert (result.status, result.reason) == ("failed", cause)
    document = the_document(engine)
    assert (document.attempts, document.locations[0].name) == (2, "in/a.pdf")
    # A program may have been installed since: that is looked at without being asked.
    engine.documents.put(replace(document, error=MissingExtra.__name__))
    assert sync([folder], engine).results[0].reason == cause
    assert the_document(engine).attempts == 3


def test_a_page_that_lacks_something_is_read_again_by_retry_alone(
    engine: SearchEngine, folder: Path
) -> None:
    builders.write_scan_pdf(folder / "a.pdf", [builders.page_image(dpi=50)] * 2, dpi=50)
    (folder / "a.xml").write_text("<alto><Layout>")
    (result,) = sync([folder], engine).results
    assert list(result.failed_pages) == [1, 2]
    (again,) = sync([folder], engine).results
    assert (again.status, again.reason) == ("skipped", "unchanged")
    (tried,) = retry(engine).results
    assert (tried.status, tried.pages, tried.failed_pages) == ("done", 2, result.failed_pages)


def test_an_encrypted_file_is_read_once_there_is_a_password(
    engine: SearchEngine, folder: Path
) -> None:
    builders.write_text_pdf(folder / "a.pdf", ["a secret heron"], password="owl")
    (result,) = sync([folder], engine).results
    assert (result.status, result.error) == ("failed", "NeedsPassword")
    assert "failed before" in sync([folder], engine).results[0].reason
    assert outcome(sync([folder], engine, passwords=["owl"])) == {"a.pdf": "done"}
    assert len(engine.search("secret")) == 1
