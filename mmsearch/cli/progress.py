"""What is shown while a run goes on: a live view, plain lines on a pipe, or JSON events."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from mmsearch.cli.lines import counted, duration, plain, say, shortened, show_json

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ingest import FileResult, Progress

STOPPING = "finishing the pages in hand; press Ctrl-C again to stop at once"
_LINE_SECONDS = 10.0  # between two plain lines
_EVENT_SECONDS = 1.0  # between two JSON events
_WINDOW = 60.0  # seconds that a rate is taken over, or half of the time gone by if that is longer


T = TypeVar("T")


class View(Protocol):
    """A context manager that shows a run."""

    def update(self, progress: Progress) -> None:
        """Show where the run stands."""

    def file(self, result: FileResult) -> None:
        """Show what became of a file."""

    def stopping(self) -> None:
        """Show that the run was asked to stop; called from a signal handler."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def view(*, as_json: bool) -> View:
    """The way to show a run that fits what stdout and stderr are."""
    if as_json:
        return Events()
    return _Live() if _is_lively() else Lines()


def _is_lively() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def told(things: Iterable[T], total: int, doing: str) -> Iterator[T]:
    """Go through things, and show on stderr how far that is: a bar, or a line now and then."""
    if _is_lively():
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True, redirect_stdout=False) as bar:
            yield from bar.track(things, total, description=doing)
        return
    last = time.monotonic()
    for number, thing in enumerate(things, 1):
        yield thing
        if time.monotonic() - last >= _LINE_SECONDS:
            last = time.monotonic()
            say(f"{doing}: {number:,} of {total:,}")


class Pace:
    """How far a run is and how long it will take: by bytes while it reads, then by pages."""

    def __init__(self) -> None:
        self.done = self.total = 0
        self._stretch = ("", 0.0)
        self._since = 0.0
        self._points: deque[tuple[float, int]] = deque()

    def look(self, progress: Progress, now: float | None = None) -> None:
        """Take note of where the run stands now; `now` in seconds of the monotonic clock."""
        now = time.monotonic() if now is None else now
        if (progress.phase, progress.started) != self._stretch:
            self._stretch = (progress.phase, progress.started)
            self._since = now
            self._points.clear()
        self.done, self.total = _measure(progress)
        if not self._points or now - self._points[-1][0] >= 1:
            self._points.append((now, self.done))
        oldest = now - max(_WINDOW, (now - self._since) / 2)
        while len(self._points) > 2 and self._points[1][0] < oldest:
            self._points.popleft()

    def seconds_left(self, now: float | None = None) -> float | None:
        """Until the end of this phase, from the last minutes; None until there is a rate."""
        if not self._points or not self.total:
            return None
        now = time.monotonic() if now is None else now
        then, before = self._points[0]
        if self.done <= before or now - then < 2:
            return None
        return max(self.total - self.done, 0) * (now - then) / (self.done - before)


