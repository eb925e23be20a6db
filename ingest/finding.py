"""Finds the files of a run, in folders and in archives, and hashes them, in a thread of its own.

The run takes what is found when it has room for it; nothing is unpacked much earlier than that.
"""

from __future__ import annotations

import hashlib
import os.path
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from ingest import archives
from ingest.report import Progress
from ingest.sources import Named, Passed, Source, discover, is_wanted
from ingest.workplace import Workplace
from mmsearch.config import Settings
from mmsearch.errors import MMSearchError
from mmsearch.paths import INSIDE
from mmsearch.video import looks_like_video

_QUEUE = 64  # files found ahead of their being read
_PATIENCE = 5.0  # seconds; a disk may be slower to answer than anybody waits


@dataclass(frozen=True, slots=True)
class Hashed:
    """A file whose bytes are known: the SHA-256 of them is the document's id, if it is no archive.

    `sidecar` is the SHA-256 of the file that its text comes from, empty where there is none.
    """

    source: Source
    document: str
    sidecar: str = ""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A file that is as it was when it was last looked at, by time and size."""

    source: Source


@dataclass(frozen=True, slots=True)
class Walked:
    """All files of an archive have been found. `reason` is set where it broke off before."""

    archive: Hashed
    names: frozenset[str]
    reason: str = ""
    error: str = ""


Found = Hashed | Unchanged | Passed | Walked


@dataclass(slots=True)
class Finder:
    """Finds files, starting with `start`.

    `is_unchanged` tells of a source and the hash of its sidecar whether it need not be looked at
    again; it is called from the finding thread.
    """

    settings: Settings
    passwords: Sequence[str]
    workplace: Workplace
    progress: Progress
    is_unchanged: Callable[[Source, str], bool]
    stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _found: queue.Queue[Found | BaseException | None] = field(
        default_factory=lambda: queue.Queue(_QUEUE)
    )

    def start(self, paths: Sequence[Named]) -> None:
        """Begin to look, in a thread that ends by itself once `stop` is set."""
        self._thread = threading.Thread(
            target=self._find, args=(paths,), daemon=True, name="mmsearch-find"
        )
        self._thread.start()

    def close(self) -> None:
        """Look no further; returns once nothing more is unpacked, or after `_PATIENCE`."""
        self.stop.set()
        if self._thread:
            self._thread.join(_PATIENCE)

    def next(self) -> Found | None:
        """What was found next; None after the last.

        Raises:
            queue.Empty: nothing yet.
        """
        found = self._found.get_nowait()
        if isinstance(found, BaseException):
            raise found
        return found

    def release(self, source: Source) -> None:
        """The bytes of `source` are no longer needed."""
        if source.unpacked:
            self.workplace.drop(source.unpacked, 0 if source.is_archive else source.size)

    def _find(self, paths: Sequence[Named]) -> None:
        try:
            found = list(discover(paths))
            self.progress.files_found = len(found)
            self.progress.bytes_found = sum(s.size for s in found if isinstance(s, Source))
            self.progress.walked = True
            for item in found:
                self._look_at(item, depth=0)
            self._put(None)
        except _Stopped:
            pass
        except BaseException as error:  # whatever it is, it is the run's to raise
            with suppress(_Stopped):
                self._put(error)

    def _look_at(self, item: Source | Passed, depth: int) -> None:
        if isinstance(item, Passed):
            self._put(item)
            return
        found = self._hashed(item)
        if not isinstance(found, Hashed) or not item.is_archive:
            self._put(found)
        elif depth >= self.settings.archive_depth:
            self.release(item)
            reason = f"an archive {depth} deep in others; raise the setting archive_depth"
            self._put(Passed(item.path, reason, failed=True, error="LimitExceeded"))
        else:
            self._put(found)
            self._unpack(found, depth)

    def _hashed(self, source: Source) -> Found:
        if _is_typescript(source):
            self.release(source)
            return Passed(source.path, f"unsupported type {source.path.suffix.lower()}")
        limit = self.settings.max_file_bytes
        if source.size > limit and not source.is_archive:
            reason = f"{source.size >> 20} MiB, over the limit of {limit >> 20} MiB; "
            reason += "raise the setting max_file_bytes"
            self.release(source)
            return Passed(source.path, reason, failed=True, error="LimitExceeded")
        try:
            sidecar = _sha256(source.sidecar, self.stop) if source.sidecar else ""
            if not source.unpacked and self.is_unchanged(source, sidecar):
                return Unchanged(source)
            return Hashed(_as_it_is(source), self._id(source), sidecar)
        except OSError as error:
            self.release(source)
            reason = f"cannot be read: {error.strerror}; check its permissions"
            return Passed(source.path, reason, failed=True, error="UnreadableFile")

    def _id(self, source: Source) -> str:
        """The document's id. An archive's is its own: the same bytes may be a document elsewhere.

        So it is with a `report.docx` of which somebody made a `report.zip`, to look inside.
        """
        found = _sha256(source.file, self.stop)
        return (
            hashlib.sha256(f"archive {found}".encode()).hexdigest() if source.is_archive else found
        )

    def _unpack(self, archive: Hashed, depth: int) -> None:
        """Look at every file in an archive, one after the other as there is room for them."""
        names: set[str] = set()
        reason = error = ""
        try:
            for entry in self._entries(archive.source):
                names.add(str(entry.path))
                self.progress.files_found += 1
                if isinstance(entry, Source):
                    # An archive in an archive is not waited for: it has to be here meanwhile.
                    self.workplace.keep(0 if entry.is_archive else entry.size)
                    self.progress.bytes_found += entry.size
                self._look_at(entry, depth + 1)
        except MMSearchError as failure:
            reason, error = str(failure), type(failure).__name__
        # An archive within another is no longer needed once all of its files are out of it.
        self.release(archive.source)
        self._put(Walked(archive, frozenset(names), reason, error))

    def _entries(self, archive: Source) -> Iterator[Source | Passed]:
        spool = self.workplace.path / "unpacked"
        spool.mkdir(exist_ok=True)
        unpacked = archives.entries(
            archive.file,
            self.settings,
            passwords=self.passwords,
            spool=spool,
            wanted=is_wanted,
        )
        try:
            for entry in unpacked:
                # What an archive calls its files is only a name here, but let it be a plain one.
                inner = os.path.normpath("/" + entry.name).lstrip("/")
                path = Path(f"{archive.path}{INSIDE}{inner}")
                if isinstance(entry, archives.Entry):
                    yield Source(
                        path,
                        f"{archive.name}{INSIDE}{inner}",
                        entry.size,
                        entry.mtime,
                        entry.path,
                        entry.sidecar,
                    )
                else:
                    yield Passed(path, entry.reason, entry.failed, entry.error)
                self.workplace.wait_for_room(self.stop)
                self._check()
        finally:
            unpacked.close()

    def _put(self, found: Found | BaseException | None) -> None:
        while True:
            self._check()
            try:
                self._found.put(found, timeout=0.2)
            except queue.Full:
                continue
            return

    def _check(self) -> None:
        if self.stop.is_set():
            raise _Stopped


class _Stopped(BaseException):
    """Unwinds the finding thread."""


def _is_typescript(source: Source) -> bool:
    """Whether a file that is named like a video's transport stream is a program."""
    if not source.name.lower().endswith((".ts", ".mts")):
        return False
    try:
        with source.file.open("rb") as file:
            return not looks_like_video(file.read(1024))
    except OSError:
        return False  # to be reported as what it is


def _as_it_is(source: Source) -> Source:
    """The file as it is when its turn comes: in a long run it may have changed since the walk."""
    if source.unpacked:
        return source
    status = source.path.stat()
    return replace(source, size=status.st_size, mtime=round(status.st_mtime, 3))


def _sha256(path: Path, stop: threading.Event) -> str:
    """The hash of a file, in hexadecimal; a large one is left off when the run is stopped."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
            if stop.is_set():
                raise _Stopped
    return digest.hexdigest()
