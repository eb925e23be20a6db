"""What a run tells: where it stands, and what became of every file."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Literal, get_args

Status = Literal["done", "skipped", "failed", "removed"]
Phase = Literal["opening", "sampling", "reading", "encoding", "optimising"]


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one file.

    `document` is its id, `pages` counts those that were read, `reason` says why it was not read or
    removed, `error` is the class of error of a failed one. `failed_pages` maps the number of a page
    to what is missing of it.
    """

    path: str
    status: Status
    pages: int = 0
    document: str = ""
    reason: str = ""
    error: str = ""
    failed_pages: Mapping[int, str] = field(default_factory=dict)

    @property
    def is_unsupported(self) -> bool:
        """Whether it was passed over because nothing here reads such files."""
        return self.status == "skipped" and self.reason.startswith("unsupported type")

    def as_row(self) -> dict[str, Any]:
        """As it is printed and written: plain values, nothing empty."""
        row: dict[str, Any] = {"path": self.path, "status": self.status, "pages": self.pages}
        row |= {"document": self.document or None, "reason": self.reason or None}
        if self.error:
            row["error"] = self.error
        if self.failed_pages:
            row["failed_pages"] = {str(number): why for number, why in self.failed_pages.items()}
        return row


@dataclass(slots=True)
class Progress:
    """Where a run stands; handed to the `progress` callback after every change.

    `files` and `bytes_done` count those that were read or need not be. `files_found` and
    `bytes_found` grow until `walked`, and a little beyond as archives are opened. `vectors` and
    `vectors_wanted` count a page once for each view that takes time, as far as its vector is not
    there from an earlier run. `workers` says what each process is doing at the moment. The phases
    `opening` and `sampling` are those of a forecast.
    """

    files: int = 0
    files_found: int = 0
    files_failed: int = 0
    bytes_found: int = 0
    bytes_done: int = 0
    pages: int = 0
    pages_failed: int = 0
    vectors: int = 0
    vectors_wanted: int = 0
    phase: Phase = "reading"
    workers: tuple[str, ...] = ()
    started: float = field(default_factory=time.monotonic)
    walked: bool = False

    @property
    def pages_per_second(self) -> float:
        """Pages read a second since the start of the run."""
        return self.pages / max(time.monotonic() - self.started, 1e-9)


@dataclass(slots=True)
class Report:
    """What became of every file of a run, in the order in which they ended.

    `stopped` tells a run that was asked to stop before it had done all. `seen` holds the path of
    every file that is there; what is in the folders and archives of `unknown` could not be looked
    at, and what is in `unchanged_archives` was not.
    """

    results: list[FileResult] = field(default_factory=list)
    pages_read: int = 0
    seconds_reading: float = 0.0
    seconds_encoding: float = 0.0
    stopped: bool = False
    seen: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    unchanged_archives: set[str] = field(default_factory=set)

    def of(self, status: Status) -> list[FileResult]:
        """The files that ended so."""
        return [result for result in self.results if result.status == status]

    def unsupported(self) -> Counter[str]:
        """How many files of each ending were not read because nothing here reads them."""
        return endings(self.results)

    def missing(self) -> Counter[str]:
        """What is missing of pages, and of how many."""
        return Counter(why for result in self.results for why in result.failed_pages.values())

    def as_row(self, *, files: bool = True) -> dict[str, Any]:
        """As it is printed and written; `files` says whether with every file's result."""
        row: dict[str, Any] = {status: len(self.of(status)) for status in get_args(Status)}
        row |= {
            "pages": sum(result.pages for result in self.of("done")),
            "seconds_reading": round(self.seconds_reading, 3),
            "seconds_encoding": round(self.seconds_encoding, 3),
            "stopped": self.stopped,
            "unsupported": dict(self.unsupported()),
            "missing": dict(self.missing()),
        }
        return row | {"files": [result.as_row() for result in self.results]} if files else row


def endings(results: Iterable[FileResult]) -> Counter[str]:
    """How many of the unsupported files have which ending."""
    return Counter(
        PurePath(result.path).suffix.lower() or "(no ending)"
        for result in results
        if result.is_unsupported
    )
