"""A sample of the pages of many files, drawn while they come by, then read and timed."""

from __future__ import annotations

import heapq
import os
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from ingest.cage import Cage
from ingest.events import Job, Opened, PageFailed, PageRead
from ingest.forecast.estimates import shares
from ingest.sources import Source
from ingest.tasks import MAX_PAGES
from mmsearch.config import Settings
from mmsearch.types import Kind, Page

EVERY_PAGE = frozenset(range(1, MAX_PAGES + 1))
LEAST, MOST = 30, 120  # pages: the more the better while it takes no longer than this
_SECONDS = 20.0
_SEED = 20
_ROOM = 512 << 20  # bytes out of archives that are kept for the sample


@dataclass(frozen=True, slots=True)
class Place:
    """A page of the sample."""

    source: Source
    kind: Kind
    number: int


@dataclass(frozen=True, slots=True)
class Timed:
    """A page that was read, in `seconds`; `page` and its stored words where that went well."""

    place: Place
    seconds: float
    page: Page | None = None
    words: bytes = b""


@dataclass(slots=True)
class Sample:
    """Draws pages, each as likely as every other of its kind. The same files give the same pages.

    `size` is how many are drawn in the end; as many of each kind are kept until then.
    """

    size: int
    counts: Counter[str] = field(default_factory=Counter)
    _random: random.Random = field(default_factory=lambda: random.Random(_SEED))
    _kept: dict[str, list[tuple[float, int, Place]]] = field(default_factory=dict)
    _drawn: int = 0

    def offer(self, source: Source, kind: Kind, page_count: int) -> list[Source]:
        """Take pages of a file, perhaps; returns the files that are not needed for the sample."""
        self.counts[kind] += page_count
        kept = self._kept.setdefault(kind, [])
        before = {place.source for _, _, place in kept} | {source}
        for number in range(1, page_count + 1):
            lot = self._random.random()
            if len(kept) < self.size or lot < -kept[0][0]:
                self._drawn += 1  # lots may be equal, places have no order
                put = heapq.heappush if len(kept) < self.size else heapq.heapreplace
                put(kept, (-lot, self._drawn, Place(source, kind, number)))
        return list(before - self._sources()) + self._make_room()

    def places(self) -> list[Place]:
        """The pages that were drawn, more of the more common kinds, each kind from the start."""
        wanted = shares(self.counts, self.size)
        ordered: list[tuple[float, str, Place]] = []
        for kind, kept in self._kept.items():
            drawn = heapq.nlargest(wanted.get(kind, 0), kept)
            ordered += [(at / len(drawn), kind, item[2]) for at, item in enumerate(drawn)]
        return [place for *_, place in sorted(ordered, key=lambda item: item[:2])]

    def _sources(self) -> set[Source]:
        return {place.source for kept in self._kept.values() for _, _, place in kept}

    def _make_room(self) -> list[Source]:
        """Give up the largest files out of archives while they take too much of the disk."""
        dropped: list[Source] = []
        unpacked = sorted((s for s in self._sources() if s.unpacked), key=lambda s: s.size)
        while sum(source.size for source in unpacked) > _ROOM:
            dropped.append(unpacked.pop())
        if dropped:
            for kind, kept in self._kept.items():
                self._kept[kind] = [item for item in kept if item[2].source not in dropped]
                heapq.heapify(self._kept[kind])
        return dropped


def read(
    places: Iterable[Place],
    settings: Settings,
    *,
    pixels: int,
    passwords: tuple[str, ...],
    stop: threading.Event,
) -> list[Timed]:
    """Read pages in as many processes as a run would, so that each takes as long as in one.

    Of many, those after the first `LEAST` are left off when time is up.
    """
    waiting = deque(places)
    surplus = len(waiting) - LEAST
    until = time.monotonic() + _SECONDS

    def is_enough() -> bool:
        return stop.is_set() or (len(waiting) <= surplus and time.monotonic() > until)

    processes = min(settings.workers or os.cpu_count() or 1, max(len(waiting), 1))
    alone = replace(settings, workers=1)

    def read_some(_: int) -> list[Timed]:
        with Cage(alone, pixels=pixels, passwords=passwords) as cage:
            return _Reader(cage, waiting, is_enough).read()

    with ThreadPoolExecutor(processes) as pool:
        return [timed for some in pool.map(read_some, range(processes)) for timed in some]


class _Reader:
    """Reads one page after the other and takes the time of each."""

    def __init__(self, cage: Cage, waiting: deque[Place], is_enough: Callable[[], bool]) -> None:
        self._cage = cage
        self._waiting = waiting
        self._is_enough = is_enough
        self._place: Place | None = None
        self._again = False
        self._jobs = 0

    def read(self) -> list[Timed]:
        timed: list[Timed] = []
        loaded: set[str] = set()
        started = 0.0
        for event in self._cage.read(self._next_job):
            seconds = time.monotonic() - started
            assert self._place is not None
            match event:
                case Opened():
                    started = time.monotonic()
                case PageRead(page=page, words=words):
                    # The first of its sort waits for models and libraries to be loaded: once more.
                    self._again = page.text.source not in loaded
                    loaded.add(page.text.source)
                    if not self._again:
                        timed.append(Timed(self._place, seconds, page, words))
                case PageFailed():
                    timed.append(Timed(self._place, seconds))
        return timed

    def _next_job(self) -> Job | None:
        if not self._again:
            if self._is_enough():
                return None
            try:
                self._place = self._waiting.popleft()
            except IndexError:
                return None
        self._again = False
        assert self._place is not None
        place = self._place
        self._jobs += 1
        skip = EVERY_PAGE - {place.number}
        return Job(str(self._jobs), place.source.file, skip, place.source.sidecar)
