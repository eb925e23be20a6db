"""What the cage is asked to read, and what it tells about it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mmsearch.types import Kind, Page


@dataclass(frozen=True, slots=True)
class Job:
    """A file to read.

    `key` is a plain name, no other job of the run has it. `skip` holds the numbers of pages that
    are known already. `sidecar` is a file with the text of the pages.
    """

    key: str
    path: Path
    skip: frozenset[int] = frozenset()
    sidecar: Path | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """The file is readable; its pages follow."""

    job: Job
    kind: Kind
    title: str
    page_count: int


@dataclass(frozen=True, slots=True)
class PageRead:
    """One page, in no fixed order; its words as `page_store.encode_words` writes them."""

    job: Job
    page: Page
    words: bytes


@dataclass(frozen=True, slots=True)
class PageFailed:
    """One page that could not be read, or all from `number` to `last`.

    `error` is the name of the class of error. The failures of a file come after its last page.
    """

    job: Job
    number: int
    reason: str
    error: str
    last: int | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """No more pages come. Where the file failed as a whole, `reason` and `error` are set."""

    job: Job
    reason: str = ""
    error: str = ""


Event = Opened | PageRead | PageFailed | Finished
