"""The commands that read files: `ingest`, `retry`, `sync`; they run and report alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmsearch.cli import options
from mmsearch.cli.lines import say, show_json
from mmsearch.cli.progress import view
from mmsearch.cli.reporting import check_writable, show_report, write_report
from mmsearch.cli.stopping import stoppable

if TYPE_CHECKING:
    from ingest import Report
    from mmsearch.engine import SearchEngine

STOPPED = "stopped; what was finished is kept, run the same command to go on"


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders.", show_default=False)],
    index: options.Index = None,
    profile: options.ProfileName = None,
    jobs: options.Jobs = None,
    ocr: options.Ocr = None,
    retry: Annotated[bool, typer.Option("--retry", help="Read again what failed before.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what there is to do and how long it will take.")
    ] = False,
    ask_password: options.AskPassword = False,
    report: options.ReportFile = None,
    as_json: options.Json = False,
) -> None:
    """Read files and folders into the index; unchanged files are skipped."""
    if dry_run:
        from mmsearch.cli.forecasting import show_forecast

        settings = options.settings_of(index=index, workers=jobs, ocr=ocr)
        passwords = options.asked_passwords() if ask_password else ()
        show_forecast(paths, settings, profile, retry=retry, passwords=passwords, as_json=as_json)
        return

    def carry_out(engine: SearchEngine, **given: Any) -> Report:
        from ingest.pipeline import run

        return run(paths, engine, retry=retry, **given)

    _run(
        carry_out, index=index, profile=profile, create=True, jobs=jobs, ocr=ocr,
        ask_password=ask_password, report_file=report, as_json=as_json,
    )  # fmt: skip


def retry(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Only what is there or below.", show_default=False),
    ] = None,
    index: options.Index = None,
    jobs: options.Jobs = None,
    ocr: options.Ocr = None,
    ask_password: options.AskPassword = False,
    report: options.ReportFile = None,
    as_json: options.Json = False,
) -> None:
    """Read again what failed: whole documents, and single pages of others."""

    def carry_out(engine: SearchEngine, **given: Any) -> Report:
        from ingest.syncing import retry as retry_

        return retry_(engine, paths or (), **given)

    _run(
        carry_out, index=index, jobs=jobs, ocr=ocr,
        ask_password=ask_password, report_file=report, as_json=as_json,
    )  # fmt: skip


def sync(
    folders: options.Folders,
    index: options.Index = None,
    profile: options.ProfileName = None,
    jobs: options.Jobs = None,
    ocr: options.Ocr = None,
    keep_missing: options.KeepMissing = False,
    ask_password: options.AskPassword = False,
    report: options.ReportFile = None,
    as_json: options.Json = False,
) -> None:
    """Make the index equal to folders: add, update, move and remove documents."""

    def carry_out(engine: SearchEngine, **given: Any) -> Report:
        from ingest.syncing import sync as sync_

        return sync_(folders, engine, keep_missing=keep_missing, **given)

    _run(
        carry_out, index=index, profile=profile, create=True, jobs=jobs, ocr=ocr,
        ask_password=ask_password, report_file=report, as_json=as_json,
    )  # fmt: skip


def _run(
    carry_out: Callable[..., Report],
    *,
    index: str | None,
    jobs: int | None,
    ocr: str | None,
    ask_password: bool,
    report_file: Path | None,
    as_json: bool,
    profile: str | None = None,
    create: bool = False,
) -> None:
    """Open the index, show the run, report it; exit 1 if a file failed, 130 or 143 if stopped."""
    if report_file:
        check_writable("report", report_file)
    passwords = options.asked_passwords() if ask_password else ()
    shown = view(as_json=as_json)
    with open_for_reading(
        index, profile=profile, create=create, jobs=jobs, ocr=ocr, quiet=as_json
    ) as engine:
        with stoppable(shown.stopping) as stop, shown:
            report = carry_out(
                engine,
                passwords=passwords,
                stop=stop.event,
                progress=shown.update,
                on_file=shown.file,
            )
        address = engine.index.address
    if as_json:
        show_json({"event": "report"} | report.as_row(files=False))
    else:
        show_report(report)
    write_report(report, address, report_file)
    if report.stopped:
        raise typer.Exit(stop.exit_code)
    if report.of("failed"):
        raise typer.Exit(1)


def open_for_reading(
    index: str | None,
    *,
    profile: str | None,
    jobs: int | None,
    ocr: str | None,
    create: bool = True,
    quiet: bool = False,
) -> SearchEngine:
    """The engine of the index that files are read into; says which, and what could be better."""
    engine = options.open_index(index, profile=profile, create=create, ocr=ocr, workers=jobs)
    if not quiet:
        say(f"index {engine.index.address}, profile {engine.profile.name}")
        if profile is None:
            _advise(engine)
    return engine


def _advise(engine: SearchEngine) -> None:
    """Say what would make a better index, where `auto` had to do without its weights."""
    from mmsearch import profiles

    settings = engine.settings
    if settings.profile != "auto" or engine.profile.name != profiles.FALLBACK:
        return
    if profiles.accelerator(settings) and not profiles.has_models(profiles.MAIN, settings):
        say(
            f"this machine has an accelerator; for an index of the page pictures, run: "
            f"mmsearch models pull {profiles.MAIN}, then ingest into a new index"
        )
