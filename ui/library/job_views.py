"""How ingestion jobs are shown in the library, as HTML; names of files are escaped here."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from html import escape
from pathlib import PurePath

from ui.library.job import Job, Result
from ui.library.views import count, without_name

SHOWN = 5  # jobs that have ended
_FAILURES = 5  # seen at once
_FRESH = 600.0  # seconds that the last one is seen in full

_PHASES = {
    "": "Starting",
    "reading": "Reading",
    "encoding": "Encoding pages",
    "optimising": "Tidying the index",
}


def jobs(found: Sequence[Job], *, read_only: bool, is_stopping: Callable[[str], bool]) -> str:
    """What is going on, and what ended last; `data-active` tells whether to look again soon."""
    active = [job for job in reversed(found) if job.is_active]
    past = [job for job in found if not job.is_active][:SHOWN]
    shown = "".join(_active(job, read_only, is_stopping(job.id)) for job in active)
    fresh = [job for job in past[:1] if time.time() - job.ended < _FRESH]
    shown += "".join(_past(job, read_only) for job in fresh)
    if earlier := past[len(fresh) :]:
        more = "".join(_past(job, read_only) for job in earlier)
        shown += (
            "<details class='mm-earlier' data-key='earlier'><summary>Earlier additions</summary>"
            f"{more}</details>"
        )
    finished = sum(job.done + job.skipped + job.failed for job in found)
    ended = sum(not job.is_active for job in found)
    return (
        f"<div class='mm-jobs' data-active='{int(bool(active))}' "
        f"data-finished='{finished}-{ended}'>{shown}</div>"
    )


def _active(job: Job, read_only: bool, stopping: bool) -> str:
    cancel = (
        ""
        if read_only or stopping
        else "<button type='button' class='mm-plain' data-act='cancel' data-key='cancel-"
        f"{escape(job.id)}' aria-label='Cancel: {escape(job.title)}'>Cancel</button>"
    )
    if job.state == "queued":
        return _card(job, f"Waiting: {escape(job.title)}", cancel, "")
    share = job.share
    value = "" if share is None else f" value='{share:.3f}'"
    label = "Stopping" if stopping else _PHASES.get(job.phase, job.phase.capitalize())
    working = "".join(f"<li><bdi>{escape(worker)}</bdi></li>" for worker in job.workers[:8])
    body = (
        f"<progress max='1'{value} aria-label='{label}'></progress>"
        f"<p class='mm-facts-line'>{_counts(job)}</p><ul class='mm-workers'>{working}</ul>"
        f"{_recent(job)}{_failures(job)}"
    )
    return _card(job, f"{label}: {escape(job.title)}", cancel, body)


def _past(job: Job, read_only: bool) -> str:
    said = {
        "done": f"Done: {escape(job.title)}",
        "failed": f"Not finished: {escape(job.title)}",
        "cancelled": f"Cancelled: {escape(job.title)}",
    }[job.state]
    again = {"done": "Retry what failed", "failed": "Start again", "cancelled": "Go on"}[job.state]
    button = (
        ""
        if read_only or (job.state == "done" and not job.failed)
        else f"<button type='button' class='mm-plain' data-act='again' data-key='again-"
        f"{escape(job.id)}'>{again}</button>"
    )
    reason = f"<p class='mm-reason'>{escape(job.reason)}</p>" if job.reason else ""
    return _card(
        job, said, button, f"{reason}<p class='mm-facts-line'>{_sums(job)}</p>{_failures(job)}"
    )


def _card(job: Job, title: str, button: str, body: str) -> str:
    return (
        f"<article class='mm-card mm-job mm-{job.state}' data-job='{escape(job.id)}'>"
        f"<div class='mm-card-head'><strong>{title}</strong>{button}</div>{body}</article>"
    )


def _counts(job: Job) -> str:
    """Where a running job stands."""
    if job.phase == "encoding":
        parts = [f"{job.vectors:,} of {count(job.vectors_wanted, 'page')}"]
    else:
        parts = [f"{job.files:,} of {count(job.files_found, 'file')}", count(job.pages, "page")]
        if job.pages_per_second:
            parts.append(f"{job.pages_per_second:.1f} pages a second")
    if job.failed:
        parts.append(f"<span class='mm-bad'>{job.failed:,} failed</span>")
    if job.seconds_left is not None:
        parts.append(_left(job.seconds_left))
    return "".join(f"<span>{part}</span>" for part in parts)


def _sums(job: Job) -> str:
    """What has become of the files of a job that has ended."""
    parts = [f"{count(job.done, 'file')} read"]
    if job.skipped:
        kinds = ", ".join(escape(ending) for ending in list(job.unsupported)[:_FAILURES])
        parts.append(f"{job.skipped:,} skipped" + (f" (no reader for {kinds})" if kinds else ""))
    if job.pages:
        parts.append(count(job.pages, "page"))
    if job.failed:
        parts.append(f"<span class='mm-bad'>{job.failed:,} failed</span>")
    ended = time.strftime("%Y-%m-%d %H:%M", time.gmtime(job.ended))
    parts.append(f"{ended} UTC" + (f" by {escape(job.by)}" if job.by else ""))
    return "".join(f"<span>{part}</span>" for part in parts)


def _recent(job: Job) -> str:
    """The last files, the newest first."""
    if not job.recent:
        return ""
    rows = "".join(_result(job, result) for result in reversed(job.recent))
    return (
        f"<details data-key='files-{escape(job.id)}'><summary>Last files</summary>"
        f"<ul class='mm-files'>{rows}</ul></details>"
    )


def _failures(job: Job) -> str:
    """What failed, and why."""
    rows = [_result(job, result) for result in job.failures]
    if not rows:
        return ""
    shown = f"<ul class='mm-files'>{''.join(rows[:_FAILURES])}</ul>"
    if len(rows) <= _FAILURES:
        return shown
    left = job.failed - len(rows)
    beyond = f"<li>and {left:,} more</li>" if left > 0 else ""
    return (
        f"{shown}<details data-key='failures-{escape(job.id)}'>"
        f"<summary>All that failed ({job.failed:,})</summary>"
        f"<ul class='mm-files'>{''.join(rows[_FAILURES:])}{beyond}</ul></details>"
    )


def _result(job: Job, result: Result) -> str:
    words = {"done": count(result.pages, "page"), "skipped": "skipped", "failed": "failed"}
    said = words.get(result.status, result.status)
    reason = f": {escape(without_name(result.reason, result.path))}" if result.reason else ""
    bad = " class='mm-bad'" if result.status == "failed" else ""
    root = next((p for p in job.paths if result.path.startswith(f"{p}/")), "")
    name = result.path.removeprefix(f"{root}/") if root else PurePath(result.path).name
    return f"<li><bdi>{escape(name)}</bdi> <span{bad}>{said}{reason}</span></li>"


def _left(seconds: float) -> str:
    if seconds < 60:
        return "less than a minute left"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"about {count(minutes, 'minute')} left"
    return f"about {count(round(minutes / 60), 'hour')} left"
