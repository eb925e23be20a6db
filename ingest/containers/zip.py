"""zip, also encrypted, compressed by other methods than zip's own, or without its directory."""

from __future__ import annotations

import datetime
import itertools
import stat
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from ingest.containers import HUNGRY, LINK, LOCKED, SPECIAL, Member, Progress, Sink, damaged
from ingest.containers.names import decode
from mmsearch.errors import MMSearchError, UnreadableFile

_CHUNK = 1 << 18
# Other methods than deflate give out all that they have: little in keeps what comes out small.
_SMALL_CHUNK = 4096
_UTF8_NAME = 0x800
_UNICODE_PATH = 0x7075
_TIMESTAMP = 0x5455
_LOCAL_HEADER = 30  # bytes, without the name


def open_container(path: Path, passwords: Sequence[str], progress: Progress) -> Zip:
    """Open a zip file; one whose directory is lost is gone through from front to back."""
    from ingest.containers.zip_parts import ZipReader, find_entries

    reader = ZipReader(path)
    cause = reader.trouble
    entries = reader.infolist()
    if cause:
        entries = find_entries(path)
    if cause and not entries:
        reader.close()
        raise damaged(path, cause)
    return Zip(path, reader, entries, cause, passwords, progress)


class Zip:
    """A zip file; its entries can be read in any order."""

    any_order = True

    def __init__(
        self,
        path: Path,
        reader: Any,
        entries: Sequence[Any],
        trouble: str,
        passwords: Sequence[str],
        progress: Progress,
    ) -> None:
        self._path = path
        self._reader = reader
        self._entries = entries
        self._trouble = trouble
        self._passwords = list(passwords)
        self._progress = progress

    def members(self) -> Iterator[Member]:
        """See `Container.members`."""
        _refuse_overlaps(self._path, self._entries)
        for number, entry in enumerate(self._entries):
            name = _name(entry)
            if not name.endswith(("/", "\\")):
                yield Member(number, name, entry.file_size, _mtime(entry), _obstacle(entry))

    def unpack(self, numbers: Sequence[int], sink: Sink) -> None:
        """See `Container.unpack`."""
        for number in numbers:
            entry = self._entries[number]
            reason = self._unpack(entry, number, sink)
            if reason:
                sink.failed(number, reason)
        if self._trouble:
            raise damaged(self._path, self._trouble)

    def _unpack(self, entry: Any, number: int, sink: Sink) -> str:
        """Unpack one entry; why that failed, or nothing."""
        if not entry.is_encrypted:
            return self._pour(entry, None, number, sink)
        for password in list(self._passwords):
            if not self._pour(entry, password.encode(), number, sink):
                # It is tried first on the next one: a wrong one is costly to find out.
                self._passwords.remove(password)
                self._passwords.insert(0, password)
                return ""
        return LOCKED

    def _pour(self, entry: Any, password: bytes | None, number: int, sink: Sink) -> str:
        from ingest.containers.zip_parts import DEFLATED_OR_STORED

        size = _CHUNK if entry.compress_type in DEFLATED_OR_STORED else _SMALL_CHUNK
        try:
            with self._reader.open(entry, pwd=password) as content:
                sink.start(number)
                left = entry.file_size
                while chunk := content.read1(size):
                    left -= len(chunk)
                    self._progress(len(chunk))
                    sink.write(chunk)
                if left:
                    return "damaged (it ends too early); download the archive again"
                sink.end()
        except MMSearchError:
            raise
        except MemoryError:
            return HUNGRY
        except NotImplementedError as error:
            return f"{error} is not read; pack it again with another program"
        except Exception as error:  # as many kinds as there are methods, and as bytes that lie
            cause = " ".join(str(error).split())[:100] or type(error).__name__
            return f"damaged ({cause}); download the archive again"
        return ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()


def _refuse_overlaps(path: Path, entries: Iterable[Any]) -> None:
    """Entries that share their bytes are how a small file unpacks to any size."""
    places = sorted((entry.header_offset, entry.compress_size) for entry in entries)
    for (start, size), (following, _) in itertools.pairwise(places):
        if start + _LOCAL_HEADER + size > following:
            raise UnreadableFile(
                f"{path.name}: its entries overlap, which is how archives are made that unpack "
                "without end; pack its files again"
            )


def _obstacle(entry: Any) -> str:
    mode = entry.external_attr >> 16
    if stat.S_ISLNK(mode):
        return LINK
    return "" if stat.S_IFMT(mode) in (0, stat.S_IFREG) else SPECIAL


def _name(entry: Any) -> str:
    given: str = entry.orig_filename
    if entry.flag_bits & _UTF8_NAME:
        return given
    raw = given.encode("cp437")
    unicode_path = _extra(entry, _UNICODE_PATH)
    if len(unicode_path) > 5 and unicode_path[1:5] == struct.pack("<I", zlib.crc32(raw)):
        return unicode_path[5:].decode(errors="replace")
    return decode(raw, otherwise="cp437")


def _mtime(entry: Any) -> float | None:
    stamp = _extra(entry, _TIMESTAMP)
    if len(stamp) >= 5 and stamp[0] & 1:
        return float(struct.unpack_from("<i", stamp, 1)[0])
    try:
        return datetime.datetime(*entry.date_time).timestamp()  # in local time
    except (ValueError, OverflowError, OSError):
        return None


def _extra(entry: Any, wanted: int) -> bytes:
    """An extra field of an entry, empty where it has none of this kind."""
    extra: bytes = entry.extra
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        if kind == wanted:
            return extra[4 : 4 + size]
        extra = extra[4 + size :]
    return b""
