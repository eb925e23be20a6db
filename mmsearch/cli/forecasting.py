"""What `mmsearch ingest --dry-run` prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mmsearch.cli.lines import counted, rough_duration, show, show_json, size
from mmsearch.cli.progress import view
from mmsearch.cli.reporting import show_failed, skipped_lines
from mmsearch.cli.stopping import stoppable

if TYPE_CHECKING:
    from ingest.forecast import Forecast
    from ingest.forecast.estimates import Estimate
    from mmsearch.config import Settings


def show_forecast(
    paths: Sequence[Path],
    settings: Settings,
    profile: str | None,
    *,
    retry: bool,
    passwords: Sequence[str],
    as_json: bool,
) -> None:
    """Print what a run would do; exit 1 if it would fail for a file, 130 or 143 if stopped."""
    from ingest.forecast import preflight

    shown = view(as_json=as_json)
    with stoppable(shown.stopping) as stop, shown:
        forecast = preflight(
            paths,
            settings,
            profile=profile,
            retry=retry,
            passwords=passwords,
            stop=stop.event,
            progress=shown.update,
        )
    if forecast.stopped:
        raise typer.Exit(stop.exit_code)
    if as_json:
        for result in forecast.passed:
            show_json({"event": "file"} | result.as_row())
        show_json({"event": "forecast"} | _row(forecast))
    else:
        _show(forecast)
    if forecast.of("failed"):
        raise typer.Exit(1)


def _show(forecast: Forecast) -> None:
    show_failed(forecast.of("failed"), "see --json")
    for line in skipped_lines(forecast.of("skipped")):
        show(f"skipped  {line}")
    files = forecast.files.total()
    archives = f", some of them in {counted(forecast.archives, 'archive')}"
    show(
        f"to read  {counted(files, 'file')} of {size(forecast.bytes)}, "
        f"{counted(forecast.pages.total(), 'page')}{archives if forecast.archives else ''}"
    )
    for kind, count in forecast.files.most_common():
        show(f"         {counted(count, 'file')} {kind}, {counted(forecast.pages[kind], 'page')}")
    if forecast.sampled:
        show(
            f"about {rough_duration(forecast.seconds.value)}"
            f"{_between(forecast.seconds, rough_duration)}, {size(forecast.disk.value)}"
            f"{_between(forecast.disk, size)}; "
            f"from a sample of {counted(forecast.sampled, 'page')}"
        )
    if forecast.sample_failed:
        show(f"{forecast.sample_failed} of these could not be read")


def _between(estimate: Estimate, shown: Any) -> str:
    low, high = shown(estimate.low), shown(estimate.high)
    return "" if low == high else f" ({low} to {high})"


def _row(forecast: Forecast) -> dict[str, Any]:
    return {
        "files": dict(forecast.files),
        "pages": dict(forecast.pages),
        "bytes": forecast.bytes,
        "archives": forecast.archives,
        "skipped": len(forecast.of("skipped")),
        "failed": len(forecast.of("failed")),
        "sampled": forecast.sampled,
        "sample_failed": forecast.sample_failed,
        "seconds_opening": round(forecast.seconds_opening, 3),
        "seconds": _bounds(forecast.seconds),
        "disk": _bounds(forecast.disk),
    }


def _bounds(estimate: Estimate) -> dict[str, float]:
    return {name: round(getattr(estimate, name), 1) for name in ("value", "low", "high")}
