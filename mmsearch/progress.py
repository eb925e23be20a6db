"""The progress line of an ingestion, on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ingest import Progress


class Bar:
    """Shows files, pages, pages a second and the time left; a context manager."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Bar:
        if not self._quiet:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn
            from rich.progress import Progress as RichProgress

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[state]}"),
            )
            self._bar = RichProgress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task("reading", total=None, state="")
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def update(self, progress: Progress) -> None:
        """Show where the run stands."""
        if not self._bar:
            return
        total = (progress.bytes_found or None) if progress.walked else None
        done: float = progress.bytes_done
        if progress.phase == "encoding":
            total, done = progress.vectors_wanted, progress.vectors
        self._bar.update(
            self._task,
            description=progress.phase,
            total=total,
            completed=done,
            state=_state(progress),
        )


def _state(progress: Progress) -> str:
    if progress.phase == "encoding":
        return f"{progress.vectors}/{progress.vectors_wanted} pages"
    state = (
        f"{progress.files}/{progress.files_found} files, {progress.pages} pages, "
        f"{progress.pages_per_second:.1f} pages/s"
    )
    left = progress.seconds_left
    return state if left is None else f"{state}, {_duration(left)} left"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
