"""Keeps an index equal to folders for as long as it runs: what changes is read once it has settled.

Events of the operating system, or looks at intervals, say where something happened. A look at all
folders now and then finds what they missed, and what was cut short.
"""

from __future__ import annotations

import logging
import math
import os
import stat
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from ingest import sidecars
from ingest.pipeline import run
from ingest.places import is_gone
from ingest.report import Report
from ingest.sources import Source, discover_at, is_wanted
from ingest.syncing import check_present, remove_gone, sync
from ingest.watching.changes import Changes, Events, Looks, signature
from ingest.watching.stability import Stability
from mmsearch.engine import SearchEngine
from mmsearch.errors import IndexUnavailable, ModelUnavailable, NotFound
from mmsearch.paths import absolute, is_below

_TICK = 0.2  # seconds between looks at what the system has told
_GRACE = 0.5  # seconds that a loss waits longer than a find: a moved file is to be found first
_BACK_OFF = 60.0  # seconds between tries at most, while a server is away
_FALLBACK = 30.0  # seconds between looks where the system cannot tell
_LOOK = 1.0  # seconds between looks at what stands at the roots
# Names of files on their way to another: those of browsers, office programs, editors.
_PASSING_STARTS = (".", "~$")
_PASSING_ENDS = (".part", ".crdownload", ".download", ".tmp", "~")

logger = logging.getLogger(__name__)


def watch(
    folders: Iterable[str | Path],
    engine: SearchEngine,
    *,
    stop: threading.Event,
    settle: float | None = None,
    poll: float | None = None,
    sweep: float | None = None,
    keep_missing: bool = False,
    on_report: Callable[[Report], None] | None = None,
    **options: Any,
) -> None:
    """Bring the index into line with folders, as `ingest.sync` does, and keep it so.

    A folder that is missing, or empty where it was not, is taken for one that is not mounted: that
    is logged, nothing of it is removed, and it is watched again once it is back. So are servers
    that are away waited for.

    Args:
        folders: folders or files.
        stop: set it to have this return, after the pages in hand.
        settle: seconds that a file must not have changed before it is read; by default the setting
            `watch_settle`, as `watch_poll` and `watch_sweep` for the next two.
        poll: seconds between looks, for network folders, of which no system tells; 0 for events.
        sweep: seconds between looks at everything that was not told.
        keep_missing: leave in the index what is no longer there.
        on_report: called with what became of every file, after each run.
        options: as for `ingest.run`.

    Raises:
        MissingModel: the profile's models are not there.
        InvalidSetting: the file of passwords cannot be read.
    """
    settings = engine.settings
    watch_ = _Watch(
        [absolute(folder) for folder in folders],
        engine,
        settle=settings.watch_settle if settle is None else settle,
        poll=settings.watch_poll if poll is None else poll,
        sweep=settings.watch_sweep if sweep is None else sweep,
        keep_missing=keep_missing,
        stop=stop,
        on_report=on_report or (lambda _: None),
        options=options,
    )
    try:
        watch_.go()
    finally:
        watch_.close()


