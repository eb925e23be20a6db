"""The index folder: generations, leftovers, owners that come and go."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import numpy as np
import pytest

from mmsearch.errors import (
    FormatMismatch,
    IndexLocked,
    IndexUnavailable,
    IndexUnusable,
    NotFound,
)
from mmsearch.filters import Filter, equals
from mmsearch.index import Point, Schema, Search, View
from mmsearch.index.edge import EdgeCollection, EdgeIndex
from mmsearch.index.embedded import EmbeddedIndex
from mmsearch.index.folder import read_info
from mmsearch.index.socket import SOCKET_NAME

PAGES = Schema((View("text", "multi", 8),), {"ready": "integer"})
DOCUMENTS = Schema((), {"state": "keyword"})
ROW = np.eye(8, dtype=np.float32)


def open_embedded(folder: Path, patience: float = 5.0) -> EmbeddedIndex:
    return EmbeddedIndex(
        folder, info={"format": 1}, pages=PAGES, documents=DOCUMENTS, patience=patience
    )


def points(count: int) -> list[Point]:
    return [
        Point(str(uuid.UUID(int=n + 1)), {"ready": n % 2, "text": f"word{n}"}, {"text": ROW[:2]})
        for n in range(count)
    ]


def test_compact_publishes_a_new_generation_and_removes_the_old(tmp_path: Path) -> None:
    with open_embedded(tmp_path) as index:
        index.pages.upsert(points(10))
        index.pages.delete(equals("ready", 1))
        index.compact()
        assert index.pages.count(Filter()) == 5
        assert [p.name for p in (tmp_path / "generations").iterdir()] == ["2"]
        index.pages.upsert(points(1))
    with open_embedded(tmp_path) as index:
        assert index.pages.count(Filter()) == 5
        assert index.info == {"format": 1}


def test_a_generation_that_was_never_published_is_cleared_away(tmp_path: Path) -> None:
    with open_embedded(tmp_path) as index:
        index.pages.upsert(points(3))
    (tmp_path / "generations" / "9" / "pages").mkdir(parents=True)
    with open_embedded(tmp_path) as index:
        assert index.pages.count(Filter()) == 3
    assert [p.name for p in (tmp_path / "generations").iterdir()] == ["1"]


def test_searches_go_on_while_the_index_is_compacted(tmp_path: Path) -> None:
    with open_embedded(tmp_path) as index:
        index.pages.upsert(points(400))
        failures: list[BaseException] = []
        stop = threading.Event()
        answered: list[int] = []

        def search() -> None:
            while not stop.is_set():
                try:
                    (found,) = index.pages.search([Search("text", ROW[0], 5)], Filter())
                    assert len(found) == 5
                    answered.append(len(found))
                except BaseException as error:
                    failures.append(error)
                    return

        thread = threading.Thread(target=search)
        thread.start()
        before = len(answered)
        index.compact()
        index.optimize()
        during = len(answered) - before
        stop.set()
        thread.join()
        assert failures == []
        assert during > 0


def test_the_socket_is_for_its_owner_alone(tmp_path: Path) -> None:
    with open_embedded(tmp_path):
        assert (tmp_path / SOCKET_NAME).stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / SOCKET_NAME).exists()


def test_a_second_opener_goes_through_the_first_and_takes_over(tmp_path: Path) -> None:
    first = open_embedded(tmp_path)
    second = open_embedded(tmp_path)
    assert first.owned
    assert not second.owned
    second.pages.upsert(points(4))
    assert first.pages.count(Filter()) == 4
    first.close()
    assert second.pages.count(Filter()) == 4
    assert second.owned
    second.close()


def test_an_owner_that_is_killed_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    code = f"""
import time, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.index.test_embedded import open_embedded, points
index = open_embedded(Path({str(tmp_path)!r}))
index.pages.upsert(points(50))
print("written", flush=True)
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout and process.stdout.readline() == b"written\n"
    with open_embedded(tmp_path) as index:
        assert not index.owned
        process.kill()
        process.wait()
        assert index.pages.count(Filter()) == 50
        assert index.owned