class _Quiet:
    """A view that shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, progress: Progress) -> None:
        pass

    def file(self, result: FileResult) -> None:
        pass

    def stopping(self) -> None:
        # Not through sys.stderr: a signal may have come while that was being written to.
        with contextlib.suppress(OSError):
            os.write(2, f"{STOPPING}\n".encode())


class Events(_Quiet):
    """JSON objects on stdout, a line each: every file, and where the run stands once a second."""

    def __init__(self) -> None:
        self._pace = Pace()
        self._last = float("-inf")

    def update(self, progress: Progress) -> None:
        self._pace.look(progress)
        if time.monotonic() - self._last < _EVENT_SECONDS:
            return
        self._last = time.monotonic()
        left = self._pace.seconds_left()
        show_json(
            {
                "event": "progress",
                "phase": progress.phase,
                "files": progress.files,
                "files_found": progress.files_found,
                "files_failed": progress.files_failed,
                "bytes": progress.bytes_done,
                "bytes_found": progress.bytes_found,
                "pages": progress.pages,
                "pages_failed": progress.pages_failed,
                "vectors": progress.vectors,
                "vectors_wanted": progress.vectors_wanted,
                "seconds_left": None if left is None else round(left, 1),
                "workers": list(progress.workers),
            }
        )

    def file(self, result: FileResult) -> None:
        show_json({"event": "file"} | result.as_row())


class Lines(_Quiet):
    """A plain line on stderr every ten seconds."""

    def __init__(self) -> None:
        self._pace = Pace()
        self._last = time.monotonic()

    def update(self, progress: Progress) -> None:
        self._pace.look(progress)
        self._last = max(self._last, progress.started)
        if time.monotonic() - self._last >= _LINE_SECONDS:
            self._last = time.monotonic()
            say(f"{progress.phase}: {_counts(progress)}{_left(self._pace)}")


class _Live(_Quiet):
    """A bar, the counts, and what each process is doing, drawn anew four times a second."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._pace = Pace()
        self._progress: Progress | None = None
        self._is_stopping = False
        self._lines = 0
        self._console = Console(stderr=True)
        self._live = Live(
            console=self._console, get_renderable=self._drawn, transient=True, redirect_stdout=False
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def update(self, progress: Progress) -> None:
        self._pace.look(progress)
        self._progress = progress

    def stopping(self) -> None:
        self._is_stopping = True

    def _drawn(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        progress = self._progress
        if progress is None:
            return Text("looking for files")
        width = self._console.width - 1
        lines: list[Any] = [
            self._bar(progress),
            Text(fitted(_counts(progress), width), no_wrap=True),
        ]
        if self._is_stopping:
            lines.append(Text(fitted(STOPPING, width), style="bold", no_wrap=True))
        room = max(self._console.height - len(lines) - 2, 0)
        workers = [f"  {plain(worker)}" for worker in progress.workers]
        if len(workers) > room:
            workers = [*workers[: room - 1], f"  and {len(workers) - room + 1} more"][:room]
        lines += [Text(fitted(w, width), style="dim", no_wrap=True) for w in workers]
        # As many lines as before, so that what is below does not jump.
        self._lines = min(max(self._lines, len(lines)), max(self._console.height - 1, 1))
        return Group(*lines, *(Text() for _ in range(self._lines - len(lines))))

    def _bar(self, progress: Progress) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        done, total = self._pace.done, self._pace.total
        row = Table.grid(padding=(0, 1))
        for _ in range(3):
            row.add_column(no_wrap=True)
        bar = ProgressBar(total=total or None, completed=done, width=40, pulse=not total)
        share = f"{100 * done // total} %" if total else ""
        row.add_row(f"{progress.phase:10}", bar, f"{share}{_left(self._pace)}".removeprefix(", "))
        return row


def fitted(text: str, width: int) -> str:
    """At most `width` columns of a terminal, some characters taking two; the middle left out."""
    from rich.cells import cell_len

    text = shortened(text, width)
    while (over := cell_len(text) - width) > 0:
        text = shortened(text, len(text) - (over + 1) // 2)
    return text


def _measure(progress: Progress) -> tuple[int, int]:
    """How much of a phase is done, and of what; 0 while that is not known."""
    if progress.phase in ("opening", "reading"):
        total = progress.bytes_found if progress.walked else 0
        return min(progress.bytes_done, total) if total else progress.bytes_done, total
    if progress.phase == "encoding":
        return progress.vectors, progress.vectors_wanted
    return 0, 0


def _counts(progress: Progress) -> str:
    if progress.phase == "encoding":
        return f"{progress.vectors:,} of {counted(progress.vectors_wanted, 'vector')} of pages"
    if progress.phase == "sampling":
        return f"reading and encoding some of {counted(progress.pages, 'page')}"
    found = f"{progress.files_found:,}{'' if progress.walked else '+'}"
    parts = [f"{progress.files:,} of {found} files"]
    parts.append(f"{counted(progress.pages, 'page')} ({progress.pages_per_second:.1f}/s)")
    if progress.files_failed:
        parts.append(f"{progress.files_failed:,} failed")
    if progress.pages_failed:
        parts.append(f"{counted(progress.pages_failed, 'page')} not read in full")
    return ", ".join(parts)


def _left(pace: Pace) -> str:
    left = pace.seconds_left()
    return "" if left is None else f", {duration(left)} left"
