"""Files in, searchable pages out: read, store, index, make visible, then add the vectors.

A document is searchable by its words as soon as all its pages are read. Vectors of dense views
follow: when the readers are done, since on a CPU both want the same cores, or meanwhile where a GPU
or a server makes them. Every step can be cut off and repeated: what a killed run left is found by
the next one and finished.
"""

from __future__ import annotations

import hashlib
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from ingest.cage import Cage, Event, Finished, Job, Opened, PageFailed, PageRead
from ingest.sources import Passed, Source, discover
from mmsearch import documents, filters
from mmsearch.encoders import Encoder, PageContent
from mmsearch.engine import SearchEngine
from mmsearch.errors import UnreadableFile
from mmsearch.filters import Filter, HasVector
from mmsearch.index import Point
from mmsearch.types import Document, DocumentState, Location, Page, Query, Vector

UPSERT_PAGES = 32  # pages written at once
ENCODE_PAGES = 64  # pages encoded at once: lets the encoder sort by length
ENCODE_PAGES_ELSEWHERE = 256  # on a GPU or a server, which must not wait between batches
OPTIMISE_AFTER = 5_000  # pages added by a run; smaller additions are as fast unmerged

Status = Literal["done", "skipped", "failed"]
_Vectors = dict[str, Vector | UnreadableFile]


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one file. `document` is its id, `reason` says why it was not read."""

    path: str
    status: Status
    pages: int = 0
    document: str = ""
    reason: str = ""


@dataclass(slots=True)
class Progress:
    """Where a run stands; handed to the `progress` callback after every change."""

    files: int = 0
    files_found: int = 0
    bytes_found: int = 0
    bytes_done: int = 0
    pages: int = 0
    pages_failed: int = 0
    vectors: int = 0
    vectors_wanted: int = 0
    phase: str = "reading"
    started: float = field(default_factory=time.monotonic)
    walked: bool = False

    @property
    def pages_per_second(self) -> float:
        """Pages read a second since the start of the run."""
        return self.pages / max(time.monotonic() - self.started, 1e-9)

    @property
    def seconds_left(self) -> float | None:
        """A guess from the bytes read so far; None until there is something to go by."""
        if not self.bytes_done or not self.walked:
            return None
        spent = time.monotonic() - self.started
        return spent * (self.bytes_found - self.bytes_done) / self.bytes_done


@dataclass(slots=True)
class Report:
    """What became of every file of a run, in the order in which they ended."""

    results: list[FileResult] = field(default_factory=list)
    seconds_reading: float = 0.0
    seconds_encoding: float = 0.0

    def of(self, status: Status) -> list[FileResult]:
        """The files that ended so."""
        return [result for result in self.results if result.status == status]


def run(
    paths: Iterable[str | Path],
    engine: SearchEngine,
    *,
    progress: Callable[[Progress], None] | None = None,
    on_file: Callable[[FileResult], None] | None = None,
) -> Report:
    """Bring files and folders into the index of `engine`.

    Unchanged files are skipped, changed ones replace their old version, files with the same bytes
    become one document with several paths. Failed files are tried again by the next run.

    Args:
        paths: files and folders.
        progress: called after every change.
        on_file: called with each file's result as it ends.

    Returns:
        What became of every file.

    Raises:
        MissingModel: the profile's models are not there; nothing was read.
        IndexUnavailable: the index went away; run again to go on.
    """
    for encoder in engine.encoders.values():
        encoder.encode_query(Query("ready"))  # fails now rather than after hours of reading
    run_ = _Run(engine, progress or (lambda _: None), on_file or (lambda _: None))
    return run_.all(list(paths))


@dataclass(frozen=True, slots=True)
class _Hashed:
    """A file whose bytes are known: the SHA-256 of them is the document's id."""

    source: Source
    document: str


@dataclass(slots=True)
class _Reading:
    """A document whose pages are coming in, and the further files with the same bytes."""

    document: Document
    source: Source
    failed_pages: dict[int, str] = field(default_factory=dict)
    pages: int = 0
    twins: list[Source] = field(default_factory=list)


