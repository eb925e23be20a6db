"""The only place that writes to a terminal: whatever a file is called, it stays one plain line."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
from collections.abc import Iterable
from typing import Any

_SPACES = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TURNS = re.compile(r"[\u202a-\u202e\u2066-\u2069]")  # of the direction of what follows
_HARMFUL_IN_JSON = re.compile(r"[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def make_streams_safe() -> None:
    """Show bytes of a file name that are no text as `\\udcff`, which JSON reads as well."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def plain(text: str) -> str:
    """One line without control characters."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", _TURNS.sub("", _SPACES.sub(" ", text)))


def shortened(text: str, width: int) -> str:
    """At most `width` characters of a text, the middle left out: the ends of a path tell most."""
    if len(text) <= width:
        return text
    if width < 2:
        return "…"[:width]
    tail = (width - 1) * 2 // 3
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"


def show(line: str = "") -> None:
    """A line of the result, on stdout."""
    sys.stdout.write(f"{plain(line)}\n")
    sys.stdout.flush()


def show_marked(line: str, spans: Iterable[tuple[int, int]]) -> None:
    """A line of the result whose `spans` are bold on a terminal that may show that."""
    from typer import echo, style

    shown, last = "", 0
    for start, end in spans:
        shown += plain(line[last:start]) + style(plain(line[start:end]), bold=True)
        last = end
    bare = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    echo(shown + plain(line[last:]), color=False if bare else None)  # None: not in a pipe


def say(line: str) -> None:
    """A line beside the result, on stderr."""
    sys.stderr.write(f"{plain(line)}\n")
    sys.stderr.flush()


def show_json(row: Any) -> None:
    """A JSON object on a line of stdout; control characters are escaped, so nothing is lost."""
    sys.stdout.write(f"{as_json(row)}\n")
    sys.stdout.flush()


def show_csv(values: Iterable[Any]) -> None:
    """A row of CSV on a line of stdout."""
    row = io.StringIO()
    csv.writer(row, lineterminator="").writerow(values)
    show(row.getvalue())


def as_json(row: Any) -> str:
    """One line of JSON that is harmless on a terminal."""
    text = json.dumps(row, ensure_ascii=False)
    return _HARMFUL_IN_JSON.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def counted(number: int, noun: str) -> str:
    """A number of things: 1 page, 1,200 pages."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def number(value: Any) -> str:
    """A figure of a table."""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def size(count: float) -> str:
    """Bytes, for people."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}" if unit != "bytes" else f"{count:.0f} bytes"
        count /= 1000
    return f"{count:.3g} TB"


def duration(seconds: float) -> str:
    """A time span as a clock shows it: 3:20, 1:03:20."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def rough_duration(seconds: float) -> str:
    """A time span no finer than it is known: 7 s, 40 s, 12 min, 2 h 10 min, 3 days."""
    if seconds < 90:
        return f"{max(round(seconds), 1) if seconds < 20 else round(seconds / 10) * 10} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(round(minutes / 10) * 10, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"
    return f"{round(hours / 24)} days"
