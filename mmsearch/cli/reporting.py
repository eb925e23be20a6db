"""What a run says at its end: to people, as JSON, and to the file that is kept of it."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mmsearch.cli.lines import as_json, counted, say, show
from mmsearch.errors import InvalidSetting

if TYPE_CHECKING:
    from ingest import FileResult, Report

_SHOWN = 20  # lines of one sort on a terminal; the file holds all
_KEPT = 20  # report files
_NAME = re.compile(r"\d{8}T\d{6}\.\d{6}Z\.json")


def show_report(report: Report) -> None:
    """Print what became of the files, what is missing of pages, and the totals."""
    show_failed(report.of("failed"), "mmsearch list --failed")
    missing = report.missing().most_common()
    _show_some(
        [f"missing  {counted(pages, 'page')}: {reason}" for reason, pages in missing],
        "mmsearch list --failed",
    )
    for line in skipped_lines(report.of("skipped")):
        show(f"skipped  {line}")
    removed = [f"removed  {result.path}: {result.reason}" for result in report.of("removed")]
    _show_some(removed, "see the report file")
    show(totals(report))
    if report.stopped and report.pages_read:
        show(f"{counted(report.pages_read, 'page')} read so far; the next run goes on behind them")
    if pages := sum(result.pages for result in report.of("done")):
        reading, encoding = report.seconds_reading, report.seconds_encoding
        say(f"read in {_pace(pages, reading)}, vectors in {_pace(pages, encoding)}")


def _pace(pages: int, seconds: float) -> str:
    """Of a short run the pages a second say nothing."""
    rate = f" ({pages / seconds:.1f} pages/s)" if seconds >= 1 else ""
    return f"{seconds:.1f} s{rate}"


def show_failed(results: Iterable[FileResult], rest: str) -> None:
    """Print the first files that failed, and where to find the rest."""
    _show_some([f"failed   {result.path}: {reason_of(result)}" for result in results], rest)


def reason_of(result: FileResult) -> str:
    """Why a file failed, without its name, which stands before it."""
    return result.reason.replace(f"{Path(result.path).name}: ", "", 1)


def totals(report: Report) -> str:
    """How many files ended in which way."""
    done, removed = report.of("done"), report.of("removed")
    line = (
        f"{len(done)} done ({counted(sum(result.pages for result in done), 'page')}), "
        f"{len(report.of('skipped'))} skipped, {len(report.of('failed'))} failed"
    )
    return f"{line}, {len(removed)} removed" if removed else line


def skipped_lines(results: Iterable[FileResult]) -> list[str]:
    """Skipped files by reason, those of unsupported types by ending."""
    from ingest.report import endings

    results = list(results)
    unsupported = endings(results)
    reasons: dict[str, int] = {}
    for result in results:
        if not result.is_unsupported:
            reason = "same content as another" if "same content" in result.reason else result.reason
            reasons[reason] = reasons.get(reason, 0) + 1
    lines = [f"{count} {reason}" for reason, count in sorted(reasons.items())]
    if unsupported:
        by_ending = ", ".join(f"{count} {ending}" for ending, count in unsupported.most_common(10))
        more = ", and others" if len(unsupported) > 10 else ""
        lines.append(f"{unsupported.total()} unsupported: {by_ending}{more}")
    return lines


def check_writable(option: str, path: Path) -> None:
    """Find out before a long run whether the file that an option names can be written.

    Raises:
        InvalidSetting: it cannot.
    """
    folder = path.absolute().parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InvalidSetting(
            f"--{option} {path}: cannot be written; name a file in a folder of yours"
        )


def write_report(report: Report, address: str, path: Path | None) -> None:
    """Keep the report as a file that only its owner can read, and say where.

    Args:
        address: of the index: beside a folder's, the newest reports are kept by themselves.
        path: where it is to be written instead.

    Raises:
        InvalidSetting: `path` cannot be written.
    """
    kept = path is None
    if path is None:
        if "://" in address:
            return
        path = Path(address) / "reports" / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.json"
    try:
        if kept:
            path.parent.mkdir(mode=0o700, exist_ok=True)
        write_whole(path, [as_json(report.as_row()) + "\n"])
        if kept:
            _drop_old(path.parent)
    except OSError as error:
        cause = f"{path}: the report cannot be written: {error.strerror}"
        if not kept:
            raise InvalidSetting(f"{cause}; the run itself is done") from error
        say(cause)
    else:
        say(f"report: {path}")


def write_whole(path: Path, parts: Iterable[str]) -> None:
    """Write a file whole or not at all; `mkstemp` gives it mode 0600."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.absolute().parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(parts)
        os.replace(temporary, path)  # noqa: PTH105 - of a plain name
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108
        raise


def _drop_old(folder: Path) -> None:
    reports = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    for path in reports[:-_KEPT]:
        path.unlink(missing_ok=True)


def _show_some(lines: list[str], rest: str) -> None:
    for line in lines[:_SHOWN]:
        show(line)
    if len(lines) > _SHOWN:
        show(f"         and {len(lines) - _SHOWN} more: {rest}")
