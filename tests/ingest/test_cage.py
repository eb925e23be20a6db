"""No file hurts its neighbours, whatever it does to the process that reads it."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from ingest.cage import MAX_PAGES, Cage, Event, Finished, Job, Opened, PageFailed, PageRead
from mmsearch.config import Settings

SETTINGS = Settings(workers=2, page_timeout=1.0, open_timeout=4.0)


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[object]:
    def make(name: str, pages: int = 3, **says: str) -> Path:
        path = tmp_path / f"{name}.hostile"
        path.write_text(json.dumps({"pages": pages, **says}))
        return path

    yield make


def read(*paths: Path, settings: Settings = SETTINGS, skip: set[int] | None = None) -> list[Event]:
    jobs = [Job(path.stem, path, frozenset(skip or ())) for path in paths]

    def next_job() -> Job | None:
        return jobs.pop(0) if jobs else None

    with Cage(settings, worker="tests.hostile_worker") as cage:
        return list(cage.read(next_job))


def pages(events: list[Event], key: str) -> list[int]:
    return sorted(e.page.number for e in events if isinstance(e, PageRead) and e.job.key == key)


def failures(events: list[Event], key: str) -> dict[int, str]:
    return {e.number: e.reason for e in events if isinstance(e, PageFailed) and e.job.key == key}


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


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("crash", "SIGABRT"),
        ("exit", "exit 3"),
        ("hang", "longer than 1 s; raise the setting page_timeout"),
        ("memory", "MiB of memory; raise the setting worker_memory"),
        ("surprise", "RuntimeError: nobody foresaw this"),
        ("unreadable", "the page is torn; scan it again"),
    ],
)
def test_a_bad_page_costs_that_page_alone(hostile, how: str, said: str) -> None:
    events = read(hostile("bad", pages=5, **{"3": how}), hostile("good", pages=4))
    assert pages(events, "bad") == [1, 2, 4, 5]
    assert list(failures(events, "bad")) == [3]
    assert said in failures(events, "bad")[3]
    assert reason(events, "bad") == ""
    assert pages(events, "good") == [1, 2, 3, 4]


@pytest.mark.parametrize("how", ["crash", "hang", "memory", "surprise", "unreadable"])
def test_a_file_that_does_not_open_fails_alone(hostile, how: str) -> None:
    settings = replace(SETTINGS, open_timeout=1.5)
    events = read(hostile("bad", open=how), hostile("good"), settings=settings)
    assert reason(events, "bad")
    assert "\n" not in reason(events, "bad")
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
    slow = hostile("slow", pages=5, **{str(number): "slow" for number in range(1, 6)})
    events = read(slow, settings=replace(SETTINGS, workers=1))
    assert pages(events, "slow") == [1, 2, 3, 4, 5]  # 3 s in all, with 1 s a page allowed


def test_jobs_may_come_late(hostile) -> None:
    jobs: queue.Queue[Job | None] = queue.Queue()
    first, second = hostile("first"), hostile("second")
    jobs.put(Job("first", first))
    begun = time.monotonic()

    def next_job() -> Job | None:
        if time.monotonic() - begun > 1 and jobs.empty():
            jobs.put(Job("second", second))
            jobs.put(None)
        return jobs.get_nowait()

    with Cage(SETTINGS, worker="tests.hostile_worker") as cage:
        events = list(cage.read(next_job))
    assert pages(events, "first") == pages(events, "second") == [1, 2, 3]


def test_no_process_is_left_behind(hostile) -> None:
    read(hostile("bad", **{"2": "hang"}), settings=replace(SETTINGS, page_timeout=0.5))
    left = [
        p for p in psutil.Process().children(recursive=True) if "hostile" in " ".join(p.cmdline())
    ]
    assert left == []


def test_a_file_that_claims_too_many_pages_fails_alone(hostile) -> None:
    events = read(hostile("endless", pages=10**12), hostile("good"))
    assert f"over the limit of {MAX_PAGES}" in reason(events, "endless")
    assert pages(events, "good") == [1, 2, 3]


def test_waiting_for_jobs_takes_no_processor_time(hostile) -> None:
    first, last = hostile("first"), hostile("last")
    todo = [Job("first", first), Job("last", last)]
    begun = time.monotonic()

    def next_job() -> Job | None:
        waited = time.monotonic() - begun > 3  # longer than a page may take
        if len(todo) == 1 and not waited:
            raise queue.Empty
        return todo.pop(0) if todo else None

    spent = time.process_time()
    with Cage(SETTINGS, worker="tests.hostile_worker") as cage:
        events = list(cage.read(next_job))
    assert pages(events, "last") == [1, 2, 3]
    assert time.process_time() - spent < 1


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