class _Run:
    """One run of the worker."""

    def __init__(
        self,
        engine: SearchEngine,
        progress: Callable[[Progress], None],
        on_file: Callable[[FileResult], None],
    ) -> None:
        self._engine = engine
        self._index = engine.index
        self._documents = engine.documents
        self._tell = progress
        self._on_file = on_file
        self._progress = Progress()
        self._report = Report()
        self._found: queue.Queue[_Hashed | Passed | Source | Exception | None] = queue.Queue(64)
        self._reading: dict[str, _Reading] = {}
        self._readable: list[_Reading] = []  # read and visible, vectors still to come
        self._unwritten: list[Point] = []
        self._dense = {n: e for n, e in engine.encoders.items() if e.kind != "sparse"}
        elsewhere = bool(self._dense) and all(e.leaves_cpu for e in self._dense.values())
        self._elsewhere = ThreadPoolExecutor(1) if elsewhere else None
        self._at_once = ENCODE_PAGES_ELSEWHERE if elsewhere else ENCODE_PAGES
        self._encoding: Iterator[Future[_Vectors]] | None = None  # of one group of documents
        self._awaited: Future[_Vectors] | None = None
        # Two runs at once on one file, one of them killed, can leave a finished document with
        # pages that nobody sees: such a document is gone through again.
        not_visible = self._index.pages.scroll(filters.equals("ready", 0), payload=["document"])
        self._hidden = {point.payload["document"] for point in not_visible}
        self._at = self._trusted_places()

    def all(self, paths: Sequence[str | Path]) -> Report:
        """Read, then encode, then bring the index into shape."""
        started = time.monotonic()
        try:
            self._read_all(paths)
            self._report.seconds_reading = time.monotonic() - started
            started = time.monotonic()
            self._progress.phase = "encoding"
            self._encode(wait=True)
            self._report.seconds_encoding = time.monotonic() - started
        finally:
            if self._elsewhere:
                self._elsewhere.shutdown(wait=False, cancel_futures=True)
        if self._progress.pages >= OPTIMISE_AFTER:
            self._progress.phase = "optimising"
            self._tell(self._progress)
            self._index.optimize()
        self._index.flush()
        return self._report

    def _read_all(self, paths: Sequence[str | Path]) -> None:
        with Cage(self._engine.settings, pixels=self._engine.profile.picture_pixels) as cage:
            threading.Thread(
                target=self._find, args=(paths,), daemon=True, name="mmsearch-find"
            ).start()
            for event in cage.read(self._next_job):
                self._handle(event)
                if self._elsewhere:
                    self._encode(wait=False)
                self._tell(self._progress)

    def _trusted_places(self) -> dict[str, tuple[Location, Document] | None]:
        """Where finished documents are; None for a path that has to be looked at again.

        A path of two documents is one whose old version was about to be forgotten.
        """
        places: dict[str, tuple[Location, Document] | None] = {}
        for document in self._documents.all():
            finished = document.state is DocumentState.DONE and document.id not in self._hidden
            for place in document.locations:
                trusted = finished and place.path not in places
                places[place.path] = (place, document) if trusted else None
        return places

    # Finding: a thread walks and hashes, the run decides.

    def _find(self, paths: Sequence[str | Path]) -> None:
        try:
            found = list(discover(paths))
            sources = [item for item in found if isinstance(item, Source)]
            self._progress.files_found = len(found)
            self._progress.bytes_found = sum(source.size for source in sources)
            self._progress.walked = True
            for item in found:
                self._found.put(self._hashed(item) if isinstance(item, Source) else item)
            self._found.put(None)
        except Exception as error:  # whatever it is, it is the run's to raise
            self._found.put(error)

    def _hashed(self, source: Source) -> _Hashed | Passed | Source:
        """The source with its hash; the source as it is when nothing changed since it was read."""
        limit = self._engine.settings.max_file_bytes
        if source.size > limit:
            reason = f"{source.size >> 20} MiB, over the limit of {limit >> 20} MiB; "
            return Passed(source.path, reason + "raise the setting max_file_bytes", failed=True)
        if at := self._at.get(str(source.path)):
            place, document = at
            if (place.mtime, document.size) == (source.mtime, source.size):
                return source
        try:
            with source.path.open("rb") as file:
                return _Hashed(source, hashlib.file_digest(file, "sha256").hexdigest())
        except OSError as error:
            reason = f"cannot be read: {error.strerror}; check its permissions"
            return Passed(source.path, reason, failed=True)

    def _next_job(self) -> Job | None:
        while True:
            found = self._found.get_nowait()
            if found is None:
                return None
            if isinstance(found, Exception):
                raise found
            if isinstance(found, Passed):
                status: Status = "failed" if found.failed else "skipped"
                self._result(FileResult(str(found.path), status, reason=found.reason), 0)
            elif isinstance(found, Source):
                if at := self._at[str(found.path)]:
                    self._skipped(found, at[1], "unchanged")
            elif job := self._consider(found.source, found.document):
                return job

    def _consider(self, source: Source, id_: str) -> Job | None:
        """What to do with a file whose bytes are known: read it, or join it to its twin."""
        if id_ in self._reading:
            self._reading[id_].twins.append(source)
            return None
        known = self._record(id_)
        if known and known.state is DocumentState.DONE and id_ not in self._hidden:
            document = self._with_place(known, source)
            if document != known:
                # The record goes last: if this is cut short, the next run does it again.
                self._index.pages.set_payload(
                    documents.shared_payload(document), documents.of_document(id_)
                )
                self._documents.put(document)
            self._forget_old_version(source, id_)
            touched = str(source.path) in known.paths  # another time of change, the same bytes
            reason = "unchanged" if touched else "same content as " + _first_other(document, source)
            self._skipped(source, document, reason)
            return None
        document = self._with_place(known or Document(id_, size=source.size), source)
        document = replace(document, state=DocumentState.PENDING, reason="")
        self._documents.put(document)
        reading = _Reading(document, source)
        self._reading[id_] = reading
        skip = frozenset(self._stored_pages(id_)) if known else frozenset()
        reading.pages = len(skip)
        return Job(id_, source.path, skip)

    def _stored_pages(self, id_: str) -> Iterator[int]:
        """The pages that a run which was cut off has read, stored and indexed."""
        where = documents.of_document(id_)
        for point in self._index.pages.scroll(where, payload=["number"]):
            number = point.payload["number"]
            if self._engine.store.has(id_, number):
                yield number

    # Reading: events of the cage become points.

    def _handle(self, event: Event) -> None:
        reading = self._reading[event.job.key]
        match event:
            case Opened(kind=kind, title=title, page_count=count):
                reading.document = replace(
                    reading.document, kind=kind, title=title, page_count=count
                )
            case PageRead(page=page, words=words):
                self._store(reading, page, words)
            case PageFailed(number=number, reason=reason):
                reading.failed_pages[number] = reason
                self._progress.pages_failed += 1
            case Finished(reason=reason):
                self._read(reading, reason)

    def _store(self, reading: _Reading, page: Page, words: bytes) -> None:
        document = reading.document
        self._engine.store.put(document.id, page.number, page.picture, words)
        content = PageContent(page.full_text, page.picture)
        vectors: dict[str, Vector] = {}
        for name, encoder in self._engine.encoders.items():
            if encoder.kind == "sparse":
                (vector,) = encoder.encode_pages([content])
                if vector is not None and not isinstance(vector, UnreadableFile):
                    vectors[name] = vector
        point = documents.point_id(document.id, page.number)
        self._unwritten.append(Point(point, documents.page_payload(document, page), vectors))
        if len(self._unwritten) >= UPSERT_PAGES:
            self._write_pages()
        reading.pages += 1
        self._progress.pages += 1

    def _write_pages(self) -> None:
        self._index.pages.upsert(self._unwritten)
        self._unwritten = []

    def _read(self, reading: _Reading, reason: str) -> None:
        """Every page of a document was read or has failed: make it visible, or fail it."""
        self._write_pages()
        if not self._still_there(reading):
            return
        if not reason and not reading.pages:
            reason = next(iter(reading.failed_pages.values()), "has no page that could be read")
        if reason:
            self._failed(reading, reason)
            return
        failed = dict(sorted(reading.failed_pages.items()))
        reading.document = replace(reading.document, failed_pages=failed)
        self._documents.put(reading.document)
        self._index.pages.set_payload(
            documents.shared_payload(reading.document) | {"ready": 1},
            documents.of_document(reading.document.id),
        )
        self._readable.append(reading)
        self._progress.vectors_wanted += reading.pages

    def _failed(self, reading: _Reading, reason: str) -> None:
        document = replace(reading.document, state=DocumentState.FAILED, reason=reason)
        self._index.pages.delete(documents.of_document(document.id))
        self._engine.store.delete(document.id)
        self._documents.put(document)
        del self._reading[document.id]
        for source in (reading.source, *reading.twins):
            self._forget_old_version(source, document.id, keep_done=True)
            result = FileResult(str(source.path), "failed", 0, document.id, reason)
            self._result(result, source.size)

    # Encoding: dense vectors of what is visible already.

    def _encode(self, *, wait: bool) -> None:
        """Go on encoding: to the end, or as far as is possible without waiting.

        Only the model runs in another thread; the index is written by this one.
        """
        while True:
            if self._encoding is None:
                group = self._next_group(whole=not wait)
                if not group:
                    return
                self._encoding = self._encode_group(group)
            elif self._awaited and not wait and not self._awaited.done():
                return
            self._awaited = next(self._encoding, None)
            if self._awaited is None:
                self._encoding = None

    def _next_group(self, *, whole: bool) -> list[_Reading]:
        """The next documents, as many as fill a batch; where `whole` is set, none until they do."""
        group: list[_Reading] = []
        pages = 0
        while pages < self._at_once and len(group) < len(self._readable):
            group.append(self._readable[len(group)])
            pages += group[-1].pages
        if whole and pages < self._at_once:
            return []
        del self._readable[: len(group)]
        return group

    def _encode_group(self, group: Sequence[_Reading]) -> Iterator[Future[_Vectors]]:
        """Encode some documents; yields what has to be waited for before it can go on."""
        for name, encoder in self._dense.items():
            missing = {
                point: (reading, number)
                for reading in group
                for point, number in self._missing(reading, name)
            }
            for start in range(0, len(missing), self._at_once):
                ids = list(missing)[start : start + self._at_once]
                contents = self._engine.contents(ids, encoder.reads)
                if self._elsewhere:
                    made = self._elsewhere.submit(_encoded, encoder, contents)
                    yield made
                    vectors = made.result()
                else:
                    vectors = _encoded(encoder, contents)
                for id_, vector in vectors.items():
                    if isinstance(vector, UnreadableFile):
                        # Its words are found all the same.
                        reading, number = missing[id_]
                        reading.failed_pages[number] = f"no {name} vector: {vector}"
                self._index.pages.set_vectors(
                    {
                        id_: {name: vector}
                        for id_, vector in vectors.items()
                        if not isinstance(vector, UnreadableFile)
                    }
                )
                self._progress.vectors += len(ids)
                self._tell(self._progress)
        for reading in group:
            self._done(reading)

    def _missing(self, reading: _Reading, view: str) -> list[tuple[str, int]]:
        """The points of a document without a vector in `view` and their numbers, in page order."""
        where = documents.of_document(reading.document.id) & Filter(must_not=(HasVector(view),))
        points = self._index.pages.scroll(where, payload=["number"])
        pages = ((point.id, int(point.payload["number"])) for point in points)
        return sorted(pages, key=lambda page: page[1])

    def _done(self, reading: _Reading) -> None:
        shown = reading.document
        if not self._still_there(reading):
            return
        failed = dict(sorted(reading.failed_pages.items()))
        document = replace(reading.document, state=DocumentState.DONE, failed_pages=failed)
        if document.locations != shown.locations:  # twins that were found since it was read
            self._index.pages.set_payload(
                documents.shared_payload(document), documents.of_document(document.id)
            )
        self._documents.put(document)
        del self._reading[document.id]
        self._forget_old_version(reading.source, document.id)
        result = FileResult(str(reading.source.path), "done", reading.pages, document.id)
        self._result(result, reading.source.size)
        for twin in reading.twins:
            self._forget_old_version(twin, document.id)
            self._skipped(twin, document, f"same content as {reading.source.path}")

    def _still_there(self, reading: _Reading) -> bool:
        """Take over where the document is known by now; clear up if somebody removed it."""
        document = reading.document
        known = self._record(document.id)
        if known:
            document = replace(document, locations=known.locations)
            for twin in reading.twins:
                document = self._with_place(document, twin)
            reading.document = document
            return True
        self._engine.forget(document, set(document.paths))  # pages written since the removal
        del self._reading[document.id]
        for source in (reading.source, *reading.twins):
            reason = "removed from the index while it was read"
            result = FileResult(str(source.path), "skipped", 0, document.id, reason)
            self._result(result, source.size)
        return False

    # Records and results.

    def _record(self, id_: str) -> Document | None:
        """What is known of a document now: other processes ingest and remove as well."""
        return self._documents.get(id_).get(id_)

    def _with_place(self, document: Document, source: Source) -> Document:
        place = Location(str(source.path), source.name, source.mtime)
        others = tuple(p for p in document.locations if p.path != place.path)
        if len(others) < len(document.locations):  # keep the order of first sight
            places = tuple(place if p.path == place.path else p for p in document.locations)
            return replace(document, locations=places)
        return replace(document, locations=(*others, place))

    def _forget_old_version(self, source: Source, id_: str, *, keep_done: bool = False) -> None:
        """The file has other bytes than when it was last read: its old document loses the path."""
        path = str(source.path)
        for document in self._documents.at(path):
            kept = keep_done and document.state is DocumentState.DONE
            if document.id != id_ and not kept:
                self._engine.forget(document, {path})

    def _skipped(self, source: Source, document: Document, reason: str) -> None:
        pages = document.page_count - len(document.failed_pages)
        result = FileResult(str(source.path), "skipped", pages, document.id, reason)
        self._result(result, source.size)

    def _result(self, result: FileResult, size: int) -> None:
        self._report.results.append(result)
        self._progress.files += 1
        self._progress.bytes_done += size
        self._on_file(result)
        self._tell(self._progress)


def _encoded(encoder: Encoder, contents: Mapping[str, PageContent]) -> _Vectors:
    """The vector of each page that has one, or why it has none, by point."""
    found = encoder.encode_pages(list(contents.values()))
    return {
        point: vector for point, vector in zip(contents, found, strict=True) if vector is not None
    }


def _first_other(document: Document, source: Source) -> str:
    return next((path for path in document.paths if path != str(source.path)), str(source.path))
