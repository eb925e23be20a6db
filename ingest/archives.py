"""Archives as sources of files, as folders are: unpacked one file at a time, when asked for.

A caged process (`unpack.py`) does the unpacking; here its files are asked for and handed on.
"""

from __future__ import annotations

import contextlib
import math
import selectors
import shutil
import stat
import tempfile
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.process import NONSENSE, Process
from mmsearch import errors
from mmsearch.config import Settings
from mmsearch.errors import LimitExceeded, MMSearchError, UnreadableFile

_LONGEST = 10_000  # characters of a name, or of a reason with a name in it


@dataclass(frozen=True, slots=True)
class Entry:
    """One file out of an archive.

    `name` is its path within the archive, with "/", and like no other in it. `path` is where it
    has been unpacked to: the receiver removes that file's folder when done, and the `sidecar` with
    it, the text of the file as the archive holds it. `size` in bytes, `mtime` in seconds.
    """

    name: str
    path: Path
    size: int
    mtime: float
    sidecar: Path | None = None


@dataclass(frozen=True, slots=True)
class PassedEntry:
    """A file of an archive that is not unpacked, and why.

    `failed` tells an error from a choice, `error` is then its class.
    """

    name: str
    reason: str
    failed: bool = False
    error: str = ""


def entries(
    path: Path,
    settings: Settings,
    *,
    passwords: Sequence[str],
    spool: Path,
    wanted: Callable[[str], bool],
) -> Generator[Entry | PassedEntry, None, None]:
    """The files of an archive, each unpacked when it is asked for. Close it when it is not used up.

    Hidden files are left out, sidecars come with the file that they belong to.

    Args:
        passwords: tried in turn on what is encrypted.
        spool: the folder to unpack to.
        wanted: whether a file of this name is to be unpacked; others are passed.

    Raises:
        UnreadableFile: it is no archive, or damaged: also midway, after files that are good.
        NeedsPassword: not even its names can be read.
        LimitExceeded: more files, bytes or time than `settings` allow: also midway.
        MissingExtra: a package for this kind of archive is not installed.
    """
    room = Path(tempfile.mkdtemp(prefix="archive-", dir=spool))
    given: set[Path] = set()  # folders that are the receiver's now
    process = Process(
        "ingest.unpack", settings, path=str(path), room=str(room), passwords=list(passwords)
    )
    try:
        while (said := _heard(process, path, room, settings)) is not None:
            if isinstance(said, list):
                taken = [wanted(name) for name in said]
                for name, is_taken in zip(said, taken, strict=True):
                    if not is_taken:
                        yield PassedEntry(name, f"unsupported type {_suffix(name)}")
                process.send({"take": taken})
            elif isinstance(said, PassedEntry):
                yield said
            else:
                given.add(said.path.parent)
                yield said
                process.send({"next": True})
    finally:
        process.end()
        _tidy(room, given)


def _heard(
    process: Process, path: Path, room: Path, settings: Settings
) -> list[str] | PassedEntry | Entry | None:
    """What the process says next, within its time: names to choose from, or about one of them."""
    while True:
        header = _frame(process, path, settings)
        if "failed" in header:
            raise _error(header.get("error"))(str(header["failed"]))
        try:
            if "names" in header:
                return [_text(name) for name in header["names"]]
            if "passed" in header:
                failing = bool(header["failing"])
                error = _error(header["error"]).__name__ if failing else ""
                reason = _text(header["reason"])
                return PassedEntry(_text(header["passed"]), reason, failing, error)
            if "unpacked" in header:
                return _entry(header, room)
        except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
            raise UnreadableFile(f"{path.name}: {NONSENSE}") from error
        if "end" in header:
            return None


def _frame(process: Process, path: Path, settings: Settings) -> dict[str, Any]:
    with selectors.DefaultSelector() as selector:
        selector.register(process.link, selectors.EVENT_READ)
        ready = selector.select(settings.open_timeout)
    if not ready:
        raise LimitExceeded(
            f"{path.name}: unpacking took longer than {settings.open_timeout:g} s; "
            "raise the setting open_timeout"
        )
    frame = process.receive()
    if frame is None:
        raise UnreadableFile(f"{path.name}: {process.cause_of_death()}")
    return frame[0]


def _entry(header: dict[str, Any], room: Path) -> Entry:
    """A file that the process says it unpacked; it is not believed where else files may be."""
    folder = room / str(int(header["folder"]))
    path = _within(folder, header["file"])
    sidecar = _within(folder, header["sidecar"]) if header["sidecar"] else None
    mtime = float(header["mtime"])
    if not math.isfinite(mtime):
        raise ValueError("no time")
    # To the millisecond: such a number comes back from the index as it was.
    name = _text(header["unpacked"])
    return Entry(name, path, path.stat().st_size, round(mtime, 3), sidecar)


def _text(said: object) -> str:
    """What the process says as text that can be written down."""
    if not isinstance(said, str) or len(said) > _LONGEST:
        raise ValueError("no text")
    said.encode()
    return said


def _within(folder: Path, name: str) -> Path:
    path = folder / name
    if path.parent != folder or not stat.S_ISREG(path.lstat().st_mode):
        raise ValueError("not a file in the folder for it")
    return path


def _error(name: Any) -> type[MMSearchError]:
    kind = getattr(errors, str(name), UnreadableFile)
    return kind if isinstance(kind, type) and issubclass(kind, MMSearchError) else UnreadableFile


def _suffix(name: str) -> str:
    return Path(name).suffix.lower() or "(no ending)"


def _tidy(room: Path, given: set[Path]) -> None:
    """Remove what was begun; what was handed on stays until its receiver removes it."""
    with contextlib.suppress(OSError):
        for folder in room.iterdir():
            if folder not in given:
                shutil.rmtree(folder, ignore_errors=True)
        room.rmdir()
