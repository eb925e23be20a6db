"""Where something may have changed in folders: told by the operating system, or found by looking.

Both only name paths; what has become of them is looked up later. Neither is trusted to miss
nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from ingest.sources import Source, discover

_GROUP = 200  # milliseconds that events are gathered for at most
_STEP = 50  # milliseconds without an event that end a group


class Changes(Protocol):
    """Paths at which something may have changed."""

    def take(self) -> set[str]:
        """Those of them that nobody has taken yet.

        Raises:
            OSError: nothing is noticed any more.
        """
        ...

    def close(self) -> None:
        """Look no further."""
        ...


class Events:
    """Changes as the operating system tells them, gathered in a thread."""

    def __init__(self, roots: Sequence[Path], wanted: Callable[[str], bool]) -> None:
        """Everything that happens in `roots` from now on is noticed, where `wanted` is true of it.

        Raises:
            OSError: not all folders can be watched.
        """
        self._roots = roots
        self._wanted = wanted
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._lock = threading.Lock()
        self._paths: set[str] = set()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._gather, daemon=True, name="mmsearch-watch")
        self._thread.start()
        self._ready.wait()
        self._check()

    def take(self) -> set[str]:
        self._check()
        with self._lock:
            taken, self._paths = self._paths, set()
        return taken

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _check(self) -> None:
        if isinstance(self._error, OSError):
            raise self._error
        if self._error:  # the library has a class of its own, below none
            raise OSError(str(self._error)) from self._error

    def _gather(self) -> None:
        import watchfiles

        logging.getLogger("watchfiles").setLevel(logging.WARNING)  # else it tells every change
        added = watchfiles.Change.added

        def gather(*, lenient: bool) -> None:
            for changes in watchfiles.watch(
                *self._roots,
                watch_filter=lambda _, path: self._wanted(path),
                debounce=_GROUP,
                step=_STEP,
                rust_timeout=_GROUP,
                yield_on_timeout=True,  # the first one says that it has begun
                stop_event=self._stop,
                raise_interrupt=False,
                force_polling=False,
                ignore_permission_denied=lenient,
            ):
                with self._lock:
                    self._paths |= {path for _, path in changes}
                self._ready.set()
                made = (path for what, path in changes if what == added and Path(path).is_dir())
                if folder := next(made, None):
                    _check_room(folder)

        try:
            try:
                gather(lenient=False)
            except PermissionError:  # of a folder that no walk enters either
                gather(lenient=True)  # not at first: it overlooks that watches run out, too
        except Exception as error:  # for `take` to raise
            self._error = error
        finally:
            self._ready.set()


def _check_room(folder: str) -> None:
    """Raise `OSError` if no further folder can be watched: the library does not say so later on."""
    import watchfiles

    at_once = threading.Event()
    at_once.set()
    with suppress(FileNotFoundError, PermissionError):
        for _ in watchfiles.watch(folder, recursive=False, stop_event=at_once, force_polling=False):
            pass


class Looks:
    """Changes as two looks at everything, `seconds` apart, tell them."""

    def __init__(self, roots: Sequence[Path], seconds: float) -> None:
        self._roots = roots
        self._seconds = seconds
        self._seen = self._look()
        self._next = time.monotonic() + seconds

    def take(self) -> set[str]:
        if time.monotonic() < self._next:
            return set()
        seen = self._look()
        changed = {path for path, _ in self._seen.items() ^ seen.items()}
        self._seen = seen
        self._next = time.monotonic() + self._seconds
        return changed

    def close(self) -> None:
        pass

    def _look(self) -> dict[str, tuple[int, float]]:
        found = discover(self._roots)
        return {str(item.path): signature(item) for item in found if isinstance(item, Source)}


def signature(source: Source) -> tuple[int, float]:
    """Size in bytes and time of change of a file together with its sidecar."""
    size, mtime = source.size, source.mtime
    if source.sidecar:
        try:
            status = source.sidecar.stat()
        except OSError:
            return size, mtime
        size, mtime = size + status.st_size, max(mtime, status.st_mtime)
    return size, mtime
