"""Says what a run would do and how long it would take, without touching the index.

Every file is opened, so that its pages are counted and what cannot be read is known. A sample of
the pages is then really read and encoded.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from ingest.cage import Cage
from ingest.events import Event, Finished, Job, Opened
from ingest.finding import Finder, Hashed, Unchanged, Walked
from ingest.forecast import samples
from ingest.forecast.costs import Costs
from ingest.forecast.estimates import Estimate
from ingest.forecast.samples import Sample
from ingest.known import Known
from ingest.passwords import passwords_of
from ingest.report import FileResult, Progress, Status
from ingest.sources import Passed, Source
from ingest.workplace import Workplace
from mmsearch import profiles
from mmsearch.config import Settings
from mmsearch.encoders import Encoder
from mmsearch.engine import SearchEngine
from mmsearch.errors import NotFound
from mmsearch.opening import open as open_engine
from mmsearch.types import Document, DocumentState, Query


@dataclass(slots=True)
class Forecast:
    """What a run has before it.

    `files` and `pages` are those to be read, by kind; `bytes` is the size of those files. `passed`
    are the files that are skipped or cannot be read. `seconds` are of the whole run, of which
    opening the files took `seconds_opening` just now; `disk` is in bytes. `sampled` pages were
    looked at, `sample_failed` of them in vain. `stopped` tells a forecast that was broken off.
    """

    files: Counter[str] = field(default_factory=Counter)
    pages: Counter[str] = field(default_factory=Counter)
    bytes: int = 0
    archives: int = 0
    passed: list[FileResult] = field(default_factory=list)
    seconds_opening: float = 0.0
    seconds: Estimate = field(default_factory=Estimate)
    disk: Estimate = field(default_factory=Estimate)
    sampled: int = 0
    sample_failed: int = 0
    stopped: bool = False

    def of(self, status: Status) -> list[FileResult]:
        """The files that are passed so."""
        return [result for result in self.passed if result.status == status]


def preflight(
    paths: Iterable[str | Path],
    settings: Settings,
    *,
    profile: str | None = None,
    retry: bool = False,
    passwords: Sequence[str] = (),
    stop: threading.Event | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Forecast:
    """Forecast `ingest.run` over files and folders.

    Args:
        settings: name the index; it need not exist, and is not made.
        profile: of a new index.
        retry, passwords, stop, progress: as for `ingest.run`.

    Raises:
        ProfileMismatch: the index was made with another profile.
        MissingModel: the profile's models are not there.
    """
    known = (*passwords, *passwords_of(settings))
    with ExitStack() as stack:
        engine = _existing(settings, profile, stack)
        chosen = engine.profile if engine else _profile(settings, profile)
        encoders = (
            engine.encoders
            if engine
            else {v.name: profiles.create_encoder(v, chosen, settings) for v in chosen.views}
        )
        for encoder in encoders.values():
            encoder.encode_query(Query("ready"))  # a missing model is known before files are opened
        given = list(paths)
        preflight_ = _Preflight(
            settings,
            chosen.picture_pixels,
            stack.enter_context(Workplace(None)),
            known=Known(engine, given, retry=retry, passwords=bool(known)) if engine else None,
            passwords=known,
            stop=stop or threading.Event(),
            tell=progress or (lambda _: None),
        )
        places = preflight_.open_all(given)
        return preflight_.forecast(places, encoders)


def _existing(settings: Settings, profile: str | None, stack: ExitStack) -> SearchEngine | None:
    try:
        return stack.enter_context(
            open_engine(settings.index, profile=profile, create=False, settings=settings)
        )
    except NotFound:
        return None


def _profile(settings: Settings, name: str | None) -> profiles.Profile:
    return profiles.load(profiles.full_name(name or settings.profile), settings)


class _Preflight:
    """Opens the files of a run that is not carried out."""

    def __init__(
        self,
        settings: Settings,
        pixels: int,
        workplace: Workplace,
        *,
        known: Known | None,
        passwords: tuple[str, ...],
        stop: threading.Event,
        tell: Callable[[Progress], None],
    ) -> None:
        self._settings = settings
        self._pixels = pixels
        self._known = known
        self._passwords = passwords
        self._stop = stop
        self._tell = tell
        self._progress = Progress(phase="opening")
        self._forecast = Forecast()
        self._sample = Sample(samples.MOST)
        self._sources: dict[str, Source] = {}  # those that are to be read, by document
        self._finder = Finder(settings, passwords, workplace, self._progress, self._is_unchanged)

    def open_all(self, paths: Sequence[str | Path]) -> list[samples.Place]:
        """Open every file; the pages that were drawn for the sample."""
        started = time.monotonic()
        try:
            with Cage(self._settings, pixels=self._pixels, passwords=self._passwords) as cage:
                self._finder.start(paths)
                for event in cage.read(self._next_job):
                    self._heard(event)
                    self._progress.workers = tuple(cage.activity())
                    self._tell(self._progress)
                    if self._stop.is_set():
                        cage.stop()
        finally:
            self._finder.close()
        self._forecast.seconds_opening = time.monotonic() - started
        self._forecast.stopped = self._stop.is_set()
        return self._sample.places()

    def forecast(
        self, places: Sequence[samples.Place], encoders: Mapping[str, Encoder]
    ) -> Forecast:
        """Read and encode the sample, and reckon from it."""
        found = self._forecast
        if found.stopped or not places:
            return found
        self._progress.phase = "sampling"
        self._progress.workers = ()
        self._tell(self._progress)
        timed = samples.read(
            places,
            self._settings,
            pixels=self._pixels,
            passwords=self._passwords,
            stop=self._stop,
        )
        found.stopped = self._stop.is_set()
        found.sampled = len(timed)
        found.sample_failed = sum(1 for page in timed if page.page is None)
        if timed and not found.stopped:
            costs = Costs(timed, encoders, self._settings)
            found.seconds = costs.seconds(found.pages).plus(found.seconds_opening)
            found.disk = costs.disk(found.pages)
        return found

    def _is_unchanged(self, source: Source, sidecar: str) -> bool:
        return self._known is not None and self._known.is_unchanged(source, sidecar)

    def _next_job(self) -> Job | None:
        while not self._stop.is_set():
            found = self._finder.next()
            match found:
                case None:
                    return None
                case Passed(path=path, reason=reason, failed=failed, error=error):
                    status: Status = "failed" if failed else "skipped"
                    self._pass(FileResult(str(path), status, reason=reason, error=error))
                case Unchanged(source=source):
                    self._unchanged(source)
                case Walked(archive=archive, reason=reason, error=error):
                    self._forecast.archives += 1
                    if reason:
                        name = str(archive.source.path)
                        self._pass(FileResult(name, "failed", reason=reason, error=error))
                case Hashed() if not found.source.is_archive and (job := self._consider(found)):
                    return job
        return None

    def _unchanged(self, source: Source) -> None:
        at = self._known.places[str(source.path)] if self._known else None
        if at and at[1].state is DocumentState.FAILED:
            self._failed_before(source, at[1])
        else:
            self._pass(FileResult(str(source.path), "skipped", reason="unchanged"), source.size)

    def _failed_before(self, source: Source, document: Document) -> None:
        reason = f"failed before ({document.reason}); run: mmsearch retry"
        self._pass(
            FileResult(str(source.path), "failed", 0, document.id, reason, document.error),
            source.size,
        )

    def _consider(self, found: Hashed) -> Job | None:
        """Open a file whose bytes nobody has seen before."""
        source, id_ = found.source, found.document
        known = self._known.record(id_) if self._known else None
        settled = known if known and self._known and self._known.is_settled(known) else None
        if settled and settled.sidecar == found.sidecar:
            self._finder.release(source)
            if settled.state is DocumentState.FAILED:
                self._failed_before(source, settled)
            else:
                same = "unchanged" if str(source.path) in settled.paths else "same content"
                self._pass(FileResult(str(source.path), "skipped", reason=same), source.size)
            return None
        if id_ in self._sources:
            self._finder.release(source)
            self._pass(FileResult(str(source.path), "skipped", reason="same content"), source.size)
            return None
        self._sources[id_] = source
        return Job(id_, source.file, samples.EVERY_PAGE, source.sidecar)

    def _heard(self, event: Event) -> None:
        source = self._sources[event.job.key]
        match event:
            case Opened(kind=kind, page_count=count):
                self._forecast.files[kind] += 1
                self._forecast.pages[kind] += count
                self._forecast.bytes += source.size
                self._progress.pages += count
                for dropped in self._sample.offer(source, kind, count):
                    self._finder.release(dropped)
            case Finished(reason=reason, error=error):
                if reason:
                    self._finder.release(source)
                    path = str(source.path)
                    self._pass(FileResult(path, "failed", reason=reason, error=error), source.size)
                else:
                    self._count(source.size)

    def _pass(self, result: FileResult, size: int = 0) -> None:
        self._forecast.passed.append(result)
        self._progress.files_failed += result.status == "failed"
        self._count(size)

    def _count(self, size: int) -> None:
        self._progress.files += 1
        self._progress.bytes_done += size
        self._tell(self._progress)