class _Watch:
    """Folders that are being watched.

    `_waiting` holds files and folders that may be changing still, `_gone` paths that vanished and
    since when, by the monotonic clock.
    """

    def __init__(
        self,
        roots: list[Path],
        engine: SearchEngine,
        *,
        settle: float,
        poll: float,
        sweep: float,
        keep_missing: bool,
        stop: threading.Event,
        on_report: Callable[[Report], None],
        options: dict[str, Any],
    ) -> None:
        self._roots = roots
        self._engine = engine
        self._settle = settle
        self._poll = poll
        self._sweep_every = sweep
        self._keep_missing = keep_missing
        self._stop = stop
        self._on_report = on_report
        self._options = options
        self._index = str(absolute(engine.index.address))
        self._waiting = Stability(settle)
        self._gone: dict[str, float] = {}
        self._changes: Changes | None = None
        self._at: dict[Path, object] = {}  # what stood at each root when last looked
        self._next_look = self._next_sweep = 0.0
        self._said: dict[str, str] = {}

    def go(self) -> None:
        """Watch until told to stop."""
        pause = 0.5
        while not self._stop.is_set():
            try:
                self._step()
                pause = 0.5
                self._said.pop("server", None)
            except (IndexUnavailable, ModelUnavailable, OSError) as error:
                # Of a disk as well: one that is full, or that went away between two looks.
                self._say("server", f"{error}; trying again until it is back")
                self._next_sweep = 0.0  # finds again what was in hand
                pause = min(2 * pause, _BACK_OFF)
                self._stop.wait(pause)
            self._stop.wait(_TICK)

    def close(self) -> None:
        """Watch no more."""
        self._unfollow()

    def _step(self) -> None:
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + _LOOK
            self._follow_roots()
        if now >= self._next_sweep:
            self._sweep()
            self._next_sweep = time.monotonic() + (self._sweep_every or math.inf)
        now = time.monotonic()
        self._look(self._taken(), now)
        found = self._look(self._waiting.due(now), now)
        ripe = self._waiting.ripe()
        sources = {path: found[path] for path in ripe if path in found}
        patience = self._settle + (0 if sources else _GRACE)
        lost = [path for path, since in self._gone.items() if now - since >= patience]
        sources |= {str(source.path): source for source in self._neighbours((*ripe, *lost))}
        if sources or lost:
            self._bring(list(sources.values()), lost)

    # What to watch.

    def _follow_roots(self) -> None:
        """Watch anew what was mounted, made or replaced since the last look."""
        at = {root: what for root in self._roots if (what := self._identity(root)) is not None}
        if at == self._at and self._changes:
            return
        self._unfollow()
        with suppress(FileNotFoundError):  # gone again already: the next look says so
            self._changes = self._begin([root for root in at if root.is_dir()])
        self._at = at
        self._next_sweep = 0.0

    def _identity(self, root: Path) -> object:
        """What tells that something else stands at a root than before; None where nothing does."""
        try:
            status = root.stat()
            if not stat.S_ISDIR(status.st_mode):
                return status.st_size, status.st_mtime_ns
            with os.scandir(root) as entries:
                is_empty = next(entries, None) is None
        except OSError:
            return None
        # Events belong to what was mounted when they were asked for.
        return (is_empty,) if self._poll else (is_empty, status.st_dev, status.st_ino)

    def _begin(self, folders: list[Path]) -> Changes:
        if folders and not self._poll:
            try:
                return Events(folders, self._may_matter)
            except FileNotFoundError:
                raise
            except OSError as error:
                self._fall_back(error)
        return Looks(folders, self._poll)

    def _fall_back(self, error: OSError) -> None:
        self._poll = _FALLBACK
        self._say(
            "events",
            f"the system does not tell what changes ({error}); looking every {_FALLBACK:g} s "
            "instead; if it ran out of watches: sysctl fs.inotify.max_user_watches=1048576",
        )

    def _taken(self) -> set[str]:
        if not self._changes:
            return set()
        try:
            return self._changes.take()
        except OSError as error:
            self._fall_back(error)
            self._unfollow()
            self._next_look = 0.0
            return set()

    def _unfollow(self) -> None:
        if self._changes:
            self._changes.close()
        self._changes = None

    def _may_matter(self, path: str) -> bool:
        """Whether a change at a path could be one of a document."""
        name = path.rpartition("/")[2]
        passing = name.startswith(_PASSING_STARTS) or name.lower().endswith(_PASSING_ENDS)
        return not passing and not is_below(path, [self._index])

    # What has happened.

    def _look(self, paths: Collection[str], now: float) -> dict[str, Source]:
        """See what is at paths now; files are returned, and wait from then on."""
        found: dict[str, Source] = {}
        walked: set[Path] = set()
        for path in sorted(paths):
            place = Path(path)
            if place in self._roots:
                continue
            if is_gone(path):
                self._waiting.forget(path)
                self._gone.setdefault(path, now)
                continue
            self._gone.pop(path, None)
            if not walked.isdisjoint(place.parents):
                continue
            sources = [s for s in discover_at(place, self._roots) if isinstance(s, Source)]
            for source in sources:
                found[str(source.path)] = source
                self._waiting.see(str(source.path), *signature(source), now)
            if place.is_dir():
                walked.add(place)
                # Once more later: files may have come in before the system watched it.
                self._waiting.see(path, 0, 0.0, now)
            elif sidecars.is_sidecar_name(path):
                with suppress(OSError):
                    status = place.stat()
                    self._waiting.see(path, status.st_size, status.st_mtime, now)
            elif not sources:
                self._waiting.forget(path)
        return found

    def _neighbours(self, paths: Iterable[str]) -> Iterator[Source]:
        """Documents whose text may be, or have been, in the sidecars among `paths`.

        Those of folders further off are left to the sweep.
        """
        names: dict[Path, set[str]] = {}
        for path in filter(sidecars.is_sidecar_name, paths):
            place = Path(path)
            parts = place.name.lower().split(".")
            for folder in (place.parent, place.parent.parent):
                names.setdefault(folder, set()).update(
                    ".".join(parts[:count]) for count in range(1, len(parts))
                )
        for folder, known in names.items():
            with suppress(OSError), os.scandir(folder) as entries:
                for entry in entries:
                    name = entry.name.lower()
                    if is_wanted(name) and not known.isdisjoint((name, Path(name).stem)):
                        yield from self._settled_at(Path(entry.path))

    def _settled_at(self, path: Path) -> Iterator[Source]:
        for item in discover_at(path, self._roots):
            if isinstance(item, Source) and str(item.path) not in self._waiting:
                yield item

    # What is done about it.

    def _sweep(self) -> None:
        """Look at everything."""
        present = [root for root in self._roots if self._is_mounted(root)]
        if not present:
            return
        report = sync(
            present,
            self._engine,
            keep_missing=self._keep_missing,
            ready=self._is_settled,
            stop=self._stop,
            **self._options,
        )
        self._on_report(report)

    def _is_mounted(self, root: Path) -> bool:
        try:
            check_present(root, self._engine)
        except NotFound as error:
            self._say(str(root), f"{error}; watched on")
            return False
        self._said.pop(str(root), None)
        return True

    def _is_settled(self, source: Source) -> bool:
        """Whether a file can be read at first sight: what is young waits, and so do lies."""
        path = str(source.path)
        size, mtime = signature(source)
        if path not in self._waiting and time.time() - mtime >= self._settle:
            return True
        self._waiting.see(path, size, mtime, time.monotonic())
        return False

    def _bring(self, sources: list[Source], lost: list[str]) -> None:
        """Read files that have settled, then forget what is at `lost`."""
        for path in lost:
            self._gone.pop(path, None)
        report = Report()
        if sources:
            report = run(sources, self._engine, stop=self._stop, **self._options)
        lost = [] if self._keep_missing or report.stopped else self._surely(lost)
        if lost:
            remove_gone(lost, self._engine, report, self._options.get("on_file"))
        if report.results:
            self._on_report(report)

    def _surely(self, lost: list[str]) -> list[str]:
        """Those of the paths whose root is there without them."""
        away = [
            str(root)
            for root in self._roots
            if any(is_below(path, [str(root)]) for path in lost) and not self._is_mounted(root)
        ]
        return [path for path in lost if not is_below(path, away)]

    def _say(self, about: str, line: str) -> None:
        """Log a line, unless it was the last one about the same."""
        if self._said.get(about) != line:
            logger.warning("%s", line)
        self._said[about] = line
