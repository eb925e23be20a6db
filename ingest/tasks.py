"""What is left to do of a file that is being read, and when there is no hope left for it."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ingest.events import Job, PageFailed
from mmsearch import errors
from mmsearch.errors import LimitExceeded, UnreadableFile

SLICE = 16  # pages a request: small enough to spread one large file over all processes
STRIKES = 3  # pages in a row that kill or stall their process before the file is given up
ALIKE = 20  # pages in a row that fail alike before the last ones are looked at
MAX_PAGES = 100_000  # of a file: one that claims more lies, or is to be split

_ERRORS = {name for name, kind in vars(errors).items() if isinstance(kind, type)}
_LONGEST_LINE = 1000  # characters


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something was not read; `error` names the class of error."""

    reason: str
    error: str = UnreadableFile.__name__

    @classmethod
    def told(cls, reason: object, error: object) -> Failure:
        """What a process says about a failure, which may be anything."""
        known = error if isinstance(error, str) and error in _ERRORS else UnreadableFile.__name__
        return cls(one_line(reason), known)

    def is_like(self, other: Failure | None) -> bool:
        """Whether it is the same but for numbers, the page's own for one."""
        return other is not None and _without_numbers(self) == _without_numbers(other)


@dataclass(slots=True, eq=False)
class Task:
    """Pages to read, in order; None to open the file. `strikes` counts the last ones that died."""

    file: File
    numbers: deque[int] | None
    strikes: int = 0


@dataclass(slots=True, eq=False)
class Unread:
    """A page whose text is to be recognised, as the reading process has sent it."""

    file: File
    header: dict[str, Any]
    blobs: list[bytes]


@dataclass(slots=True, eq=False)
class File:
    """A file that is being read.

    `open_tasks` counts what is to come before it is finished, `failure` is set when it has failed
    as a whole, `last_good` is the highest page that was read.
    """

    job: Job
    page_count: int = 0
    open_tasks: int = 1
    failure: Failure | None = None
    last_good: int = 0
    _failed: dict[int, Failure] = field(default_factory=dict)
    _looked_from: int = -1

    def opened(self, page_count: int) -> list[Task]:
        """The slices of its pages.

        Raises:
            LimitExceeded: it claims too many.
        """
        if page_count > MAX_PAGES:
            raise LimitExceeded(
                f"claims {page_count} pages, over the limit of {MAX_PAGES}; split it"
            )
        self.page_count = page_count
        self.last_good = max(self.job.skip, default=0)
        return self.slices(n for n in range(1, page_count + 1) if n not in self.job.skip)

    def slices(self, numbers: Iterable[int]) -> list[Task]:
        """Tasks for these pages."""
        wanted = list(numbers)
        starts = range(0, len(wanted), SLICE)
        return [Task(self, deque(wanted[start : start + SLICE])) for start in starts]

    def page_read(self, number: int) -> None:
        """A page is fine."""
        self.last_good = max(self.last_good, number)

    def page_failed(self, number: int, failure: Failure) -> None:
        """A page has failed."""
        self._failed[number] = failure

    def has_no_more(self) -> bool:
        """Whether nothing can be hoped for behind the last good page.

        So it is where many pages fail alike, and the very last one, read by `look_ahead`, as well.
        """
        return self._fails_alike() and self.page_count in self._failed

    def is_to_look_ahead(self) -> bool:
        """Whether so many pages fail alike that a look at the last ones should decide; once."""
        if self._looked_from == self.last_good or not self._fails_alike():
            return False
        self._looked_from = self.last_good
        return True

    def look_ahead(self, waiting: list[int]) -> list[Task]:
        """The slices of the pages that wait, a sample first that goes to the end."""
        waiting = sorted(waiting)
        sample = sorted({*waiting[:: len(waiting) // (SLICE - 1) + 1], *waiting[-1:]})
        return self.slices(sample) + self.slices(sorted({*waiting} - {*sample}))

    def give_up(self, waiting: list[int]) -> None:
        """The pages that wait fail as the first one behind the last good page."""
        self._failed |= dict.fromkeys(waiting, self._failed[self.last_good + 1])

    def failures(self) -> Iterator[PageFailed]:
        """The pages that have failed, in order; a long row of pages that failed alike as one."""
        numbers = sorted(self._failed)
        breaks = [
            index
            for index, (a, b) in enumerate(pairwise(numbers), 1)
            if b != a + 1 or not self._failed[b].is_like(self._failed[a])
        ]
        for start, end in pairwise([0, *breaks, len(numbers)]):
            row = numbers[start:end]
            if len(row) > ALIKE:
                first = self._failed[row[0]]
                reason = first.reason.replace(f", page {row[0]}", "")
                yield PageFailed(self.job, row[0], reason, first.error, row[-1])
                continue
            for number in row:
                failure = self._failed[number]
                yield PageFailed(self.job, number, failure.reason, failure.error)

    def _fails_alike(self) -> bool:
        first = self._failed.get(self.last_good + 1)
        rest = range(self.last_good + 2, self.last_good + 1 + ALIKE)
        return first is not None and all(first.is_like(self._failed.get(n)) for n in rest)


def one_line(said: object) -> str:
    """What a process says as a line of ordinary length that can be written down."""
    line = " ".join(str(said).split())[:_LONGEST_LINE]
    return line.encode(errors="replace").decode()


def _without_numbers(failure: Failure) -> str:
    return re.sub(r"\d+", "", failure.reason)