def test_a_scroll_survives_the_end_of_the_owner(tmp_path: Path) -> None:
    first = open_embedded(tmp_path)
    first.pages.upsert(points(100))
    second = open_embedded(tmp_path)
    seen = []
    for number, point in enumerate(second.pages.scroll(Filter(), batch=10)):
        if number == 25:
            first.close()
        seen.append(point.id)
    assert seen == [point.id for point in points(100)]
    second.close()


def test_many_threads_share_one_index(tmp_path: Path) -> None:
    with open_embedded(tmp_path) as owner, open_embedded(tmp_path) as guest:
        owner.pages.upsert(points(200))
        errors: list[BaseException] = []

        def work(index: EmbeddedIndex) -> None:
            try:
                for _ in range(20):
                    assert index.pages.count(equals("ready", 1)) == 100
                    assert len(list(index.pages.scroll(Filter(), batch=50))) == 200
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(i,)) for i in (owner, guest) * 3]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []


def test_a_holder_that_does_not_answer_is_named(tmp_path: Path) -> None:
    holder = EdgeIndex.open(tmp_path, info={"format": 1}, pages=PAGES, documents=DOCUMENTS)
    with pytest.raises(IndexLocked, match="does not answer; wait for it or end it"):
        open_embedded(tmp_path, patience=0.3)
    holder.close()


def test_a_long_path_still_has_a_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30) / ("longer" * 20)
    with open_embedded(folder) as first, open_embedded(folder) as second:
        assert first.owned
        assert not second.owned


def test_no_index_and_a_damaged_one_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no index here; make one"):
        read_info(tmp_path)
    open_embedded(tmp_path).close()
    (tmp_path / "current" / "format.json").write_text("{")
    with pytest.raises(FormatMismatch, match="not a usable index"):
        read_info(tmp_path)


def full_disk(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_rewrite_that_fails_leaves_the_index_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_embedded(tmp_path) as owner, open_embedded(tmp_path) as guest:
        owner.pages.upsert(points(5))
        monkeypatch.setattr(EdgeCollection, "copy_to", full_disk)
        with pytest.raises(IndexUnusable, match="No space left on device; free some disk"):
            guest.compact()
        assert [p.name for p in (tmp_path / "generations").iterdir()] == ["1"]
        assert guest.pages.count(Filter()) == 5


def test_a_guest_is_told_of_the_owners_disk_and_does_not_ask_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_embedded(tmp_path), open_embedded(tmp_path) as guest:
        monkeypatch.setattr(EdgeCollection, "upsert", full_disk)
        with pytest.raises(IndexUnavailable, match="No space left on device"):
            guest.pages.upsert(points(1))


def test_closing_waits_for_a_rewrite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = EdgeIndex.open(tmp_path, info={"format": 1}, pages=PAGES, documents=DOCUMENTS)
    index.pages.upsert(points(5))
    begun = threading.Event()
    move = EdgeIndex._move_to

    def slowly(self: EdgeIndex, new: Path) -> None:
        begun.set()
        time.sleep(0.5)
        move(self, new)

    monkeypatch.setattr(EdgeIndex, "_move_to", slowly)
    thread = threading.Thread(target=index.compact)
    thread.start()
    begun.wait()
    index.close()  # the lock is free only when nothing is published any more
    assert [p.name for p in (tmp_path / "generations").iterdir()] == ["2"]
    thread.join()
    with pytest.raises(IndexUnusable, match="is closed"):
        index.compact()
    with open_embedded(tmp_path) as again:
        assert again.pages.count(Filter()) == 5


def test_a_copy_without_links_is_mended(tmp_path: Path) -> None:
    with open_embedded(tmp_path) as index:
        index.pages.upsert(points(3))
    (tmp_path / "current").unlink()  # as after `rsync --no-links`, or on a disk that has none
    with open_embedded(tmp_path) as index:
        assert index.pages.count(Filter()) == 3


def test_a_file_is_no_index_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FormatMismatch, match="a file, not a folder"):
        open_embedded(tmp_path / "file")
