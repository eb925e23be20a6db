"""Files in archives are found as those in folders are, and come and go with their archive."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.report import FileResult, Report
from ingest.syncing import sync
from mmsearch.engine import SearchEngine
from mmsearch.types import Document, DocumentState
from tests import builders


def result(report: Report, ending: str) -> FileResult:
    (found,) = [result for result in report.results if result.path.endswith(ending)]
    return found


def known(engine: SearchEngine, folder: Path) -> dict[str, str]:
    """The state of every document, by its places below the folder."""
    prefix = f"{folder}/"
    return {
        place.removeprefix(prefix): str(document.state)
        for document in engine.documents.all()
        for place in document.paths
    }


def at(engine: SearchEngine, path: str) -> Document:
    (document,) = engine.documents.at(path)
    return document


def test_members_are_found_under_the_archive_and_deep_ones_are_refused(
    engine: SearchEngine, folder: Path
) -> None:
    third = builders.zip_bytes({"deep.pdf": builders.pdf_bytes(folder, "too deep a heron")})
    second = builders.zip_bytes(
        {"c.pdf": builders.pdf_bytes(folder, "an inner gull"), "third.zip": third}
    )
    members = {
        "in/b.pdf": builders.pdf_bytes(folder, "an outer heron"),
        "second.zip": second,
        "note.xyz": b"?",
        ".hidden.pdf": b"%PDF",
    }
    (folder / "sub").mkdir()
    (folder / "sub" / "a.zip").write_bytes(builders.zip_bytes(members))
    report = sync([folder], engine)
    archive = f"{folder}/sub/a.zip"
    (hit,) = engine.search("outer heron")
    assert hit.document.paths == (f"{archive}!/in/b.pdf",)
    assert hit.document.locations[0].name == "sub/a.zip!/in/b.pdf"
    (hit,) = engine.search("inner gull")
    assert hit.document.paths == (f"{archive}!/second.zip!/c.pdf",)
    assert engine.search("deep") == []
    refused = result(report, "third.zip")
    assert (refused.status, refused.error) == ("failed", "LimitExceeded")
    assert "archive_depth" in refused.reason
    assert result(report, "note.xyz").reason == "unsupported type .xyz"
    assert (result(report, "a.zip").status, at(engine, archive).kind) == ("done", "archive")
    assert not [r for r in report.results if "hidden" in r.path]
    engine.remove(archive)
    assert known(engine, folder) == {}
    assert engine.search("heron") == engine.search("gull") == []


def test_an_archive_that_has_not_changed_is_not_opened(
    engine: SearchEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = {"a.pdf": builders.pdf_bytes(folder, "a heron"), "bad.pdf": b"%PDF-1.4 broken"}
    path = folder / "a.zip"
    path.write_bytes(builders.zip_bytes(members))
    first = sync([folder], engine)
    assert result(first, "bad.pdf").status == "failed"
    status = path.stat()
    path.write_bytes(b"x" * status.st_size)  # would fail if it were opened
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    again = sync([folder], engine)
    assert (result(again, "a.zip").status, result(again, "a.zip").reason) == (
        "skipped",
        "unchanged",
    )
    assert "failed before" in result(again, "!/bad.pdf").reason
    assert len(again.results) == 2
    assert set(known(engine, folder)) == {"a.zip", "a.zip!/a.pdf", "a.zip!/bad.pdf"}


def test_an_archive_that_changed_forgets_what_is_gone(engine: SearchEngine, folder: Path) -> None:
    kept, inner = (
        builders.pdf_bytes(folder, "a kept heron"),
        builders.pdf_bytes(folder, "an inner gull"),
    )
    path = folder / "a.zip"
    members = {"kept.pdf": kept, "gone.pdf": builders.pdf_bytes(folder, "a gone heron")}
    path.write_bytes(builders.zip_bytes({**members, "b.zip": builders.zip_bytes({"c.pdf": inner})}))
    sync([folder], engine)
    path.write_bytes(
        builders.zip_bytes({"kept.pdf": kept, "new.pdf": builders.pdf_bytes(folder, "a new heron")})
    )
    report = sync([folder], engine)
    assert result(report, "kept.pdf").reason == "unchanged"
    assert known(engine, folder) == dict.fromkeys(
        ("a.zip", "a.zip!/kept.pdf", "a.zip!/new.pdf"), "done"
    )
    assert engine.search("gull") == []
    path.rename(folder / "b.zip")
    moved = sync([folder], engine)
    assert moved.of("done") == [result(moved, "b.zip")]  # the pages in it are known
    assert {Path(r.path).name for r in moved.of("removed")} == {"a.zip", "kept.pdf", "new.pdf"}
    assert set(known(engine, folder)) == {"b.zip", "b.zip!/kept.pdf", "b.zip!/new.pdf"}
    (folder / "b.zip").unlink()
    (folder / "other").mkdir()
    assert len(sync([folder], engine).of("removed")) == 3
    assert known(engine, folder) == {}


def test_the_same_bytes_inside_and_outside_are_one_document(
    engine: SearchEngine, folder: Path
) -> None:
    content = builders.pdf_bytes(folder, "a heron")
    (folder / "a.zip").write_bytes(builders.zip_bytes({"in.pdf": content, "twin.pdf": content}))
    (folder / "out.pdf").write_bytes(content)
    sync([folder], engine)
    (hit,) = engine.search("heron")
    assert set(hit.document.paths) == {
        f"{folder}/a.zip!/in.pdf",
        f"{folder}/a.zip!/twin.pdf",
        f"{folder}/out.pdf",
    }
    engine.remove(f"{folder}/a.zip")
    assert set(known(engine, folder)) == {"out.pdf"}
    assert len(engine.search("heron")) == 1


def test_a_broken_archive_keeps_what_it_held_before(engine: SearchEngine, folder: Path) -> None:
    path = folder / "a.zip"
    path.write_bytes(
        builders.zip_bytes(
            {
                "a.pdf": builders.pdf_bytes(folder, "a heron"),
                "b.pdf": builders.pdf_bytes(folder, "a gull"),
            }
        )
    )
    sync([folder], engine)
    builders.cut_short(path)
    report = sync([folder], engine)
    assert result(report, "a.zip").status == "failed"
    assert len(engine.search("heron")) == len(engine.search("gull")) == 1
    assert report.of("removed") == []
    path.write_bytes(builders.zip_bytes({"a.pdf": builders.pdf_bytes(folder, "a heron")}))
    assert result(sync([folder], engine), "a.zip").status == "done"
    assert known(engine, folder) == {"a.zip": "done", "a.zip!/a.pdf": "done"}


def test_a_sidecar_in_an_archive_is_used(engine: SearchEngine, folder: Path) -> None:
    scan = builders.write_scan_pdf(
        folder.parent / "scan.pdf", [builders.page_image(dpi=50)], dpi=50
    )
    hocr = (
        b"<html><body><div class='ocr_page' title='bbox 0 0 100 100'>"
        b"<span class='ocr_line' title='bbox 9 9 90 20'><span class='ocrx_word' "
        b"title='bbox 9 9 90 20'>cormorant</span></span></div></body></html>"
    )
    (folder / "a.zip").write_bytes(
        builders.zip_bytes({"x/p.pdf": scan.read_bytes(), "x/p.hocr": hocr})
    )
    report = sync([folder], engine)
    (hit,) = engine.search("cormorant")
    assert hit.document.paths == (f"{folder}/a.zip!/x/p.pdf",)
    assert hit.document.sidecar
    assert result(report, "a.zip").reason == "1 files in it"


@pytest.mark.slow
def test_a_run_that_was_cut_short_is_finished_by_the_next(
    engine: SearchEngine, folder: Path
) -> None:
    path = folder / "a.zip"
    path.write_bytes(
        builders.zip_bytes(
            {
                "a.pdf": builders.pdf_bytes(folder, "a heron"),
                "b.pdf": builders.pdf_bytes(folder, "a gull"),
            }
        )
    )
    sync([folder], engine)
    # What a run leaves that was killed while it had the archive open.
    engine.documents.put(replace(at(engine, str(path)), state=DocumentState.PENDING))
    engine.forget(at(engine, f"{path}!/b.pdf"), {f"{path}!/b.pdf"})
    sync([folder], engine)
    assert known(engine, folder) == dict.fromkeys(("a.zip", "a.zip!/a.pdf", "a.zip!/b.pdf"), "done")


@pytest.mark.slow
def test_an_archive_that_is_not_ready_keeps_its_files(engine: SearchEngine, folder: Path) -> None:
    path = folder / "a.zip"
    path.write_bytes(builders.zip_bytes({"a.pdf": builders.pdf_bytes(folder, "a heron")}))
    sync([folder], engine)
    path.write_bytes(
        builders.zip_bytes({"a.pdf": builders.pdf_bytes(folder, "a gull")})[:-5]
    )  # not whole yet
    report = sync([folder], engine, ready=lambda _: False)
    assert [r.status for r in report.results] == ["skipped"]
    assert len(engine.search("heron")) == 1
    shutil.rmtree(folder)
