"""No file hurts its neighbours, whatever it does to the process that reads it."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from ingest.cage import MAX_PAGES, Cage, Event, Finished, Job, Opened, PageFailed, PageRead
from mmsearch.config import Settings
from tests.hostile_ocr_worker import UPRIGHT
from tests.hostile_worker import PICTURE

SETTINGS = Settings(workers=2, page_timeout=1.0, open_timeout=4.0)


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[object]:
    def make(name: str, pages: int = 3, **says: object) -> Path:
        path = tmp_path / f"{name}.hostile"
        path.write_text(json.dumps({"pages": pages, **says}))
        return path

    yield make


def cage(settings: Settings = SETTINGS, **options: Any) -> Cage:
    workers = {"worker": "tests.hostile_worker", "ocr_worker": "tests.hostile_ocr_worker"}
    return Cage(settings, **workers | options)


def of(*jobs: Job) -> Any:
    """The jobs, one a call."""
    todo = list(jobs)
    return lambda: todo.pop(0) if todo else None


def read(
    *paths: Path, settings: Settings = SETTINGS, skip: set[int] | None = None, **options: Any
) -> list[Event]:
    jobs = [Job(path.stem, path, frozenset(skip or ())) for path in paths]
    with cage(settings, **options) as running:
        return list(running.read(of(*jobs)))


def pages(events: list[Event], key: str) -> list[int]:
    return sorted(e.page.number for e in events if isinstance(e, PageRead) and e.job.key == key)


def failures(events: list[Event], key: str) -> dict[int, str]:
    return {e.number: e.reason for e in events if isinstance(e, PageFailed) and e.job.key == key}


def told(events: list[Event], key: str) -> dict[int, Any]:
    """What the reading process told on each page, and `ocr`, what the recognising one did."""
    found = {}
    for event in events:
        if isinstance(event, PageRead) and event.job.key == key:
            found[event.page.number] = json.loads(event.page.caption)
            if event.page.text.source == "ocr":
                found[event.page.number]["ocr"] = json.loads(event.page.text.text)
    return found


def reason(events: list[Event], key: str) -> str:
    (finished,) = [e for e in events if isinstance(e, Finished) and e.job.key == key]
    return finished.reason


def test_pages_of_one_file_are_read_once_each(hostile) -> None:
    events = read(hostile("long", pages=50))
    assert pages(events, "long") == list(range(1, 51))
    assert [e.page_count for e in events if isinstance(e, Opened)] == [50]
    assert reason(events, "long") == ""


def test_known_pages_are_not_read_again(hostile) -> None:
    events = read(hostile("resumed", pages=20), skip={1, 2, 3, 19})
    assert pages(events, "resumed") == [*range(4, 19), 20]


def test_a_bad_page_costs_that_page_alone(hostile) -> None:
    said = {
        2: ("crash", "SIGABRT", "UnreadableFile"),
        4: ("exit", "exit 3", "UnreadableFile"),
        6: ("hang", "longer than 1 s; raise the setting page_timeout", "LimitExceeded"),
        8: ("memory", "MiB of memory; raise the setting worker_memory", "LimitExceeded"),
        10: ("surprise", "ZeroDivisionError: nobody foresaw this", "UnreadableFile"),
        12: ("unreadable", "the page is torn; scan it again", "UnreadableFile"),
    }
    says = {str(number): how for number, (how, _, _) in said.items()}
    events = read(hostile("bad", pages=20, **says), hostile("good", pages=4))
    assert pages(events, "bad") == [n for n in range(1, 21) if n not in said]
    assert reason(events, "bad") == ""
    failed = {e.number: e for e in events if isinstance(e, PageFailed)}
    assert list(failed) == list(said)
    for number, (_, words, error) in said.items():
        assert words in failed[number].reason
        assert failed[number].error == error
    assert pages(events, "good") == [1, 2, 3, 4]


def test_a_file_that_does_not_open_fails_alone(hostile) -> None:
    errors = {
        "crash": "UnreadableFile",
        "hang": "LimitExceeded",
        "memory": "LimitExceeded",
        "surprise": "UnreadableFile",
        "locked": "NeedsPassword",
        "extra": "MissingExtra",
    }
    bad = [hostile(how, open=how) for how in errors]
    events = read(*bad, hostile("good"), settings=replace(SETTINGS, open_timeout=1.5))
    finished = {e.job.key: e for e in events if isinstance(e, Finished) and e.job.key != "good"}
    assert {how: event.error for how, event in finished.items()} == errors
    assert all(event.reason and "\n" not in event.reason for event in finished.values())
    assert pages(events, "good") == [1, 2, 3]


def test_three_pages_in_a_row_fail_the_file(hostile) -> None:
    says = {str(number): "crash" for number in range(3, 9)}
    events = read(
        hostile("bad", pages=30, **says), hostile("good"), settings=replace(SETTINGS, workers=1)
    )
    assert "given up after 3 such pages in a row" in reason(events, "bad")
    assert len(failures(events, "bad")) == 3
    assert pages(events, "good") == [1, 2, 3]


def test_progress_resets_the_clock(hostile) -> None:
    """Files of 1.8 s, 1.5 s to open and 1.5 s a page, where each may take 1 s."""
    slow = [
        hostile("pages", pages=3, every="slow"),
        hostile("open", pages=1, open="alive"),
        hostile("page", pages=1, every="alive"),
    ]
    events = read(*slow, settings=replace(SETTINGS, open_timeout=1.0, workers=3))
    assert pages(events, "pages") == [1, 2, 3]
    assert pages(events, "open") == pages(events, "page") == [1]


def test_jobs_may_come_late(hostile) -> None:
    jobs: queue.Queue[Job | None] = queue.Queue()
    first, second = hostile("first"), hostile("second")
    jobs.put(Job("first", first))
    begun = time.monotonic()

    def next_job() -> Job | None:
        if time.monotonic() - begun > 0.5 and jobs.empty():
            jobs.put(Job("second", second))
            jobs.put(None)
        return jobs.get_nowait()

    with cage() as running:
        events = list(running.read(next_job))
    assert pages(events, "first") == pages(events, "second") == [1, 2, 3]


def test_nothing_is_left_behind(hostile, tmp_path: Path) -> None:
    """No process, dead ones and those that a reader has started among them, and no file."""
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    scratch = tmp_path / "scratch"
    bad = hostile("bad", **{"1": "litter", "2": "child", "3": "unread"})
    read(bad, settings=replace(SETTINGS, page_timeout=0.5), scratch=scratch)
    after = {process.pid for process in psutil.Process().children(recursive=True)}
    assert after <= before
    assert not is_alive(int(bad.with_suffix(".child").read_text()))
    assert list(scratch.iterdir()) == []


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE  # its new parent's to wait for
    except psutil.NoSuchProcess:
        return False


def test_a_file_that_claims_too_many_pages_fails_alone(hostile) -> None:
    events = read(hostile("endless", pages=10**12), hostile("good"))
    assert f"over the limit of {MAX_PAGES}" in reason(events, "endless")
    assert pages(events, "good") == [1, 2, 3]


def test_waiting_for_jobs_takes_no_processor_time(hostile) -> None:
    first, last = hostile("first"), hostile("last")
    todo = [Job("first", first), Job("last", last)]
    begun = time.monotonic()

    def next_job() -> Job | None:
        waited = time.monotonic() - begun > 2  # longer than a page may take
        if len(todo) == 1 and not waited:
            raise queue.Empty
        return todo.pop(0) if todo else None

    spent = time.process_time()
    with cage() as running:
        events = list(running.read(next_job))
    assert pages(events, "last") == [1, 2, 3]
    assert time.process_time() - spent < 0.7


def test_nothing_of_the_current_folder_is_run(
    hostile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("import os; os._exit(9)")
    monkeypatch.chdir(tmp_path)
    assert pages(read(hostile("good")), "good") == [1, 2, 3]


def test_files_are_read_where_the_parent_is_process_1(tmp_path: Path) -> None:
    """As in a container whose only command is mmsearch."""
    alone = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
    if not shutil.which("unshare") or subprocess.run([*alone, "true"], check=False).returncode:
        pytest.skip("no process namespaces here")
    code = """if True:
        from pathlib import Path
        from tests.ingest.test_cage import read, pages, SETTINGS
        path = Path("good.hostile")
        path.write_text('{"pages": 3}')
        assert pages(read(path), "good") == [1, 2, 3]
    """
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [*alone, sys.executable, "-c", code], cwd=tmp_path, env=environment, check=False
    )
    assert done.returncode == 0


def test_text_is_recognised_in_processes_that_stay(hostile) -> None:
    files = [hostile("first", pages=20, every="unread"), hostile("second", every="unread")]
    events = read(*files)
    assert pages(events, "first") == list(range(1, 21))
    assert reason(events, "first") == reason(events, "second") == ""
    found = [*told(events, "first").values(), *told(events, "second").values()]
    readers, recognisers = {f["pid"] for f in found}, {f["ocr"]["pid"] for f in found}
    assert not readers & recognisers
    assert len(recognisers) <= SETTINGS.workers
    for number, page in told(events, "first").items():
        assert page["ocr"]["seen"] == ["RGB" if number % 2 else "L", [20, 10], number]
    assert {e.page.picture for e in events if isinstance(e, PageRead)} == {UPRIGHT}


@pytest.mark.parametrize("workers", [1, 2])
def test_no_more_processes_work_than_may_and_pages_do_not_pile_up(hostile, workers: int) -> None:
    events = read(hostile("a", 12, every="unread"), settings=replace(SETTINGS, workers=workers))
    found = told(events, "a").values()
    assert len(found) == 12
    spans = [page["span"] for page in found] + [page["ocr"]["span"] for page in found]
    for moment, _ in spans:
        assert sum(begun <= moment < ended for begun, ended in spans) <= workers
        read_by_now = sum(page["span"][1] <= moment for page in found)
        begun_by_now = sum(page["ocr"]["span"][0] <= moment for page in found)
        assert read_by_now - begun_by_now <= 2 * workers


def test_a_page_that_is_not_recognised_keeps_what_is_known(hostile) -> None:
    hungry = "needs more than 3072 MiB of memory; raise the setting worker_memory"
    said = {
        "hang": "took longer than 1 s; raise the setting page_timeout",
        "crash": f"{hungry} (SIGABRT)",
        "memory": hungry,
        "alloc": hungry,
        "surprise": "ZeroDivisionError: nobody foresaw this",
    }
    kinds = dict(enumerate(said, 2))
    says = {str(number): f"unread {how}" for number, how in kinds.items()}
    events = read(hostile("bad", pages=9, every="unread", **says))
    assert reason(events, "bad") == ""
    assert pages(events, "bad") == list(range(1, 10))
    assert {n for n, page in told(events, "bad").items() if "ocr" not in page} == set(kinds)
    for event in events:
        if isinstance(event, PageRead) and (how := kinds.get(event.page.number)):
            page = event.page
            assert page.warning == f"its text was not recognised: {said[how]}"
            assert (page.text.text, page.picture) == (f"page {page.number}", PICTURE)
            assert json.loads(event.words) == [[f"page-{page.number}", 0.0, 0.0, 0.5, 0.25, 1.0]]


def test_a_page_goes_through_the_real_process_unharmed(hostile) -> None:
    events = read(
        hostile("plain", pages=1, every="unread"),
        settings=replace(SETTINGS, ocr="off", page_timeout=10.0),
        ocr_worker="ingest.ocr_worker",
    )
    (page,) = [e for e in events if isinstance(e, PageRead)]
    assert page.page.warning == ""
    assert page.page.picture == PICTURE


def test_readers_are_given_passwords_and_a_folder(hostile, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    path = hostile("a", pages=40)
    with cage(scratch=scratch, passwords=("first secret", "öther")) as running:
        events = list(running.read(of(Job("a", path))))
        assert not (scratch / "a").exists()
    for page in told(events, "a").values():
        assert page["scratch"] == str(scratch / "a")
        assert page["there"]
        assert page["passwords"] == ["first secret", "öther"]
        assert not any("secret" in text for text in page["public"])


def test_a_run_that_is_stopped_finishes_the_pages_in_hand(hostile) -> None:
    settings = replace(SETTINGS, page_timeout=2.0)
    long = hostile("long", pages=50, every="unread slow")
    events: list[Event] = []
    with cage(settings) as running:
        for event in running.read(of(Job("long", long))):
            events.append(event)
            if len(pages(events, "long")) == 2 and not running._stopping:
                working, begun = len(running.activity()), time.monotonic()
                threading.Thread(target=running.stop).start()
                time.sleep(0.1)
        assert time.monotonic() - begun < 2.0
    more = len(told(events, "long")) - 2
    assert working <= more + 1 <= 5
    assert all("ocr" in page for page in told(events, "long").values())
    assert not [e for e in events if isinstance(e, Finished)]


def test_a_run_that_is_stopped_does_not_wait_longer_than_for_a_page(hostile) -> None:
    stuck = [hostile("page", every="hang"), hostile("open", open="hang")]
    begun = time.monotonic()
    with cage() as running:
        threading.Timer(0.5, running.stop).start()
        events = list(running.read(of(*(Job(path.stem, path) for path in stuck))))
    assert time.monotonic() - begun < 3.0  # opening alone may take 4 s
    assert not [e for e in events if isinstance(e, Finished)]


def test_a_file_that_ends_while_its_process_reads_another_takes_nothing_of_that(hostile) -> None:
    short = hostile("short", pages=1, every="unread slow")
    other = hostile("other", pages=4, every="slow")
    third = hostile("third", pages=3, every="unread")
    events = read(short, other, third, settings=replace(SETTINGS, page_timeout=5.0))
    assert [e for e in events if isinstance(e, PageFailed)] == []
    assert {e.reason for e in events if isinstance(e, Finished)} == {""}
    assert pages(events, "other") == [1, 2, 3, 4]
    assert pages(events, "third") == [1, 2, 3]


def test_what_goes_on_can_be_watched(hostile) -> None:
    seen: set[str] = set()
    over = threading.Event()
    with cage() as running:

        def watch() -> None:
            while not over.wait(0.01):
                seen.update(running.activity())

        watching = threading.Thread(target=watch)
        watching.start()
        files = hostile("a", **{"2": "slow"}), hostile("b", every="unread slow", open="slow")
        list(running.read(of(*(Job(path.stem, path) for path in files))))
        over.set()
        watching.join()
        assert running.activity() == []
    assert {"reading a.hostile, page 2 of 3", "recognising b.hostile, page 3"} <= seen
    assert "opening b.hostile" in seen


def test_pages_that_are_not_there_are_one_failure(hostile) -> None:
    liar = hostile("liar", pages=90_000, missing=(4, 90_001))
    events = read(liar, hostile("good"))
    assert pages(events, "liar") == [1, 2, 3]
    (failed,) = [e for e in events if isinstance(e, PageFailed)]
    assert (failed.number, failed.last) == (4, 90_000)
    assert failed.reason == "liar.hostile: is not there"
    assert liar.with_suffix(".missed").stat().st_size < 400  # pages that were tried, of 90,000
    assert reason(events, "liar") == ""
    assert pages(events, "good") == [1, 2, 3]


def test_good_pages_behind_many_missing_ones_are_read(hostile) -> None:
    events = read(hostile("torn", pages=120, missing=(4, 61), **{"100": "unreadable"}))
    assert pages(events, "torn") == [1, 2, 3, *range(61, 100), *range(101, 121)]
    failed = [(e.number, e.last) for e in events if isinstance(e, PageFailed)]
    assert failed == [(4, 60), (100, None)]


@pytest.mark.slow  # for want of memory, not of time
def test_a_process_that_stays_large_is_not_used_again(hostile) -> None:
    files = [hostile("a"), hostile("b", pages=1, every="bloat"), hostile("c")]
    events = read(*files, settings=replace(SETTINGS, workers=1, page_timeout=10.0))
    a, b, c = ({page["pid"] for page in told(events, key).values()} for key in "abc")
    assert a == b != c


def test_a_file_that_does_not_close_is_nobody_elses_failure(hostile) -> None:
    files = [hostile("bad", close="hang"), hostile("good")]
    events = read(*files, settings=replace(SETTINGS, workers=1, open_timeout=1.0))
    assert reason(events, "bad") == reason(events, "good") == ""
    assert pages(events, "good") == [1, 2, 3]


def test_a_caller_that_takes_its_time_costs_no_page(hostile) -> None:
    with cage(replace(SETTINGS, page_timeout=0.5)) as running:
        events = []
        for event in running.read(of(Job("a", hostile("a", pages=40)))):
            events.append(event)
            if len(events) in (1, 20):
                time.sleep(0.8)
    assert pages(events, "a") == list(range(1, 41))
