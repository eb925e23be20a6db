"""Folders are watched, for real: what happens in them is found in the index soon after."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest.report import FileResult, Progress, Report
from ingest.sources import discover_at
from ingest.watching import watch
from ingest.watching.changes import Events
from mmsearch.engine import SearchEngine
from mmsearch.errors import IndexUnavailable
from tests import builders

ROOT = Path(__file__).parents[2]
SETTLE = 0.4  # seconds


@contextmanager
def watching(engine: SearchEngine, *folders: Path, **options: object) -> Iterator[list[Report]]:
    """Watch from the end of the first run on; yields the reports, which grow."""
    reports: list[Report] = []
    raised: list[BaseException] = []
    stop = threading.Event()

    def go() -> None:
        try:
            watch(
                folders,
                engine,
                stop=stop,
                on_report=reports.append,
                **{"settle": SETTLE, **options},  # type: ignore[arg-type]
            )
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield reports
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()
    assert raised == []


def results(reports: list[Report]) -> list[FileResult]:
    return [result for report in list(reports) for result in report.results]


def known(engine: SearchEngine) -> set[str]:
    return {place.name for document in engine.documents.all() for place in document.locations}


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    "poll",
    [pytest.param(0, id="events"), pytest.param(0.3, id="looks", marks=pytest.mark.slow)],
)
def test_what_happens_in_a_folder_happens_in_the_index(
    engine: SearchEngine, folder: Path, poll: float
) -> None:
    with watching(engine, folder, poll=poll) as reports:
        wait_for(lambda: bool(reports))
        path = builders.write_text_pdf(folder / "a.pdf", ["a heron"])
        (folder / "sub" / "deep").mkdir(parents=True)
        builders.write_text_pdf(folder / "sub" / "deep" / "b.pdf", ["a gull"])
        wait_for(lambda: known(engine) == {"a.pdf", "sub/deep/b.pdf"})
        wait_for(lambda: [r.status for r in results(reports)].count("done") == 2)
        builders.write_text_pdf(path, ["a penguin instead"])
        (folder / "sub").rename(folder / "moved")
        wait_for(lambda: known(engine) == {"a.pdf", "moved/deep/b.pdf"})
        wait_for(lambda: len(engine.search("penguin")) == 1 and not engine.search("heron"))
        shutil.rmtree(folder / "moved")
        wait_for(lambda: known(engine) == {"a.pdf"})
    read = [Path(r.path).name for r in results(reports) if r.status == "done"]
    assert sorted(read) == ["a.pdf", "a.pdf", "b.pdf"]  # the moved one was not read again


def test_a_file_that_is_being_written_is_left_until_it_is_whole(
    engine: SearchEngine, folder: Path, tmp_path: Path
) -> None:
    content = builders.write_text_pdf(tmp_path / "whole.pdf", ["a slow heron"]).read_bytes()
    part = len(content) // 8
    with watching(engine, folder, sweep=0.5) as reports:  # which is not to read it either
        wait_for(lambda: bool(reports))
        with (folder / "slow.pdf").open("wb") as file:
            for start in range(0, len(content), part):
                file.write(content[start : start + part])
                file.flush()
                time.sleep(SETTLE / 2)
        assert known(engine) == set()
        wait_for(lambda: known(engine) == {"slow.pdf"})
        wait_for(lambda: any(r.status == "done" for r in results(reports)))
    assert {r.status for r in results(reports)} == {"skipped", "done"}
    assert {r.reason for r in results(reports)} <= {
        "",
        "unchanged",
        "still changing; read once it has settled",
    }


@pytest.mark.slow
def test_many_files_at_once_and_their_changes_are_read_once(
    engine: SearchEngine, folder: Path, tmp_path: Path
) -> None:
    source = tmp_path / "elsewhere"
    source.mkdir()
    for number in range(30):
        builders.write_text_pdf(source / f"{number}.pdf", [f"heron {number}"])
    with watching(engine, folder) as reports:
        wait_for(lambda: bool(reports))
        source.rename(folder / "new")  # one event for all of them
        for number in range(5):
            (folder / "new" / f"{number}.pdf").touch()
        (folder / "new" / "half.pdf.crdownload").write_bytes(b"%PDF")
        (folder / "new" / ".hidden.pdf").write_bytes(b"%PDF")
        wait_for(lambda: [r.status for r in results(reports)].count("done") >= 30)
        time.sleep(SETTLE + 0.4)
    read = [r.path for r in results(reports) if r.status == "done"]
    assert len(read) == len(set(read)) == 30
    assert known(engine) == {f"new/{number}.pdf" for number in range(30)}


@pytest.mark.slow
def test_a_folder_that_goes_away_loses_nothing_and_is_watched_once_it_is_back(
    engine: SearchEngine, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    builders.write_text_pdf(folder / "a.pdf", ["heron a"])
    builders.write_text_pdf(folder / "b.pdf", ["heron b"])
    with watching(engine, folder) as reports:
        wait_for(lambda: known(engine) == {"a.pdf", "b.pdf"})
        wait_for(lambda: any(r.status == "done" for r in results(reports)))
        folder.rename(tmp_path / "away")
        wait_for(lambda: "mount it" in caplog.text)
        time.sleep(SETTLE + 0.8)
        assert known(engine) == {"a.pdf", "b.pdf"}
        (tmp_path / "away" / "b.pdf").unlink()
        (tmp_path / "away").rename(folder)
        wait_for(lambda: known(engine) == {"a.pdf"})
        builders.write_text_pdf(folder / "c.pdf", ["heron c"])
        wait_for(lambda: known(engine) == {"a.pdf", "c.pdf"})
    assert caplog.text.count("mount it") == 1


@pytest.mark.slow
def test_a_sidecar_that_comes_later_is_read(engine: SearchEngine, folder: Path) -> None:
    builders.write_scan_pdf(folder / "a.pdf", [builders.page_image(dpi=50)], dpi=50)
    with watching(engine, folder) as reports:
        wait_for(lambda: any(r.status == "done" for r in results(reports)))
        (folder / "a.hocr").write_text(
            "<html><body><div class='ocr_page' title='bbox 0 0 100 100'>"
            "<span class='ocr_line' title='bbox 9 9 90 20'><span class='ocrx_word' "
            "title='bbox 9 9 90 20'>cormorant</span></span></div></body></html>"
        )
        wait_for(lambda: bool(engine.search("cormorant")))
        (folder / "a.hocr").unlink()
        wait_for(lambda: not engine.search("cormorant"))


def test_a_folder_that_is_looked_at_is_kept_up_with_as_well(
    engine: SearchEngine, folder: Path
) -> None:
    with watching(engine, folder, poll=0.2) as reports:
        wait_for(lambda: bool(reports))
        builders.write_text_pdf(folder / "a.pdf", ["a heron"])
        wait_for(lambda: any(r.status == "done" for r in results(reports)))
        (folder / "a.pdf").rename(folder / "b.pdf")
        wait_for(lambda: known(engine) == {"b.pdf"})


LIMITED = """
import logging, sys, threading, time
from pathlib import Path
from ingest.watching.changes import Events
Path("/proc/sys/user/max_inotify_watches").write_text(sys.argv[2])
root = Path(sys.argv[1])
try:
    events = Events([root], lambda _: True)
    (root / "x").mkdir()
    (root / "y").mkdir()
    for _ in range(50):
        time.sleep(0.1)
        events.take()
    print("nothing said")
