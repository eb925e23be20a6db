"""What an ingestion does with files that are new, changed, doubled, broken or gone."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from PIL import Image

import ingest
import mmsearch
from ingest import FileResult, Progress, known, vectors
from ingest.sources import Source, discover
from mmsearch.config import Settings
from mmsearch.encoders import PageContent
from mmsearch.engine import SearchEngine
from mmsearch.errors import LimitExceeded, ModelUnavailable
from mmsearch.filters import Filter, equals
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


def test_a_failed_file_is_recorded_and_not_read_again_unasked(
    engine: SearchEngine, folder: Path
) -> None:
    (folder / "a.pdf").write_bytes(b"%PDF-1.4 nothing")
    builders.write_text_pdf(folder / "b.pdf", ["neighbour"])
    for retry, attempts in ((False, 1), (False, 1), (True, 2)):
        report = ingest.run([folder], engine, retry=retry)
        (result,) = report.of("failed")
        assert result.path.endswith("a.pdf")
        (failed,) = [d for d in engine.documents.all() if d.state is DocumentState.FAILED]
        assert (failed.error, failed.attempts) == ("UnreadableFile", attempts)
        assert failed.reason in result.reason
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


@pytest.fixture
def words_only(tmp_path: Path) -> Iterator[SearchEngine]:
    """An engine that has nothing to encode, for what happens to records."""
    profile = tmp_path / "words.toml"
    profile.write_text('[views.lexical]\nencoder = "bm25"\n')
    settings = Settings(workers=1, ocr="off", profile=str(profile))
    with mmsearch.open(tmp_path / "words", settings=settings) as engine:
        yield engine


def places(engine: SearchEngine) -> list[list[str]]:
    """The names that each document is known under."""
    return sorted(sorted(Path(p).name for p in d.paths) for d in engine.documents.all())


def test_a_twin_that_is_found_after_its_document_was_read_is_kept(
    words_only: SearchEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builders.write_text_pdf(folder / "a.pdf", ["a heron"])
    (folder / "late").mkdir()
    begin = vectors.Vectors.finish
    late = folder / "late" / "b.pdf"
    shutil.copy(folder / "a.pdf", late)
    status = late.stat()
    source = Source(late, "b.pdf", status.st_size, round(status.st_mtime, 3))

    def found_late(self: vectors.Vectors, stopped: Callable[[], bool]) -> None:
        (reading,) = self._waiting
        reading.twins.append(source)
        begin(self, stopped)

    monkeypatch.setattr(vectors.Vectors, "finish", found_late)
    ingest.run([folder / "a.pdf"], words_only)
    assert places(words_only) == [["a.pdf", "b.pdf"]]
    (point,) = words_only.index.pages.scroll(Filter())
    assert str(late) in point.payload["paths"]


def test_files_are_read_while_a_model_that_leaves_the_cpu_encodes(
    engine: SearchEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        builders.write_text_pdf(folder / f"{number}.pdf", [f"heron {number}", f"otter {number}"])
    for view in ("text", "labels", "picture"):
        monkeypatch.setattr(engine.encoders[view], "leaves_cpu", True, raising=False)
    monkeypatch.setattr(vectors, "ENCODE_PAGES_ELSEWHERE", 4)
    meanwhile: set[int] = set()

    def watch(progress: Progress) -> None:
        if progress.phase == "reading":
            meanwhile.add(progress.vectors)

    report = ingest.run([folder], engine, progress=watch)
    assert set(statuses(report).values()) == {"done"}
    assert max(meanwhile) > 0
    assert engine.status()["vectors"] == {"text": 24, "lexical": 24, "labels": 0, "picture": 24}
    assert all(d.state is DocumentState.DONE for d in engine.documents.all())


def test_on_a_cpu_words_come_first(
    engine: SearchEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        builders.write_text_pdf(folder / f"{number}.pdf", [f"heron {number}", f"otter {number}"])
    monkeypatch.setattr(vectors, "ENCODE_PAGES", 4)
    meanwhile: set[int] = set()

    def watch(progress: Progress) -> None:
        if progress.phase == "reading":
            meanwhile.add(progress.vectors)

    ingest.run([folder], engine, progress=watch)
    assert meanwhile == {0}
    assert engine.status()["vectors"] == {"text": 12, "lexical": 12, "labels": 0, "picture": 12}


def test_progress_counts_a_page_once_for_each_view_it_gets(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builders.write_text_pdf(folder / "a.pdf", ["a heron", "an otter", "a gull"])
    builders.photo().save(folder / "b.jpg")  # it gets labels as well
    exif = Image.Exif()
    exif[0x010E] = "Fog over the harbour"  # so does an empty sheet with a description
    Image.new("RGB", (600, 400), "white").save(folder / "c.jpg", exif=exif)
    Image.new("RGB", (600, 500), "white").save(folder / "d.jpg")
    monkeypatch.setattr(vectors, "ENCODE_PAGES", 2)
    stop = threading.Event()
    seen: list[tuple[int, int]] = []

    def watch(progress: Progress) -> None:
        seen.append((progress.vectors, progress.vectors_wanted))
        if progress.vectors >= 5:
            stop.set()

    with mmsearch.open(tmp_path / "index", settings=Settings(workers=1, ocr="off")) as engine:
        ingest.run([folder], engine, progress=watch, stop=stop)
        first, wanted = seen[-1]
        assert wanted == 3 * 2 + 2 * 3
        assert 5 <= first < wanted
        made = sum(engine.status()["vectors"][view] for view in ("text", "picture", "labels"))
        seen.clear()
        ingest.run([folder], engine, progress=watch)
        assert seen[-1] == (wanted - made, wanted - made)


def test_a_model_that_fails_elsewhere_ends_the_run(
    engine: SearchEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builders.write_text_pdf(folder / "a.pdf", ["a heron"])
    text = engine.encoders["text"]
    monkeypatch.setattr(text, "leaves_cpu", True, raising=False)

    def fail(pages: object) -> None:
        raise ModelUnavailable("the server is gone")

    with monkeypatch.context() as gone:
        gone.setattr(text, "encode_pages", fail)
        with pytest.raises(ModelUnavailable, match="gone"):
            ingest.run([folder], engine)
    assert statuses(ingest.run([folder], engine)) == {"a.pdf": "done"}
    assert engine.status()["vectors"]["text"] == 1


def test_a_page_that_no_vector_can_be_made_of_keeps_its_words(
    engine: SearchEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builders.write_text_pdf(folder / "a.pdf", ["a heron", "an otter"])
    text = engine.encoders["text"]
    encode = text.encode_pages

    def refuse_otters(pages: Sequence[PageContent]) -> list[object]:
        refused = LimitExceeded("too much of an otter")
        made = encode(pages)
        return [refused if "otter" in p.text else v for p, v in zip(pages, made, strict=True)]

    monkeypatch.setattr(text, "encode_pages", refuse_otters)
    assert statuses(ingest.run([folder], engine)) == {"a.pdf": "done"}
    (document,) = engine.documents.all()
    assert document.failed_pages == {2: "no text vector: too much of an otter"}
    assert titles(engine, "otter") == {"a.pdf"}


def test_a_run_that_ends_before_the_old_version_is_forgotten_is_mended(
    words_only: SearchEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [folder / f"{number}.pdf" for number in range(6)]
    for version in ("old", "newer"):
        for path in paths:
            builders.write_text_pdf(path, [f"{version} {path.name}"])
        if version == "newer":
            monkeypatch.setattr(known.Known, "forget_old_version", lambda *_, **__: None)
        ingest.run([folder], words_only)
    monkeypatch.undo()
    assert len(places(words_only)) == 12
    ingest.run([folder], words_only)
    assert places(words_only) == [[path.name] for path in paths]


def test_a_path_that_moves_between_documents_takes_no_other_with_it(
    words_only: SearchEngine, folder: Path
) -> None:
    builders.write_text_pdf(folder / "a.pdf", ["one"])
    builders.write_text_pdf(folder / "z.pdf", ["another"])
    shutil.copy(folder / "a.pdf", folder / "b.pdf")
    ingest.run([folder], words_only)
    shutil.copy(folder / "a.pdf", folder / "c.pdf")
    shutil.copy(folder / "z.pdf", folder / "a.pdf")
    ingest.run([folder], words_only)
    assert places(words_only) == [["a.pdf", "z.pdf"], ["b.pdf", "c.pdf"]]


def test_a_document_that_is_removed_while_it_is_read_is_gone(
    words_only: SearchEngine, folder: Path
) -> None:
    path = builders.write_text_pdf(folder / "a.pdf", [f"page {n}" for n in range(40)])

    def remove(progress: Progress) -> None:
        if progress.pages == 36:
            words_only.remove(str(path))

    (result,) = ingest.run([path], words_only, progress=remove).results
    assert (result.status, result.reason) == ("skipped", "removed from the index while it was read")
    assert words_only.index.pages.count(Filter()) == 0
    assert words_only.documents.counts() == {}
    assert statuses(ingest.run([path], words_only)) == {"a.pdf": "done"}
    assert _visible(words_only) == 40


def test_tags_that_are_set_while_a_document_is_read_stay(
    engine: SearchEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = builders.write_text_pdf(folder / "a.pdf", ["a heron", "an otter"])
    monkeypatch.setattr(vectors, "ENCODE_PAGES", 1)

    def tag(progress: Progress) -> None:
        if progress.pages == 1 or progress.vectors == 1:
            engine.tag(str(path), add=[progress.phase])

    ingest.run([path], engine, progress=tag)
    (document,) = engine.documents.all()
    assert document.tags == ("encoding", "reading")
    for name in document.tags:
        assert engine.index.pages.count(equals("tags", name)) == 2


def test_a_finished_document_with_hidden_pages_is_gone_through_again(
    words_only: SearchEngine, folder: Path
) -> None:
    builders.write_text_pdf(folder / "a.pdf", ["a heron", "a gull"])
    ingest.run([folder], words_only)
    # What a second run leaves that wrote a page again and was killed.
    words_only.index.pages.set_payload({"ready": 0}, equals("number", 2))
    assert statuses(ingest.run([folder], words_only)) == {"a.pdf": "done"}
    assert _visible(words_only) == 2


def test_failed_versions_do_not_pile_up(words_only: SearchEngine, folder: Path) -> None:
    for version in (b"one", b"two!", b"three"):
        (folder / "a.pdf").write_bytes(b"%PDF-1.4 " + version)
        ingest.run([folder], words_only)
    assert words_only.documents.counts() == {"failed": 1}


def test_a_file_that_was_only_touched_is_unchanged(words_only: SearchEngine, folder: Path) -> None:
    path = builders.write_text_pdf(folder / "a.pdf", ["words"])
    ingest.run([folder], words_only)
    os.utime(path, (1, 1))
    (result,) = ingest.run([folder], words_only).results
    assert (result.status, result.reason) == ("skipped", "unchanged")


def test_a_path_is_the_same_however_it_is_spelled(words_only: SearchEngine, folder: Path) -> None:
    builders.write_text_pdf(folder / "a.pdf", ["words"])
    ingest.run([folder / ".." / "files"], words_only)
    ingest.run([folder], words_only)
    assert [d.paths for d in words_only.documents.all()] == [(str(folder / "a.pdf"),)]
    words_only.remove(f"{folder}/../files/a.pdf")
    assert places(words_only) == []


def test_names_that_cannot_be_kept_fail_alone(words_only: SearchEngine, folder: Path) -> None:
    builders.write_text_pdf(folder / "a.pdf", ["words"])
    shutil.copy(folder / "a.pdf", os.fsencode(folder) + b"/b\xff.pdf")
    report = ingest.run([folder, folder / ("long" * 100)], words_only)
    reasons = {result.reason for result in report.of("failed")}
    assert len(report.of("done")) == 1
    assert reasons == {
        "its name is not valid UTF-8; rename it",
        "cannot be read: File name too long; check its permissions",
    }


def test_folders_that_cannot_be_entered_are_reported(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builders.write_text_pdf(folder / "a.pdf", ["words"])
    (folder / "closed").mkdir()
    scandir = os.scandir

    def refused(path: str) -> object:  # the tests may run as root, whom no mode keeps out
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    found = {item.path.name: getattr(item, "reason", "") for item in discover([folder])}
    assert found == {
        "a.pdf": "",
        "closed": "cannot be read: Permission denied; check its permissions",
    }


def test_an_index_does_not_eat_its_own_pages(words_only: SearchEngine, folder: Path) -> None:
    builders.write_text_pdf(folder / "a.pdf", ["words"])
    ingest.run([folder], words_only)
    report = ingest.run([Path(words_only.index.address) / "store"], words_only)
    assert [r.reason for r in report.results] == ["part of an index; name a folder of documents"]


def test_a_link_to_a_folder_is_followed_where_it_is_named(
    words_only: SearchEngine, folder: Path, tmp_path: Path
) -> None:
    builders.write_text_pdf(folder / "a.pdf", ["words"])
    (tmp_path / "link").symlink_to(folder)
    assert statuses(ingest.run([tmp_path / "link"], words_only)) == {"a.pdf": "done"}
    (folder / "loop").symlink_to(folder)
    assert statuses(ingest.run([folder], words_only)) == {"a.pdf": "skipped"}
