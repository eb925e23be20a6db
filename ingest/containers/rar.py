"""RAR, by libarchive where it is installed; encrypted ones it cannot read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from ingest.containers import LINK, SPECIAL, Member, Progress, Sink
from mmsearch.errors import MissingExtra, UnreadableFile

_BLOCK = 1 << 18
_FIFTH = b"Rar!\x1a\x07\x01"
_LOCKED = "encrypted, which is not read in RAR files; pack it again as zip or 7z"


def open_container(path: Path, passwords: Sequence[str], progress: Progress) -> Rar:
    """Open a RAR file.

    Raises:
        MissingExtra: libarchive is not installed.
    """
    try:
        import libarchive
    except (ImportError, OSError, AttributeError, TypeError) as error:  # as it fails to be found
        raise MissingExtra(
            f"{path.name}: RAR needs libarchive; "
            "apt install libarchive13 && pip install libarchive-c"
        ) from error
    return Rar(path, progress, libarchive)


class Rar:
    """A RAR file, read from front to back."""

    any_order = False

    def __init__(self, path: Path, progress: Progress, libarchive: Any) -> None:
        self._path = path
        self._progress = progress
        self._libarchive = libarchive
        with path.open("rb") as file:
            self._format = "rar5" if file.read(len(_FIFTH)) == _FIFTH else "rar"

    def members(self) -> Iterator[Member]:
        """See `Container.members`."""
        for number, entry in self._entries():
            if not entry.isdir:
                size, mtime = entry.size or 0, entry.mtime
                obstacle = "" if entry.isreg else LINK if entry.issym or entry.islnk else SPECIAL
                yield Member(number, entry.pathname or "", size, mtime, obstacle)

    def unpack(self, numbers: Sequence[int], sink: Sink) -> None:
        """See `Container.unpack`."""
        missing = set(numbers)
        for number, entry in self._entries() if missing else ():
            if number in missing:
                missing.discard(number)
                sink.start(number)
                try:
                    for block in entry.get_blocks(_BLOCK):
                        self._progress(len(block))
                        sink.write(block)
                except self._libarchive.exception.ArchiveError as error:
                    sink.failed(number, _reason(error))
                else:
                    sink.end()
            if not missing:
                return

    def _entries(self) -> Iterator[tuple[int, Any]]:
        try:
            with self._libarchive.file_reader(str(self._path), self._format) as entries:
                yield from enumerate(entries)
        except (self._libarchive.exception.ArchiveError, UnicodeError) as error:
            raise UnreadableFile(f"{self._path.name}: {_reason(error)}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


def _reason(error: Exception) -> str:
    cause = " ".join(str(getattr(error, "msg", None) or error).split())[:150]
    if "ncrypt" in cause:
        return _LOCKED
    return f"damaged or cut short ({cause}); copy or download it again"