except OSError as error:
    print(error)
"""


@pytest.mark.parametrize(
    "watches",
    [pytest.param(3, id="at the start"), pytest.param(5, id="later", marks=pytest.mark.slow)],
)
def test_it_is_said_when_the_system_can_watch_no_more_folders(folder: Path, watches: int) -> None:
    for name in "abc":
        (folder / name).mkdir()
    # A name space of its own has limits of its own.
    command = ["unshare", "-Ur", sys.executable, "-c", LIMITED, str(folder), str(watches)]
    if subprocess.run(["unshare", "-Ur", "true"], check=False, capture_output=True).returncode:
        pytest.skip("no user name space can be made here")
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert "watch limit reached" in done.stdout


@pytest.mark.slow
def test_a_server_that_is_away_is_waited_for_and_nothing_is_lost(
    engine: SearchEngine, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    answers = iter([False, False])

    def ask(progress: Progress) -> None:  # the run meets its server at any moment
        if progress.pages and not next(answers, True):
            raise IndexUnavailable("http://index: does not answer; start it")

    with watching(engine, folder, progress=ask) as reports:
        builders.write_text_pdf(folder / "a.pdf", ["a heron"])
        wait_for(lambda: any(r.status == "done" for r in results(reports)))
    assert engine.documents.counts() == {"done": 1}
    assert caplog.text.count("does not answer; start it; trying again") == 1


def test_it_stops_at_once_when_idle(engine: SearchEngine, folder: Path) -> None:
    with watching(engine, folder) as reports:
        wait_for(lambda: bool(reports))
        began = time.monotonic()
    assert time.monotonic() - began < 2


def test_it_stops_after_the_pages_in_hand(engine: SearchEngine, folder: Path) -> None:
    builders.write_text_pdf(folder / "a.pdf", [f"heron {n}" for n in range(300)])
    began = threading.Event()
    with watching(engine, folder, settle=0, progress=lambda p: p.pages and began.set()) as reports:
        assert began.wait(30)
        stopped = time.monotonic()
    assert time.monotonic() - stopped < 3
    assert reports[0].stopped
    assert engine.documents.counts() == {"pending": 1}


def test_events_name_what_changed(folder: Path) -> None:
    events = Events([folder], lambda path: not path.endswith(".tmp"))
    try:
        (folder / "a.tmp").touch()
        (folder / "a.pdf").touch()
        seen: set[str] = set()
        wait_for(lambda: bool(seen.update(events.take()) or seen))
        time.sleep(0.3)
        assert seen | events.take() == {str(folder / "a.pdf")}
    finally:
        events.close()


def test_what_is_found_at_a_path_is_what_a_walk_finds_there(folder: Path) -> None:
    for name in ("a/b/c.pdf", "a/.h/d.pdf", "a/b/note.txt", "index/current/format.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"%PDF")
    (folder / "index" / "store.pdf").touch()
    (folder / "link").symlink_to(folder / "a")
    found = {
        path: [getattr(item, "name", "passed") for item in discover_at(folder / path, [folder])]
        for path in ("a", "a/b/c.pdf", "a/.h/d.pdf", "index", "index/store.pdf", "link/b/c.pdf")
    }
    assert found == {
        "a": ["a/b/c.pdf", "passed"],
        "a/b/c.pdf": ["a/b/c.pdf"],
        "a/.h/d.pdf": [],
        "index": [],
        "index/store.pdf": [],
        "link/b/c.pdf": [],
    }
    assert list(discover_at(folder.parent / "elsewhere.pdf", [folder])) == []
