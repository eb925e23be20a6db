"""What the index knows of files: which need not be looked at again, and which paths are no more."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ingest.sources import Named, Passed, Source
from mmsearch import filters
from mmsearch.engine import SearchEngine
from mmsearch.errors import MissingExtra, NeedsPassword, UnreadableFile
from mmsearch.paths import INSIDE, absolute, is_below, outermost
from mmsearch.types import Document, DocumentState, Location

_FEW = 100  # files of which the records are looked up one by one: 9 ms each


class Known:
    """The records of an index as a run found them, and changes to where documents are.

    `places` says for each path where it is and what is there; None for one to be looked at again.
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
        for document in self._documents_of(paths):
            for place in document.locations:
                trusted = self.is_settled(document) and place.path not in places
                places[place.path] = (place, document) if trusted else None
        return places

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
        known = (place.mtime, document.size, document.sidecar)
        return known == (source.mtime, source.size, sidecar)

    def record(self, id_: str) -> Document | None:
        """What is known of a document now: other processes ingest and remove as well."""
        return self._documents.get(id_).get(id_)

    def forget_old_version(self, source: Source, id_: str, *, keep_done: bool = False) -> None:
        """The file has other bytes than when it was last read: its old document loses the path."""
        path = str(source.path)
        for document in self._documents.at(path):
            kept = keep_done and document.state is DocumentState.DONE
            if document.id != id_ and not kept:
                self._engine.forget(document, {path})

    def forget_lost(self, paths: Sequence[Named]) -> None:
        """Clear up after documents that were being read when their file and the run went away."""
        roots = tuple(
            str(path.path if isinstance(path, Source | Passed) else absolute(path))
            for path in paths
        )
        for document in list(self._documents.all(filters.equals("state", "pending"))):
            lost = {
                path
                for path in document.paths
                if is_below(path, roots) and not Path(outermost(path)).exists()
            }
            if lost:
                self._engine.forget(document, lost)

    def forget_missing(self, prefix: str, names: frozenset[str]) -> None:
        """Drop what an earlier version of an archive held and this one does not."""
        for path in self._paths[bisect_left(self._paths, prefix) :]:
            if not path.startswith(prefix):
                break
            if prefix + path.removeprefix(prefix).partition(INSIDE)[0] not in names:
                for document in self._documents.at(path):
                    self._engine.forget(document, {path})


def with_place(document: Document, source: Source) -> Document:
    """The document with one more place, or the time of change of one that it has."""
    place = Location(str(source.path), source.name, source.mtime)
    others = tuple(p for p in document.locations if p.path != place.path)
    if len(others) < len(document.locations):  # keep the order of first sight
        places = tuple(place if p.path == place.path else p for p in document.locations)
        return replace(document, locations=places)
    return replace(document, locations=(*others, place))


def failure(document: Document, reason: str, error: str) -> Document:
    """The record of a document that failed as a whole, once more."""
    return replace(
        document,
        state=DocumentState.FAILED,
        reason=reason,
        error=error or UnreadableFile.__name__,
        attempts=document.attempts + 1,
    )
