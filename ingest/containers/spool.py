"""Where the files of an archive are written: each into a folder of its own, under limits."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO

from ingest import sidecars
from ingest.containers import Member, Progress
from ingest.containers.names import on_disk
from mmsearch.errors import UnreadableFile
from mmsearch.paths import is_archive

_ALL_SIDECARS_BYTES = 1 << 30  # of those that wait for their files
_TEXTS = "texts"

HandOn = Callable[[Member, Path, str, str], None]  # the file and its sidecar, by name in a folder


class Spool:
    """A `Sink` that writes files below `room` and hands them on.

    `texts` maps the number of a file to that of its sidecar. Sidecars come before their files, and
    wait in a folder of their own; where `moved`, each comes right before its file.
    """

    def __init__(
        self,
        room: Path,
        files: Mapping[int, Member],
        texts: Mapping[int, int],
        max_file_bytes: int,
        written: Progress,
        *,
        hand_on: HandOn,
        pass_over: Callable[[Member, str], None],
        moved: bool,
    ) -> None:
        self._room = room
        self._files = files
        self.texts = texts
        self._sidecars = frozenset(texts.values())
        self._max_file_bytes = max_file_bytes
        self._written = written
        self._hand_on = hand_on
        self._pass_over = pass_over
        self._moved = moved
        self._count = 0
        self._waiting = 0  # bytes of sidecars
        self._number = -1
        self._path = room
        self._file: IO[bytes] | None = None
        self._size = 0
        self._limit = 0

    def start(self, number: int) -> None:
        """See `Sink.start`."""
        self._drop()
        self._number, self._size = number, 0
        member = self._files[number]
        if number in self._sidecars:
            self._path = self._room / _TEXTS / str(number)
            self._limit = min(sidecars.MAX_BYTES, _ALL_SIDECARS_BYTES - self._waiting)
        else:
            self._count += 1
            self._path = self._room / str(self._count) / on_disk(member.name)
            # An archive within is not read but unpacked again, under limits of its own.
            self._limit = self._max_file_bytes
            if is_archive(member.name):
                self._limit = max(self._limit, member.size)
        with self._no_room():
            self._path.parent.mkdir(exist_ok=True)
            self._file = self._path.open("wb")

    def write(self, chunk: bytes) -> None:
        """See `Sink.write`. What exceeds the limit of a file is thrown away."""
        self._size += len(chunk)
        if self._file is None or self._size > self._limit:
            return
        self._written(len(chunk))
        with self._no_room():
            self._file.write(chunk)

    def end(self) -> None:
        """See `Sink.end`."""
        if self._file is None:
            return
        with self._no_room():
            self._file.close()
        self._file = None
        member = self._files[self._number]
        too_large = self._size > self._limit
        if too_large:
            self._remove()
        if self._number in self._sidecars:
            self._waiting += 0 if too_large else self._size
        elif too_large:
            self._pass_over(member, too_many_bytes(self._size, self._limit))
        else:
            sidecar = self._sidecar()
            self._hand_on(member, self._path.parent, self._path.name, sidecar)

    def failed(self, number: int, reason: str) -> None:
        """See `Sink.failed`."""
        self._drop()
        if number not in self._sidecars:
            self._pass_over(self._files[number], reason)

    def close(self) -> None:
        """Remove what is left."""
        self._drop()
        shutil.rmtree(self._room / _TEXTS, ignore_errors=True)

    def _sidecar(self) -> str:
        """Lay the sidecar of the file beside it: its name, empty where there is none."""
        number = self.texts.get(self._number)
        if number is None:
            return ""
        waiting = self._room / _TEXTS / str(number)
        if not waiting.exists():  # it was damaged, or too large
            return ""
        name = on_disk(self._files[number].name)  # unlike the file itself, it ends in XML
        with self._no_room():
            shutil.copyfile(waiting, self._path.parent / name)
        if self._moved:
            self._waiting -= waiting.stat().st_size
            waiting.unlink()
        return name

    def _drop(self) -> None:
        """Forget a file that was begun and did not come to its end."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
            self._remove()

    def _remove(self) -> None:
        self._path.unlink(missing_ok=True)
        if self._number not in self._sidecars:
            with contextlib.suppress(OSError):
                self._path.parent.rmdir()

    @contextlib.contextmanager
    def _no_room(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            cause = "no space left" if error.errno == errno.ENOSPC else error.strerror
            raise UnreadableFile(
                f"{self._files[self._number].name}: cannot be unpacked to {self._room.parent}: "
                f"{cause}; free some space there"
            ) from error


def too_many_bytes(size: int, limit: int) -> str:
    """The reason of passing over a file for its size."""
    return (
        f"{size >> 20} MiB, over the limit of {limit >> 20} MiB; raise the setting max_file_bytes"
    )
