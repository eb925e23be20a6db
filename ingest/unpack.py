"""The unpacking process: opens a hostile archive under limits and writes its files out.

Started by `archives.py` as `python -P -m ingest.unpack FD PARENT`; speaks `frames.py` over that
socket. It names what there is, hears what is wanted, and then unpacks one file for each word of
its parent's, below a folder of its own.
"""

from __future__ import annotations

import math
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ingest import sidecars
from ingest.containers import LOCKED, Container, Member, open_container
from ingest.containers.names import is_hidden, is_unsafe, plain, shown, unlike
from ingest.containers.spool import Spool, too_many_bytes
from ingest.frames import receive, send
from ingest.process import begin, one_line, too_hungry
from mmsearch.config import Settings
from mmsearch.errors import LimitExceeded, MMSearchError, NeedsPassword, UnreadableFile
from mmsearch.images import EXTENSIONS as IMAGE_EXTENSIONS
from mmsearch.paths import is_archive

_NAMES_AT_ONCE = 500
_LISTED = 10  # files that are looked at for each that may be taken
_FREE_BYTES = 100 << 20  # that any archive may unpack to, however small it is
_ALIVE = 2.0  # seconds between signs of life
_SCANS = IMAGE_EXTENSIONS | {".pdf"}  # what sidecars are made of


def main() -> None:
    """Unpack the one archive that the parent names."""
    link, settings, start = begin()
    path = Path(start["path"])
    try:
        parent = _Parent(link, path.stat().st_mtime)
        _unpack(parent, settings, path, Path(start["room"]), start["passwords"])
    except MMSearchError as error:
        send(link, {"failed": str(error), "error": type(error).__name__})
    except MemoryError:
        reason = f"{path.name}: {too_hungry(settings)}"
        send(link, {"failed": reason, "error": LimitExceeded.__name__})
    except Exception as error:  # a library met something that nobody foresaw
        send(link, {"failed": f"{path.name}: {one_line(error)}", "error": UnreadableFile.__name__})
    else:
        send(link, {"end": True})


class _Parent:
    """Who is told what there is, and says what is wanted."""

    def __init__(self, link: socket.socket, mtime: float) -> None:
        self._link = link
        self._mtime = mtime  # of files that have none
        self._next_sign = time.monotonic() + _ALIVE

    def wants(self, names: list[str]) -> list[bool]:
        """Which of the files it wants."""
        return [bool(answer) for answer in self._asked({"names": names})["take"]]

    def pass_over(self, member: Member, reason: str, *, failing: bool = True) -> None:
        """This file is not to be had."""
        error = NeedsPassword if reason == LOCKED else UnreadableFile
        send(
            self._link,
            {
                "passed": member.name,
                "reason": reason,
                "failing": failing,
                "error": error.__name__,
            },
        )

    def hand_on(self, member: Member, folder: Path, file: str, sidecar: str) -> None:
        """This file is unpacked; returns when the next one is wanted."""
        mtime = self._mtime if member.mtime is None else member.mtime
        if not math.isfinite(mtime):
            mtime = self._mtime
        self._asked(
            {
                "unpacked": member.name,
                "folder": folder.name,
                "file": file,
                "sidecar": sidecar,
                "mtime": mtime,
            }
        )

    def sign(self) -> None:
        """Say now and then that this goes on."""
        now = time.monotonic()
        if now >= self._next_sign:
            self._next_sign = now + _ALIVE
            send(self._link, {"alive": True})

    def _asked(self, header: dict[str, Any]) -> dict[str, Any]:
        send(self._link, header)
        frame = receive(self._link)
        if frame is None:
            sys.exit(0)
        self._next_sign = time.monotonic() + _ALIVE
        return frame[0]


class _Allowance:
    """The bytes that may come out of an archive, counted as they come."""

    def __init__(self, parent: _Parent, path: Path, settings: Settings) -> None:
        self._parent = parent
        self._name = path.name
        by_ratio = _FREE_BYTES + settings.archive_ratio * path.stat().st_size
        self._bytes = min(by_ratio, settings.archive_bytes)
        ratio_decides = by_ratio < settings.archive_bytes
        self._setting = "archive_ratio" if ratio_decides else "archive_bytes"
        self._used = 0

    def __call__(self, size: int) -> None:
        self._used += size
        if self._used > self._bytes:
            raise LimitExceeded(
                f"{self._name}: unpacks to more than {self._bytes >> 20} MiB; "
                f"raise the setting {self._setting}"
            )
        self._parent.sign()

    def start_anew(self) -> None:
        """Another pass over the archive begins."""
        self._used = 0


