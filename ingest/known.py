"""What the index knows of files: which need not be looked at again, and which paths are no more."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from ingest.places import is_gone, is_in, is_mounted, upwards
from ingest.sources import Named, Passed, Source
from mmsearch import documents, filters
from mmsearch.engine import SearchEngine
from mmsearch.errors import MissingExtra, NeedsPassword, UnreadableFile
from mmsearch.paths import INSIDE, absolute, outermost
from mmsearch.types import Document, DocumentState, Location

_FEW = 100  # files of which the records are looked up one by one


class Known:
    """The records of an index as a run found them, and changes to where documents are.

    `places` says for each path where it is and what is there; None for one to be looked at again.
    What is in an archive is looked at again with the archive.
    """

    def __init__(
        self,
        engine: SearchEngine,
        paths: Sequence[Named],
        *,
        retry: bool,
        passwords: bool,
    ) -> None:
        """`retry` has what failed looked at again; so do `passwords` what was encrypted."""
        self._engine = engine
        self._documents = engine.documents
        self._retry = retry
        self._passwords = passwords
        # Two runs at once on one file, one of them killed, can leave a finished document with
        # pages that nobody sees: such a document is gone through again.
        not_visible = engine.index.pages.scroll(filters.equals("ready", 0), payload=["document"])
        self._hidden = {point.payload["document"] for point in not_visible}
        self.places = self._places(paths)
        self._paths = sorted(self.places)

    def _places(self, paths: Sequence[Named]) -> dict[str, tuple[Location, Document] | None]:
        """Where documents are that have been dealt with; None for a path to be looked at again.

        A path of two documents is one whose old version was about to be forgotten.
        """
        places: dict[str, tuple[Location, Document] | None] = {}
        to_open: set[str] = set()
        for document in self._documents_of(paths):
            settled = self.is_settled(document)
            for place in document.locations:
                path, archive = place.path, outermost(place.path)
                if archive == path:
                    places[path] = (place, document) if settled and path not in places else None
                    continue
                if document.error or path not in places:
                    places[path] = (place, document)
                # For a program that is missing still, nothing is unpacked at every run.
                if not settled and document.error != MissingExtra.__name__:
                    to_open.add(archive)
        return places | dict.fromkeys(to_open & places.keys())

    def _documents_of(self, paths: Sequence[Named]) -> Iterable[Document]:
        """All records; for a few files that were found already, only those of them."""
        few = len(paths) <= _FEW and all(
            isinstance(item, Source) and not item.is_archive for item in paths
        )
        if not few:
            return self._documents.all()
        found = (self._documents.at(str(item.path)) for item in paths if isinstance(item, Source))
        return {document.id: document for documents in found for document in documents}.values()

    def is_settled(self, document: Document) -> bool:
        """Whether this run has nothing to do for a document that has not changed."""
        if document.state is DocumentState.FAILED:
            if document.error == MissingExtra.__name__:
                return False  # it may have been installed since
            if document.error == NeedsPassword.__name__ and self._passwords:
                return False
            return not self._retry
        if document.kind == "archive" and document.error:  # files in it could not be unpacked
            locked = document.error == NeedsPassword.__name__ and self._passwords
            return not locked and not self._retry
        again = self._retry and (document.failed_pages or document.kind == "archive")
        done = document.state is DocumentState.DONE
        return done and not again and document.id not in self._hidden

    def is_unchanged(self, source: Source, sidecar: str) -> bool:
        """Whether a file is as it was when it was dealt with, by time and size.

        `sidecar` is the SHA-256 of the file with its text.
        """
        at = self.places.get(str(source.path))
        if not at:
            return False
        place, document = at
        same = (place.mtime, document.size) == (source.mtime, source.size)
        return same and has_text_of(document, source, sidecar)

    def inside(self, archive: str) -> Iterator[str]:
        """The paths that were known in an archive, and in archives in it."""
        prefix = archive + INSIDE
        for path in self._paths[bisect_left(self._paths, prefix) :]:
            if not path.startswith(prefix):
                return
            yield path

    def record(self, id_: str) -> Document | None:
        """What is known of a document now: other processes ingest and remove as well."""
        return self._documents.get(id_).get(id_)

    def new_record(self, id_: str, source: Source) -> Document:
        """The first record of a file's bytes; a new version keeps the tags of the one before."""
        path = str(source.path)
        before = self._documents.at(path) if path in self.places else ()
        tags = {tag for document in before for tag in document.tags}
        return Document(id_, size=source.size, tags=tuple(sorted(tags)))

    def forget_old_version(self, source: Source, id_: str, *, keep_done: bool = False) -> None:
        """The file has other bytes than when it was last read: its old document loses the path.

        `keep_done` has it stay while it is found: the new version is not.
        """
        path = str(source.path)
        for document in self._documents.at(path):
            if document.id != id_ and not (keep_done and self._is_found(document)):
                self._engine.forget(document, {path})

    def _is_found(self, document: Document) -> bool:
        pending = document.state is DocumentState.PENDING  # for want of vectors, perhaps
        return document.state is DocumentState.DONE or (pending and self.is_visible(document.id))

    def is_visible(self, id_: str) -> bool:
        """Whether pages of a document are found: they are once all of them were read."""
        return bool(self._engine.index.pages.count(documents.of_document(id_) & documents.READY))

    def forget_lost(self, paths: Sequence[Named]) -> None:
        """Clear up after documents that were being read when their file and the run went away.

        What lay in a folder that is not there, or empty, stays: it may not be mounted.
        """
        roots = set()
        for path in paths:
            if not isinstance(path, Source | Passed):  # those were there just now
                with suppress(OSError):
                    if is_mounted(absolute(path)):
                        roots.add(str(absolute(path)))
        for document in list(self._documents.all(filters.equals("state", "pending"))):
            lost = {
                path for path in document.paths if is_in(path, roots) and is_gone(outermost(path))
            }
            if lost:
                self._engine.forget(document, lost)

    def forget_missing(self, archive: str, names: frozenset[str]) -> None:
        """Drop what an earlier version of an archive held and this one does not."""
        for path in self.inside(archive):
            if names.isdisjoint(upwards(path)):
                for document in self._documents.at(path):
                    self._engine.forget(document, {path})


def has_text_of(document: Document, source: Source, sidecar: str) -> bool:
    """Whether the text of a document is that of a copy of it with this sidecar, by its SHA-256.

    Copies may have other sidecars, or none. The first one's counts, any other where that has none:
    else they would take the text from each other at every run.
    """
    if document.sidecar == sidecar:
        return True
    path = str(source.path)
    if all(place.path == path for place in document.locations):
        return False
    if document.locations[0].path == path:
        return not sidecar
    return bool(document.sidecar) or not sidecar


def with_place(document: Document, *sources: Source) -> Document:
    """The document with further places, or the time of change of those that it has."""
    places = {place.path: place for place in document.locations}  # in order of first sight
    for source in sources:
        place = Location(str(source.path), source.name, source.mtime)
        places[place.path] = place
    return replace(document, locations=tuple(places.values()))


def failure(document: Document, reason: str, error: str) -> Document:
    """The record of a document that failed as a whole, once more."""
    return replace(
        document,
        state=DocumentState.FAILED,
        reason=reason,
        error=error or UnreadableFile.__name__,
        attempts=document.attempts + 1,
    )
