"""The folder for what a run needs on disk for a while: files out of archives, converted copies.

It goes with the run. What a killed run left behind is cleared away by the next one.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Self

_ROOM = 1 << 30  # bytes out of archives that wait on disk to be read; one file may be larger
_PREFIX = "mmsearch-run-"


class Workplace:
    """A private folder, `path`, and how many bytes of unpacked files wait in it."""

    def __init__(self, parent: Path | None) -> None:
        """Make it below `parent`, by default where temporary files go."""
        parent = parent or Path(tempfile.gettempdir())
        parent.mkdir(parents=True, exist_ok=True)
        with _held(parent):  # else another run could clear ours away before it is locked
            _clear_abandoned(parent)
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
            self._lock = _locked(self.path)
        self._waiting = 0
        self._room = threading.Condition()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock:
            self._lock.close()

    def wait_for_room(self, stop: threading.Event) -> None:
        """Return once few enough unpacked bytes wait to be read, or `stop` is set."""
        with self._room:
            while self._waiting > _ROOM and not stop.is_set():
                self._room.wait(0.2)

    def keep(self, size: int) -> None:
        """A file of `size` bytes was unpacked."""
        with self._room:
            self._waiting += size

    def drop(self, file: Path, size: int) -> None:
        """An unpacked file of `size` bytes, alone in its folder, is no longer needed."""
        if self.path in file.parents:
            shutil.rmtree(file.parent, ignore_errors=True)
        with self._room:
            self._waiting -= size
            self._room.notify_all()


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _locked(folder: Path) -> IO[str] | None:
    """Lock the folder for as long as this process lives; None where another one has it."""
    try:
        file = (folder / "lock").open("w")
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def _clear_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        try:
            status = folder.lstat()
        except FileNotFoundError:  # its run has just ended
            continue
        ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
        if ours and (lock := _locked(folder)):
            shutil.rmtree(folder, ignore_errors=True)
            lock.close()
