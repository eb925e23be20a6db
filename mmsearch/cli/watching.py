"""The command that keeps an index equal to folders, `watch`, alone or beside the web page."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmsearch.cli import options
from mmsearch.cli.ingesting import open_for_reading
from mmsearch.cli.lines import say, show, show_json
from mmsearch.cli.progress import Events, Lines
from mmsearch.cli.reporting import totals
from mmsearch.cli.stopping import stoppable
from mmsearch.errors import MMSearchError

if TYPE_CHECKING:
    from ingest import FileResult, Report
    from mmsearch.engine import SearchEngine


def watch(
    folders: options.Folders,
    index: options.Index = None,
    profile: options.ProfileName = None,
    jobs: options.Jobs = None,
    ocr: options.Ocr = None,
    keep_missing: options.KeepMissing = False,
    settle: Annotated[
        float | None,
        typer.Option(min=0, help="Seconds a file must not have changed.", show_default=False),
    ] = None,
    poll: Annotated[
        float | None,
        typer.Option(min=0, help="Seconds between looks; 0 for events.", show_default=False),
    ] = None,
    sweep: Annotated[
        float | None,
        typer.Option(min=0, help="Seconds between looks at everything.", show_default=False),
    ] = None,
    ask_password: options.AskPassword = False,
    as_json: options.Json = False,
) -> None:
    """Keep the index equal to folders until Ctrl-C: what changes is read once it has settled."""
    from ingest.watching import watch as watch_

    passwords = options.asked_passwords() if ask_password else ()
    shown = Events() if as_json else Lines()
    with (
        open_for_reading(index, profile=profile, jobs=jobs, ocr=ocr, quiet=as_json) as engine,
        _warnings_said(),
        stoppable(shown.stopping) as stop,
    ):
        if not as_json:
            say(f"watching {', '.join(map(str, folders))} until Ctrl-C")
        watch_(
            folders,
            engine,
            settle=settle,
            poll=poll,
            sweep=sweep,
            keep_missing=keep_missing,
            stop=stop.event,
            passwords=passwords,
            progress=shown.update,
            on_file=_News(shown.file if as_json else lambda result: show(_line(result))),
            on_report=_show_event if as_json else _show_totals,
        )


@contextmanager
def watched(folders: Sequence[Path], engine: SearchEngine) -> Iterator[None]:
    """Watch folders in a thread for as long as the context lasts; news go to stderr.

    Only passing errors are waited out; any other ends the watching, and is said.
    """
    if not folders:
        yield
        return
    from ingest.watching import watch as watch_

    stop = threading.Event()

    def watch_on() -> None:
        news = _News(lambda result: say(_line(result)))
        try:
            watch_(folders, engine, stop=stop, on_file=news)
        except MMSearchError as error:
            say(f"mmsearch: no longer watching: {error}")

    thread = threading.Thread(target=watch_on, name="mmsearch-watch")
    with _warnings_said():
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


class _News:
    """Passes on what is new: neither what is as it was, nor the same failure again."""

    def __init__(self, tell: Callable[[FileResult], None]) -> None:
        self._tell = tell
        self._failed: dict[str, str] = {}  # path: document

    def __call__(self, result: FileResult) -> None:
        if result.status == "skipped":
            return
        if result.status != "failed":
            self._failed.pop(result.path, None)
        elif self._failed.get(result.path) == result.document:
            return
        else:
            self._failed[result.path] = result.document
        self._tell(result)


def _line(result: FileResult) -> str:
    what = result.reason or f"{result.pages} pages"
    return f"{result.status:8} {result.path}: {what}"


def _show_totals(report: Report) -> None:
    if report.of("done") or report.of("removed"):
        say(totals(report))


def _show_event(report: Report) -> None:
    if report.of("done") or report.of("removed"):
        show_json({"event": "report"} | report.as_row(files=False))


class _Said(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(f"mmsearch: {record.getMessage()}")


@contextmanager
def _warnings_said() -> Iterator[None]:
    """Say what the watcher logs: a folder or a server that is away."""
    logger, said = logging.getLogger("ingest.watching"), _Said()
    logger.addHandler(said)
    before, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.removeHandler(said)
        logger.propagate = before