def _unpack(
    parent: _Parent, settings: Settings, path: Path, room: Path, passwords: Sequence[str]
) -> None:
    read = _Allowance(parent, path, settings)
    # Beside what is read there is what is written: holes in a file are only in the latter.
    written = _Allowance(parent, path, settings)
    with open_container(path, passwords, read) as container:
        files, trouble = _listed(container, settings, path, read)
        texts = _sidecars(files)
        beside = set(texts.values())
        offered = [member for number, member in files.items() if number not in beside]
        taken = list(_taken(parent, settings, offered))
        if len(taken) > settings.archive_entries:
            trouble = _too_many(path, settings.archive_entries)
            del taken[settings.archive_entries :]
        spool = Spool(
            room,
            files,
            {number: texts[number] for number in taken if number in texts},
            settings.max_file_bytes,
            written,
            hand_on=parent.hand_on,
            pass_over=parent.pass_over,
            moved=container.any_order,
        )
        try:
            _pour(container, spool, taken, read)
        finally:
            spool.close()
    if trouble:
        raise trouble


def _listed(
    container: Container, settings: Settings, path: Path, read: _Allowance
) -> tuple[dict[int, Member], MMSearchError | None]:
    """Every file by its number, under a name of its own, and what kept further ones away."""
    files: dict[int, Member] = {}
    seen: dict[str, int] = {}
    limit = _LISTED * settings.archive_entries
    try:
        for member in container.members():
            read(0)
            name = plain(member.name)
            if not name or is_hidden(name):
                continue
            if len(files) >= limit:
                raise _too_many(path, limit)
            unsafe = is_unsafe(name)
            files[member.number] = replace(
                member,
                name=unlike(shown(name) if unsafe else name, seen),
                unsafe=unsafe,
            )
    except MMSearchError as error:
        return files, error
    return files, None


def _sidecars(files: Mapping[int, Member]) -> dict[int, int]:
    """The number of its sidecar for each scan that has one."""
    names = {
        member.name: number
        for number, member in files.items()
        if sidecars.is_sidecar_name(member.name)
        and member.size <= sidecars.MAX_BYTES
        and _is_fine(member)
    }
    known = frozenset(names)
    found = {}
    for number, member in files.items():
        if known and Path(member.name).suffix.lower() in _SCANS:
            sidecar = sidecars.beside(member.name, known)
            if sidecar is not None:
                found[number] = names[sidecar]
    return found


def _taken(parent: _Parent, settings: Settings, offered: Sequence[Member]) -> Iterator[int]:
    """The numbers of the files that are wanted and can be had; the parent hears of the others."""
    for start in range(0, len(offered), _NAMES_AT_ONCE):
        members = offered[start : start + _NAMES_AT_ONCE]
        wanted = parent.wants([member.name for member in members])
        for member, is_wanted in zip(members, wanted, strict=True):
            if not is_wanted:
                continue
            if member.unsafe:
                parent.pass_over(member, member.unsafe)
            elif member.obstacle:
                parent.pass_over(member, member.obstacle, failing=False)
            elif member.size > settings.max_file_bytes and not is_archive(member.name):
                parent.pass_over(member, too_many_bytes(member.size, settings.max_file_bytes))
            else:
                yield member.number


def _pour(container: Container, spool: Spool, taken: Sequence[int], read: _Allowance) -> None:
    """Unpack what is taken, each file after its sidecar."""
    if container.any_order:
        order = [n for number in taken for n in (spool.texts.get(number), number) if n is not None]
        container.unpack(order, spool)
        return
    for numbers in (sorted(set(spool.texts.values())), taken):
        read.start_anew()
        container.unpack(numbers, spool)


def _is_fine(member: Member) -> bool:
    return not (member.obstacle or member.unsafe)


def _too_many(path: Path, limit: int) -> LimitExceeded:
    return LimitExceeded(
        f"{path.name}: holds more than {limit} files; raise the setting archive_entries"
    )


if __name__ == "__main__":
    main()
