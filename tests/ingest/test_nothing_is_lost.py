"""What goes wrong around a run takes nothing from the index that may still be there."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import ingest
from ingest.report import FileResult, Progress, Report
from ingest.syncing import retry, sync
from ingest.watching import watch
from mmsearch.engine import SearchEngine
from mmsearch.errors import MissingExtra, NotFound
from mmsearch.filters import equals
from mmsearch.types import Document, DocumentState
from tests import builders


def result(report: Report, ending: str) -> FileResult:
    (found,) = [result for result in report.results if result.path.endswith(ending)]
    return found


def paths(engine: SearchEngine, folder: Path) -> set[str]:
    """Every path that is known, below the folder."""
    return {path.removeprefix(f"{folder}/") for d in engine.documents.all() for path in d.paths}


def at(engine: SearchEngine, path: object) -> Document:
    (document,) = engine.documents.at(str(path))
    return document


HOCR = (
    "<html><body><div class='ocr_page' title='bbox 0 0 100 100'>"
    "<span class='ocr_line' title='bbox 9 9 90 20'><span class='ocrx_word' "
    "title='bbox 9 9 90 20'>{}</span></span></div></body></html>"
)


def test_a_folder_in_an_archive_may_end_like_an_archive(engine: SearchEngine, folder: Path) -> None:
    path = folder / "a.zip"
    path.write_bytes(builders.zip_bytes({"read me!/a.pdf": builders.pdf_bytes(folder, "a heron")}))
    report = sync([folder], engine)
    assert result(report, "a.zip").reason == "1 files in it"
    os.utime(path, (1, 1))
    sync([folder], engine)
    assert paths(engine, folder) == {"a.zip", "a.zip!/read me!/a.pdf"}


def test_an_archive_that_cannot_be_read_now_keeps_its_files(
    engine: SearchEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "a.zip"
    path.write_bytes(builders.zip_bytes({"a.pdf": builders.pdf_bytes(folder, "a heron")}))
    sync([folder], engine)
    os.utime(path, (1, 1))
    open_ = Path.open

    def refused(self: Path, *args: object, **options: object) -> object:
        if self == path:
            raise OSError(errno.EIO, "Input/output error")
        return open_(self, *args, **options)  # type: ignore[call-overload]

    with monkeypatch.context() as ill:  # root, whom no mode keeps out, may run the tests
        ill.setattr(Path, "open", refused)
        assert result(sync([folder], engine), "a.zip").status == "failed"
    assert paths(engine, folder) == {"a.zip", "a.zip!/a.pdf"}


def test_a_folder_that_is_not_mounted_keeps_what_was_not_finished(
    engine: SearchEngine, folder: Path
) -> None:
    builders.write_text_pdf(folder / "in.pdf", ["a heron"])
    ingest.run([folder], engine)
    # What a run leaves that was stopped before the vectors.
    engine.documents.put(replace(at(engine, folder / "in.pdf"), state=DocumentState.PENDING))
    (folder / "in.pdf").rename(folder.parent / "away.pdf")
    ingest.run([folder], engine)
    assert len(engine.search("heron")) == 1
    builders.write_text_pdf(folder / "other.pdf", ["a gull"])
    ingest.run([folder], engine)
    assert paths(engine, folder) == {"other.pdf"}


@pytest.mark.parametrize("error", [errno.EACCES, errno.ENOTCONN])
def test_a_root_that_does_not_answer_loses_nothing(
    engine: SearchEngine, folder: Path, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = builders.write_text_pdf(folder / "a.pdf", ["a heron"])
    sync([folder], engine)
    engine.documents.put(replace(at(engine, path), state=DocumentState.PENDING))
    for name in ("stat", "lstat", "scandir"):
        call = getattr(os, name)

        def silent(*args: Any, _call: Any = call, **options: Any) -> Any:
            if args and str(args[0]).startswith(str(folder)):
                raise OSError(error, os.strerror(error))
            return _call(*args, **options)

        monkeypatch.setattr(os, name, silent)
    with pytest.raises(NotFound, match=f"{folder}: {os.strerror(error)}; "):
        sync([folder], engine)
    assert result(ingest.run([folder], engine), "files").status == "failed"
    stop = threading.Event()
    stopper = threading.Timer(0.5, stop.set)
    stopper.start()
    watch([folder], engine, stop=stop, poll=0.1)
    monkeypatch.undo()
    assert paths(engine, folder) == {"a.pdf"}


def test_pages_that_were_found_stay_when_the_file_fails_later(
    engine: SearchEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builders.write_scan_pdf(folder / "a.pdf", [builders.page_image(dpi=50)] * 2, dpi=50)
    (folder / "a.hocr").write_text(HOCR.format("cormorant"))
    sync([folder], engine)
    before = at(engine, folder / "a.pdf")
    (folder / "a.hocr").write_text(HOCR.format("guillemot"))
    with monkeypatch.context() as loaded:
        loaded.setattr(engine, "settings", replace(engine.settings, worker_memory=1 << 27))
        (failed,) = sync([folder], engine).of("failed")
    assert "damaged" in failed.reason or "memory" in failed.reason
    assert len(engine.search("cormorant")) == 1
    assert at(engine, folder / "a.pdf") == before
    sync([folder], engine)
    assert len(engine.search("guillemot")) == 1
    assert engine.search("cormorant") == []


def test_a_changed_sidecar_is_read_by_the_run_after_one_that_was_cut_short(
    engine: SearchEngine, folder: Path
) -> None:
    builders.write_scan_pdf(folder / "a.pdf", [builders.page_image(dpi=50)], dpi=50)
    (folder / "a.hocr").write_text(HOCR.format("cormorant"))
    sync([folder], engine)
    (folder / "a.hocr").write_text(HOCR.format("guillemot"))

    def at_once(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sync([folder], engine, progress=at_once)
    sync([folder], engine)
    assert len(engine.search("guillemot")) == 1


def test_a_copy_without_a_sidecar_does_not_take_the_text_away(
    engine: SearchEngine, folder: Path
) -> None:
    builders.write_scan_pdf(folder / "a.pdf", [builders.page_image(dpi=50)], dpi=50)
    (folder / "a.hocr").write_text(HOCR.format("cormorant"))
    (folder / "b").mkdir()
    shutil.copy(folder / "a.pdf", folder / "b" / "a.pdf")
    sync([folder], engine)
    for _ in range(2):
        assert {r.status for r in sync([folder], engine).results} == {"skipped"}
        assert len(engine.search("cormorant")) == 1
    shutil.rmtree(folder / "b")
    sync([folder], engine)
    (folder / "a.hocr").unlink()
    sync([folder], engine)
    assert engine.search("cormorant") == []


def test_a_file_that_changes_before_its_turn_is_read_as_it_is_then(
    engine: SearchEngine, folder: Path
) -> None:
    path = builders.write_text_pdf(folder / "a.pdf", ["a heron"])
    found = list(ingest.sources.discover([folder]))
    builders.write_text_pdf(path, ["a longer gull"])
    assert result(ingest.run(found, engine), "a.pdf").status == "done"
    assert {r.reason for r in ingest.run([folder], engine).results} == {"unchanged"}


def test_a_file_that_is_touched_while_it_is_read_is_read_by_the_next_run(
    engine: SearchEngine, folder: Path
) -> None:
    path = builders.write_text_pdf(folder / "a.pdf", ["a heron"])

    def touch(progress: Progress) -> None:
        if progress.pages == 1:
            os.utime(path, (1, 1))

    assert result(ingest.run([folder], engine, progress=touch), "a.pdf").status == "failed"
    assert result(ingest.run([folder], engine), "a.pdf").status == "done"


def test_files_in_an_archive_get_their_password_later(engine: SearchEngine, folder: Path) -> None:
    members = {
        "a.pdf": builders.pdf_bytes(folder, "a heron"),
        "b.pdf": builders.pdf_bytes(folder, "a gull", password="owl"),
    }
    (folder / "a.zip").write_bytes(builders.zip_bytes(members))
    assert result(sync([folder], engine), "b.pdf").error == "NeedsPassword"
    assert result(sync([folder], engine), "b.pdf").error == "NeedsPassword"
    assert result(sync([folder], engine, passwords=["owl"]), "b.pdf").status == "done"
    assert len(sync([folder], engine, passwords=["owl"]).results) == 1  # it is not opened again


def test_what_an_archive_lacks_is_told_again_and_tried_by_retry(
    engine: SearchEngine, folder: Path
) -> None:
    content = builders.zip_bytes(
        {
            "a.pdf": builders.pdf_bytes(folder, "a heron"),
            "b.pdf": builders.pdf_bytes(folder, "a damaged gull"),
        }
    )
    path = folder / "a.zip"
    spot = content.rindex(b"b.pdf", 0, content.index(b"PK\x01\x02")) + 200
    path.write_bytes(content[:spot] + bytes([content[spot] ^ 255]) + content[spot + 1 :])
    assert result(sync([folder], engine), "b.pdf").status == "failed"
    assert "b.pdf" in result(sync([folder], engine), "a.zip").reason
    assert result(retry(engine), "b.pdf").status == "failed"
    member = at(engine, f"{path}!/a.pdf")
    failed = replace(member, state=DocumentState.FAILED, error=MissingExtra.__name__, reason="no")
    engine.documents.put(failed)
    assert "no" in result(sync([folder], engine), "!/a.pdf").reason
    assert result(retry(engine), "!/a.pdf").status == "done"


def test_a_document_that_is_an_archive_elsewhere_is_read(
    engine: SearchEngine, folder: Path
) -> None:
    both = builders.pdf_bytes(folder, "a heron") + builders.zip_bytes({"a.xyz": b"?"})
    (folder / "a.zip").write_bytes(both)
    (folder / "b.pdf").write_bytes(both)
    sync([folder], engine)
    (hit,) = engine.search("heron")
    assert hit.document.paths == (str(folder / "b.pdf"),)
    assert at(engine, folder / "a.zip").kind == "archive"


def test_a_new_version_of_a_file_keeps_its_tags(engine: SearchEngine, folder: Path) -> None:
    builders.write_text_pdf(folder / "a.pdf", ["a heron"])
    builders.write_zip(folder / "b.zip", {"b.pdf": builders.pdf_bytes(folder, "a gull")})
    ingest.run([folder], engine)
    for name in ("a.pdf", "b.zip"):
        engine.tag(str(folder / name), add=[name])
    builders.write_text_pdf(folder / "a.pdf", ["an otter"])
    builders.write_zip(folder / "b.zip", {"b.pdf": builders.pdf_bytes(folder, "an otter too")})
    builders.write_text_pdf(folder / "c.pdf", ["a third otter"])
    ingest.run([folder], engine)
    tags = {document.title: document.tags for document in engine.documents.all()}
    assert tags["a"] == ("a.pdf",)
    assert tags["b"] == ("b.zip",)
    assert tags["c"] == ()
    assert engine.index.pages.count(equals("tags", "a.pdf")) == 1
    assert engine.index.pages.count(equals("tags", "b.zip")) == 1
