"""An ingestion job: what it reads, where it stands, and how the events of a run change that."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, NamedTuple, get_args

State = Literal["queued", "running", "done", "failed", "cancelled"]
RECENT = 20  # results of files that a job keeps, beside
FAILURES = 200  # the first that failed


class Result(NamedTuple):
    """What became of one file: `status` is done, skipped, failed or removed."""

    path: str
    status: str
    pages: int
    document: str
    reason: str


@dataclass(frozen=True, slots=True)
class Job:
    """One ingestion of files and folders, `paths`, that are absolute; `title` names it to people.

    `by` is the user who started it, "" where nobody signs in. `reason` says why it failed.
    Times are seconds since 1970, 0 until then. `files` counts those that were read or need not be,
    of `files_found`; `done`, `skipped` and `failed` count results. `vectors` of `vectors_wanted`
    pages are encoded. `workers` says what each process is doing. `recent` are the last results,
    `failures` the first that failed. `unsupported` counts in the end, by ending, the files that
    nothing here reads.
    """

    id: str
    paths: tuple[str, ...]
    title: str = ""
    tags: tuple[str, ...] = ()
    retry: bool = False
    by: str = ""
    state: State = "queued"
    reason: str = ""
    created: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    phase: str = ""
    files: int = 0
    files_found: int = 0
    pages: int = 0
    pages_failed: int = 0
    pages_per_second: float = 0.0
    bytes: int = 0
    bytes_found: int = 0
    vectors: int = 0
    vectors_wanted: int = 0
    seconds_left: float | None = None
    workers: tuple[str, ...] = ()
    done: int = 0
    skipped: int = 0
    failed: int = 0
    recent: tuple[Result, ...] = ()
    failures: tuple[Result, ...] = ()
    unsupported: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_active(self) -> bool:
        """Whether it is still to be done, or being done."""
        return self.state in ("queued", "running")

    @property
    def share(self) -> float | None:
        """How much of the present phase is done, in [0, 1]; None while nobody knows."""
        if self.phase == "encoding":
            part, whole = self.vectors, self.vectors_wanted
        else:
            part, whole = self.bytes, self.bytes_found
        return min(part / whole, 1.0) if whole else None

    def as_row(self) -> dict[str, Any]:
        """As it is kept and as the API tells it: plain values."""
        row = asdict(self)
        for name in ("recent", "failures"):
            row[name] = [result._asdict() for result in getattr(self, name)]
        return row


_COUNTS = (
    *("files", "files_found", "pages", "pages_failed", "bytes", "bytes_found"),
    *("vectors", "vectors_wanted"),
)


def from_row(row: Any) -> Job:
    """The job that `as_row` described.

    Raises:
        ValueError: it describes none.
    """
    try:
        many = {name: tuple(row[name]) for name in ("paths", "tags", "workers")}
        results = {n: tuple(Result(**one) for one in row[n]) for n in ("recent", "failures")}
        job = Job(**{**row, **many, **results})
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"not a job: {error}") from error
    texts = (job.id, job.title, *job.paths, *job.tags)
    odd = not all(isinstance(text, str) for text in texts) or not isinstance(job.unsupported, dict)
    if odd or job.state not in get_args(State):
        raise ValueError("not a job: a field has a value that is not allowed")
    return job


def begun(job: Job) -> Job:
    """The job as it starts, or starts over after a restart: counts are those of one run."""
    return Job(
        job.id,
        job.paths,
        job.title,
        job.tags,
        job.retry,
        job.by,
        "running",
        created=job.created,
        started=time.time(),
    )


def after(job: Job, event: Mapping[str, Any]) -> Job:
    """The job after a line that `mmsearch ingest --json` has printed."""
    match event.get("event"):
        case "progress":
            counts: dict[str, Any] = {name: int(event[name]) for name in _COUNTS}
            return replace(
                job,
                **counts,
                phase=str(event["phase"]),
                seconds_left=event["seconds_left"],
                workers=tuple(map(str, event["workers"])),
            )
        case "file":
            return _with_result(job, result_of(event))
        case "report":
            sums: dict[str, Any] = {
                name: int(event[name]) for name in ("done", "skipped", "failed")
            }
            return replace(
                job,
                **sums,
                pages=max(job.pages, int(event["pages"])),
                unsupported=dict(event["unsupported"]),
                files=max(job.files, sum(sums.values())),
            )
    return job


def result_of(event: Mapping[str, Any]) -> Result:
    """The result of a file, as an event tells it."""
    return Result(
        str(event["path"]),
        str(event["status"]),
        int(event["pages"]),
        str(event["document"] or ""),
        str(event["reason"] or ""),
    )


def ended(job: Job, state: State, reason: str = "") -> Job:
    """The job as it ends, or as it waits to go on."""
    return replace(
        job,
        state=state,
        reason=reason,
        ended=0.0 if state == "queued" else time.time(),
        workers=(),
        seconds_left=None,
        pages_per_second=0.0,
    )


def _with_result(job: Job, result: Result) -> Job:
    failed = result.status == "failed"
    return replace(
        job,
        done=job.done + (result.status == "done"),
        skipped=job.skipped + (result.status == "skipped"),
        failed=job.failed + failed,
        recent=(*job.recent, result)[-RECENT:],
        failures=(*job.failures, *([result] if failed else ()))[:FAILURES],
    )
