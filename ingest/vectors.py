"""Adds the vectors that take time to documents that are visible already.

On a CPU that is done when the readers have finished, since both want the same cores; where a GPU or
a server makes the vectors, meanwhile: only the model runs in another thread, the index is written
by the run's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from ingest.sources import Source
from mmsearch import documents, filters
from mmsearch.encoders import Encoder, PageContent
from mmsearch.engine import SearchEngine
from mmsearch.errors import UnreadableFile
from mmsearch.filters import Filter, HasVector
from mmsearch.types import Document, Vector

ENCODE_PAGES = 64  # pages encoded at once: lets the encoder sort by length
ENCODE_PAGES_ELSEWHERE = 256  # on a GPU or a server, which must not wait between batches

_Vectors = dict[str, Vector | UnreadableFile]


def is_immediate(encoder: Encoder) -> bool:
    """Whether its vectors cost so little that they are made as pages come in: those of words."""
    return encoder.kind == "sparse" and encoder.reads == "text"


@dataclass(slots=True)
class Reading:
    """A document whose pages are coming in.

    `pages` counts those that are stored, `encodable` those of them that get vectors, `twins` are
    further files with the same bytes. `before` is what was known of it, `fresh` whether pages of it
    were read by this run.
    """

    document: Document
    source: Source
    before: Document | None = None
    fresh: bool = False
    failed_pages: dict[int, str] = field(default_factory=dict)
    pages: int = 0
    encodable: int = 0
    twins: list[Source] = field(default_factory=list)


class Vectors:
    """Encodes documents in the order in which they were added."""

    def __init__(
        self,
        engine: SearchEngine,
        *,
        encoded: Callable[[int], None],
        done: Callable[[Reading], None],
    ) -> None:
        """`encoded` is told how many pages went through a view, `done` of each document."""
        self._engine = engine
        self._encoded = encoded
        self._done = done
        self._later = {n: e for n, e in engine.encoders.items() if not is_immediate(e)}
        self.elsewhere = bool(self._later) and all(e.leaves_cpu for e in self._later.values())
        self._thread = ThreadPoolExecutor(1) if self.elsewhere else None
        self._at_once = ENCODE_PAGES_ELSEWHERE if self.elsewhere else ENCODE_PAGES
        self._waiting: list[Reading] = []
        self._encoding: Iterator[Future[_Vectors] | None] | None = None  # of one group
        self._awaited: Future[_Vectors] | None = None

    def add(self, reading: Reading) -> int:
        """A document became visible; returns how many vectors are to be made of it."""
        self._waiting.append(reading)
        views = [name for name, encoder in self._later.items() if _has_view(reading, encoder)]
        if reading.before is None:
            return len(views) * reading.encodable
        pages = self._engine.index.pages  # some may have theirs of an earlier run
        return sum(pages.count(self._lacking(reading, view)) for view in views)

    def go_on(self) -> None:
        """Encode as far as is possible without waiting, full batches only; on a CPU not at all."""
        while self._thread:
            if self._encoding is None:
                group = self._next_group(whole=True)
                if not group:
                    return
                self._encoding = self._encode(group)
            elif self._awaited and not self._awaited.done():
                return
            self._step()

    def finish(self, stopped: Callable[[], bool]) -> None:
        """Encode to the end, or until `stopped` says so between two batches."""
        while not stopped():
            if self._encoding is None:
                group = self._next_group(whole=False)
                if not group:
                    return
                self._encoding = self._encode(group)
            self._step()

    def close(self) -> None:
        """Let go of the thread."""
        if self._thread:
            self._thread.shutdown(wait=False, cancel_futures=True)

    def _step(self) -> None:
        assert self._encoding is not None
        try:
            self._awaited = next(self._encoding)
        except StopIteration:
            self._encoding = self._awaited = None

    def _next_group(self, *, whole: bool) -> list[Reading]:
        """The next documents, as many as fill a batch; where `whole` is set, none until they do."""
        group: list[Reading] = []
        pages = 0
        while pages < self._at_once and len(group) < len(self._waiting):
            group.append(self._waiting[len(group)])
            pages += group[-1].encodable
        if whole and pages < self._at_once:
            return []
        del self._waiting[: len(group)]
        return group

    def _encode(self, group: Sequence[Reading]) -> Iterator[Future[_Vectors] | None]:
        """Encode some documents; yields after every batch, and what has to be waited for."""
        for name, encoder in self._later.items():
            missing = {
                point: (reading, number)
                for reading in group
                if _has_view(reading, encoder)
                for point, number in self._missing(reading, name)
            }
            for start in range(0, len(missing), self._at_once):
                ids = list(missing)[start : start + self._at_once]
                contents = self._engine.contents(ids, encoder.reads)
                if self._thread:
                    made = self._thread.submit(_vectors, encoder, contents)
                    yield made
                    vectors = made.result()
                else:
                    vectors = _vectors(encoder, contents)
                for id_, vector in vectors.items():
                    if isinstance(vector, UnreadableFile):
                        # Its words are found all the same.
                        reading, number = missing[id_]
                        reading.failed_pages[number] = f"no {name} vector: {vector}"
                self._engine.index.pages.set_vectors(
                    {
                        id_: {name: vector}
                        for id_, vector in vectors.items()
                        if not isinstance(vector, UnreadableFile)
                    }
                )
                self._encoded(len(ids))
                yield None
        for reading in group:
            self._done(reading)

    def _missing(self, reading: Reading, view: str) -> list[tuple[str, int]]:
        """The points of a document without a vector in `view` and their numbers, in page order."""
        where = self._lacking(reading, view)
        points = self._engine.index.pages.scroll(where, payload=["number"])
        pages = ((point.id, int(point.payload["number"])) for point in points)
        return sorted(pages, key=lambda page: page[1])

    def _lacking(self, reading: Reading, view: str) -> Filter:
        where = documents.of_document(reading.document.id) & Filter(must_not=(HasVector(view),))
        if self._engine.settings.blank_pages == "skip":
            where &= filters.equals("blank", 0)
        return where


def _has_view(reading: Reading, encoder: Encoder) -> bool:
    return encoder.reads != "photo" or reading.document.kind in documents.PHOTO_KINDS


def _vectors(encoder: Encoder, contents: Mapping[str, PageContent]) -> _Vectors:
    """The vector of each page that has one, or why it has none, by point."""
    found = encoder.encode_pages(list(contents.values()))
    return {
        point: vector for point, vector in zip(contents, found, strict=True) if vector is not None
    }
