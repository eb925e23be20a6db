"""Files in, searchable pages out: read, store, index, make visible, then add the vectors.

A document is searchable by its words as soon as all its pages are read. Every step can be cut off
and repeated: what a killed run left is found by the next one and finished.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ingest import file_names
from ingest.cage import Cage, Event, Finished, Job, Opened, PageFailed, PageRead
from ingest.finding import Finder, Hashed, Unchanged, Walked
from ingest.known import Known, failure, has_text_of, with_place
from ingest.members import OpenArchives
from ingest.passwords import passwords_of
from ingest.report import FileResult, Progress, Report, Status
from ingest.sources import Named, Passed, Source
from ingest.vectors import Reading, Vectors, is_immediate
from ingest.workplace import Workplace
from mmsearch import changes, documents
from mmsearch.encoders import PageContent
from mmsearch.engine import SearchEngine
from mmsearch.errors import UnreadableFile
from mmsearch.filters import Filter
from mmsearch.index import Point
from mmsearch.types import Document, DocumentState, Page, Query, Vector

UPSERT_PAGES = 32  # pages written at once
# What was written since the index was last optimised is held in memory, 4 to 5 KB a page. Smaller
# additions are as fast unmerged; of a large index a share, for optimising rewrites all of it.
OPTIMISE_AFTER = 2_500  # pages
OPTIMISE_SHARE = 4  # one in so many pages of the index


def run(
    paths: Iterable[Named],
    engine: SearchEngine,
    *,
    retry: bool = False,
    passwords: Sequence[str] = (),
    stop: threading.Event | None = None,
    progress: Callable[[Progress], None] | None = None,
    on_file: Callable[[FileResult], None] | None = None,
) -> Report:
    """Bring files and folders into the index of `engine`.

    Unchanged files are skipped, changed ones replace their old version, files with the same bytes
    become one document with several paths. What failed before fails again without being read,
    unless it was for want of a password or, outside of archives, of a program. A document that was
    found before is found on when its file fails later.

    Args:
        paths: files and folders, or what `sources.discover` found of them.
        retry: read again what failed before: whole files, and single pages.
        passwords: tried on encrypted files, before those of the settings.
        stop: set it to have the run finish the pages in hand and return.
        progress: called after every change.
        on_file: called with each file's result as it ends.

    Returns:
        What became of every file.

    Raises:
        MissingModel: the profile's models are not there; nothing was read.
        InvalidSetting: the file of passwords cannot be read.
        IndexUnavailable: the index went away; run again to go on.
    """
    known = (*passwords, *passwords_of(engine.settings))
    for encoder in engine.encoders.values():
        encoder.encode_query(Query("ready"))  # fails now rather than after hours of reading
    parent = None if "://" in engine.index.address else Path(engine.index.address)
    with Workplace(parent) as workplace:
        given = list(paths)
        run_ = _Run(
            engine,
            workplace,
            given,
            retry=retry,
            passwords=known,
            stop=stop or threading.Event(),
            progress=progress or (lambda _: None),
            on_file=on_file or (lambda _: None),
        )
        return run_.all(given)


class _Run:
    """One run of the worker."""

    def __init__(
        self,
        engine: SearchEngine,
        workplace: Workplace,
        paths: Sequence[Named],
        *,
        retry: bool,
        passwords: Sequence[str],
        stop: threading.Event,
        progress: Callable[[Progress], None],
        on_file: Callable[[FileResult], None],
    ) -> None:
        self._engine = engine
        self._index = engine.index
        self._documents = engine.documents
        self._workplace = workplace
        self._retry = retry
        self._passwords = passwords
        self._known = Known(engine, paths, retry=retry, passwords=bool(passwords))
        self._stop = stop
        self._tell = progress
        self._on_file = on_file
        self._progress = Progress()
        self._report = Report()
        self._reading: dict[str, Reading] = {}
        self._archives = OpenArchives(engine.documents, self._known, self._report, self._result)
        self._unwritten: list[Point] = []
        self._unmerged = 0  # pages and vectors of pages
        self._merge_at = self._most_unmerged()
        self._vectors = Vectors(engine, encoded=self._encoded, done=self._done)
        self._finder = Finder(
            engine.settings, passwords, workplace, self._progress, self._known.is_unchanged
        )

    def all(self, paths: Sequence[Named]) -> Report:
        """Read, then encode, then bring the index into shape."""
        started = time.monotonic()
        try:
            self._read_all(paths)
            self._report.seconds_reading = time.monotonic() - started
            started = time.monotonic()
            self._progress.phase = "encoding"
            self._progress.workers = ()
            self._vectors.finish(self._stop.is_set)
            self._report.seconds_encoding = time.monotonic() - started
        finally:
            self._finder.close()
            self._vectors.close()
        self._report.stopped = self._stop.is_set()
        self._report.pages_read = self._progress.pages
        if not self._report.stopped:
            self._known.forget_lost(paths)
        if self._progress.pages >= OPTIMISE_AFTER and not self._report.stopped and self._unmerged:
            self._optimise()
        self._index.flush()
        return self._report

    def _optimise(self) -> None:
        """Merge what was written; everything else waits."""
        phase, self._progress.phase = self._progress.phase, "optimising"
        self._tell(self._progress)
        self._index.optimize()
        self._unmerged, self._merge_at = 0, self._most_unmerged()
        self._progress.phase = phase

    def _most_unmerged(self) -> int:
        return max(OPTIMISE_AFTER, self._index.pages.count(Filter()) // OPTIMISE_SHARE)

    def _wrote(self, pages: int) -> None:
        self._unmerged += pages
        if self._unmerged >= self._merge_at:
            self._optimise()

    def _read_all(self, paths: Sequence[Named]) -> None:
        with Cage(
            self._engine.settings,
            pixels=self._engine.profile.picture_pixels,
            passwords=self._passwords,
            scratch=self._workplace.path / "scratch",
        ) as cage:
            self._finder.start(paths)
            for event in cage.read(self._next_job):
                self._handle(event)
                self._vectors.go_on()
                self._progress.workers = tuple(cage.activity())
                self._tell(self._progress)
                if self._stop.is_set():
                    cage.stop()
        self._write_pages()

    # Finding: a thread walks, unpacks and hashes, the run decides.

    def _next_job(self) -> Job | None:
        while True:
            if self._stop.is_set():
                return None
            found = self._finder.next()
            match found:
                case None:
                    return None
                case Passed():
                    self._passed(found)
                case Unchanged(source=source):
                    self._unchanged(source)
                case Walked():
                    self._archives.walked(found)
                case Hashed():
                    self._report.seen.add(str(found.source.path))
                    self._archives.enter(str(found.source.path))
                    if found.source.is_archive:
                        self._archives.open(found)
                    elif job := self._consider(found):
                        return job

    def _passed(self, found: Passed) -> None:
        self._archives.enter(str(found.path))
        self._report.seen.add(str(found.path))
        if found.folder:
            self._report.unknown.add(str(found.path))
        status: Status = "failed" if found.failed else "skipped"
        error = found.error or ("UnreadableFile" if found.failed else "")
        self._result(FileResult(str(found.path), status, reason=found.reason, error=error), 0)

    def _unchanged(self, source: Source) -> None:
        """Nothing to do for a file, nor for any in it."""
        path = str(source.path)
        self._report.seen.add(path)
        at = self._known.places[path]
        assert at is not None
        self._settled(source, at[1], "unchanged")
        if source.is_archive:
            self._report.unchanged_archives.add(path)
            for place, document in filter(
                None, map(self._known.places.get, self._known.inside(path))
            ):
                if document.error:
                    self._progress.files_found += 1
                    self._failed_before(place.path, document, 0)

    def _settled(self, source: Source, document: Document, reason: str) -> None:
        if document.error:
            self._failed_before(str(source.path), document, source.size)
        else:
            self._skipped(source, document, reason)

    def _failed_before(self, path: str, document: Document, size: int) -> None:
        reason = f"failed before: {document.reason}"
        if "mmsearch retry" not in reason:
            reason += "; then run: mmsearch retry"
        result = FileResult(path, "failed", 0, document.id, reason, document.error)
        self._result(result, size)

    def _consider(self, found: Hashed) -> Job | None:
        """What to do with a file whose bytes are known: read it, or join it to its twin."""
        source, id_ = found.source, found.document
        if id_ in self._reading:
            self._reading[id_].twins.append(source)
            self._finder.release(source)
            return None
        known = self._known.record(id_)
        if known and self._known.is_settled(known) and has_text_of(known, source, found.sidecar):
            self._finder.release(source)
            self._join(known, source)
            return None
        document = with_place(known or self._known.new_record(id_, source), source)
        document = replace(
            document, state=DocumentState.PENDING, reason="", error="", sidecar=found.sidecar
        )
        reading = Reading(document, source, known)
        skip = self._stored_pages(reading) if known else frozenset()
        reading.document = replace(document, failed_pages={})
        self._documents.put(reading.document)
        self._reading[id_] = reading
        return Job(id_, source.file, skip, source.sidecar)

    def _join(self, known: Document, source: Source) -> None:
        """A further place of a document that has been dealt with."""
        document = with_place(known, source)
        if document != known:
            changes.rewrite(self._engine, document)
        failed = known.state is DocumentState.FAILED
        self._known.forget_old_version(source, known.id, keep_done=failed)
        touched = str(source.path) in known.paths  # another time of change, the same bytes
        same = "same content as " + _first_other(document, source)
        self._settled(source, document, "unchanged" if touched else same)

    def _stored_pages(self, reading: Reading) -> frozenset[int]:
        """The pages that an earlier run has read, stored and indexed, and what it missed of them.

        Pages of which something is missing are among them only if this run would not read them
        again, and none that were read with another sidecar.
        """
        id_, sidecar = reading.document.id, reading.document.sidecar
        self._engine.store.clear_unfinished(id_)
        stored: set[int] = set()
        where = documents.of_document(id_)
        shown = ["number", "warning", "blank", "sidecar"]
        for point in self._index.pages.scroll(where, payload=shown):
            number = point.payload["number"]
            warning = point.payload.get("warning", "")
            if (warning and self._retry) or point.payload.get("sidecar", "") != sidecar:
                continue
            if self._engine.store.has(id_, number):
                stored.add(number)
                self._count(reading, blank=bool(point.payload["blank"]))
                if warning:
                    reading.failed_pages[number] = warning
        return frozenset(stored)

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
            case PageFailed(number=number, reason=reason, last=last):
                shown = f"pages {number} to {last}: {reason}" if last else reason
                reading.failed_pages[number] = shown
                self._progress.pages_failed += (last or number) - number + 1
            case Finished(reason=reason, error=error):
                self._finder.release(reading.source)
                self._read(reading, reason, error)

    def _store(self, reading: Reading, page: Page, words: bytes) -> None:
        document = reading.document
        reading.fresh = True
        self._engine.store.put(document.id, page.number, page.picture, words)
        content = PageContent(self._words(document, page), page.picture)
        vectors: dict[str, Vector] = {}
        for name, encoder in self._engine.encoders.items():
            if is_immediate(encoder):
                (vector,) = encoder.encode_pages([content])
                if vector is not None and not isinstance(vector, UnreadableFile):
                    vectors[name] = vector
        point = documents.point_id(document.id, page.number)
        self._unwritten.append(Point(point, documents.page_payload(document, page), vectors))
        if len(self._unwritten) >= UPSERT_PAGES:
            self._write_pages()
        if page.warning:
            reading.failed_pages[page.number] = page.warning
            self._progress.pages_failed += 1
        self._count(reading, blank=documents.is_blank(page))
        self._progress.pages += 1

    def _words(self, document: Document, page: Page) -> str:
        """What a page is found by to the letter: of a photo or a video that is also its name."""
        if page.number > 1 or document.kind not in documents.PHOTO_KINDS or not document.paths:
            return page.full_text
        return f"{page.full_text}\n{file_names.words(document.paths[0])}".strip()

    def _count(self, reading: Reading, *, blank: bool) -> None:
        reading.pages += 1
        reading.encodable += not (blank and self._engine.settings.blank_pages == "skip")

    def _write_pages(self) -> None:
        written, self._unwritten = self._unwritten, []
        self._index.pages.upsert(written)
        self._wrote(len(written))

    def _read(self, reading: Reading, reason: str, error: str) -> None:
        """Every page of a document was read or has failed: make it visible, or fail it."""
        self._write_pages()
        if not self._still_there(reading):
            return
        is_other = _has_changed(reading.source, gone=bool(reason))
        if not reason and is_other:
            reason, error = "changed while it was read; ingest it again", UnreadableFile.__name__
        if not reason and not reading.pages and reading.document.page_count:
            reason = next(iter(reading.failed_pages.values()), "has no page that could be read")
            error = UnreadableFile.__name__
        if reason:
            self._failed(reading, reason, error, is_other=is_other)
            return
        failed = dict(sorted(reading.failed_pages.items()))
        reading.document = replace(reading.document, failed_pages=failed)
        self._documents.put(reading.document)
        self._index.pages.set_payload(
            documents.shared_payload(reading.document) | {"ready": 1},
            documents.of_document(reading.document.id),
        )
        self._progress.vectors_wanted += self._vectors.add(reading)
        self._progress.files += 1
        self._progress.bytes_done += reading.source.size

    def _failed(self, reading: Reading, reason: str, error: str, *, is_other: bool) -> None:
        """A document cannot be read; where the file `is_other` than it was, the next run tries."""
        document = reading.document
        mixed = is_other and reading.fresh  # pages of two versions
        if not mixed and self._known.is_visible(document.id):
            # It was read once: what is there of it is found as before, whatever ails the file now.
            before = reading.before or document
            document = replace(before, locations=document.locations, tags=document.tags)
            self._index.pages.set_payload(
                documents.shared_payload(document) | {"ready": 1},
                documents.of_document(document.id),
            )
        else:
            self._index.pages.delete(documents.of_document(document.id))
            self._engine.store.delete(document.id)
            document = document if is_other else failure(document, reason, error)
        self._documents.put(document)
        del self._reading[document.id]
        for source in (reading.source, *reading.twins):
            self._known.forget_old_version(source, document.id, keep_done=True)
            result = FileResult(str(source.path), "failed", 0, document.id, reason, error)
            self._result(result, source.size)

    def _encoded(self, pages: int) -> None:
        self._progress.vectors += pages
        self._tell(self._progress)
        self._wrote(pages)

    def _done(self, reading: Reading) -> None:
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
        self._known.forget_old_version(reading.source, document.id)
        result = FileResult(
            str(reading.source.path),
            "done",
            reading.pages,
            document.id,
            "" if document.page_count else "has no pages",
            failed_pages=failed,
        )
        self._result(result, None)  # it was counted when it was read
        for twin in reading.twins:
            self._known.forget_old_version(twin, document.id)
            self._skipped(twin, document, f"same content as {reading.source.path}")

    def _still_there(self, reading: Reading) -> bool:
        """Take over its places and tags as they are by now; clear up if somebody removed it."""
        document = reading.document
        known = self._known.record(document.id)
        if known:
            document = replace(document, locations=known.locations, tags=known.tags)
            reading.document = with_place(document, *reading.twins)
            return True
        self._engine.forget(document, set(document.paths))  # pages written since the removal
        del self._reading[document.id]
        for source in (reading.source, *reading.twins):
            reason = "removed from the index while it was read"
            result = FileResult(str(source.path), "skipped", 0, document.id, reason)
            self._result(result, source.size)
        return False

    # Records and results.

    def _skipped(self, source: Source, document: Document, reason: str) -> None:
        pages = document.page_count
        if document.failed_pages:  # some of them are there all the same
            pages = self._index.pages.count(documents.of_document(document.id))
        result = FileResult(str(source.path), "skipped", pages, document.id, reason)
        self._result(result, source.size)

    def _result(self, result: FileResult, size: int | None) -> None:
        self._report.results.append(result)
        self._progress.files += size is not None
        self._progress.files_failed += result.status == "failed"
        self._progress.bytes_done += size or 0
        self._on_file(result)
        self._tell(self._progress)
        self._archives.leave(result)


def _has_changed(source: Source, *, gone: bool) -> bool:
    """Whether a file is no longer what was hashed: its pages may be of two versions.

    `gone` is the answer where there is none any more: it may have been read to its end before.
    """
    if source.unpacked:
        return False
    try:
        status = source.path.stat()
    except OSError:
        return gone
    return (round(status.st_mtime, 3), status.st_size) != (source.mtime, source.size)


def _first_other(document: Document, source: Source) -> str:
    return next((path for path in document.paths if path != str(source.path)), str(source.path))
