"""What pyzipper leaves out: further methods, headers that disagree, a lost directory."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path
from typing import IO, Any

from pyzipper import ZIP_DEFLATED, ZIP_STORED
from pyzipper.zipfile_aes import AESZipExtFile, AESZipFile, AESZipInfo

DEFLATED_OR_STORED = (ZIP_DEFLATED, ZIP_STORED)

_LOCAL_MARK = b"PK\x03\x04"
_DESCRIPTOR_MARK = b"PK\x07\x08"
_LOCAL = struct.Struct("<4s5H3L2H")
_UTF8_NAME = 0x800
_SIZES_FOLLOW = 0x8
_BLOCK = 1 << 20
_DEFLATE64, _ZSTD, _XZ = 9, 93, 95


class _Entry(AESZipInfo):  # type: ignore[misc]
    """An entry whose extra fields may be nonsense as long as it can be unpacked."""

    def _decodeExtra(self) -> None:
        with contextlib.suppress(Exception):
            super()._decodeExtra()


class _Content(AESZipExtFile):  # type: ignore[misc]
    """The content of an entry; the directory is believed, not what the local header repeats."""

    def process_local_header(self) -> None:
        header = self._fileobj.read(_LOCAL.size)
        if len(header) < _LOCAL.size or not header.startswith(_LOCAL_MARK):
            raise ValueError("nothing is where its directory says")
        *_, name_size, extra_size = _LOCAL.unpack(header)
        self._fileobj.read(name_size + extra_size)

    def get_decompressor(self, compress_type: int) -> Any:
        if compress_type == _DEFLATE64:
            return _Inflate64()
        if compress_type == _ZSTD:
            from backports import zstd

            return zstd.ZstdDecompressor()
        if compress_type == _XZ:
            import lzma

            return lzma.LZMADecompressor(lzma.FORMAT_XZ)
        return super().get_decompressor(compress_type)


class _Inflate64:
    """inflate64 behind the interface of the other decompressors."""

    def __init__(self) -> None:
        import inflate64

        self._inflater = inflate64.Inflater()

    @property
    def eof(self) -> bool:
        return bool(self._inflater.eof)

    def decompress(self, data: bytes) -> bytes:
        return bytes(self._inflater.inflate(data))


class ZipReader(AESZipFile):  # type: ignore[misc]
    """A zip file to read. `trouble` says what is wrong with its directory, if anything."""

    zipinfo_cls = _Entry
    zipextfile_cls = _Content

    def __init__(self, path: Path) -> None:
        self.trouble = ""
        try:
            super().__init__(path)
        except MemoryError:
            raise
        except Exception as error:  # a directory is bytes that may say anything
            self.trouble = " ".join(str(error).split())[:200] or type(error).__name__
            self.fp = path.open("rb")
            self._fileRefCnt = 1


def find_entries(path: Path) -> list[_Entry]:
    """The complete entries of a zip file that has no directory, by their local headers."""
    found = []
    size = path.stat().st_size
    with path.open("rb") as file:
        at = _find(file, _LOCAL_MARK, 0)
        descriptors_left = True
        while at >= 0:
            file.seek(at)
            entry, start = _local_entry(file, at)
            end = start
            if entry is not None:
                if entry.use_datadescripter and not entry.compress_size and descriptors_left:
                    descriptors_left = _take_descriptor(file, entry, start)
                end = start + entry.compress_size
                unknown = entry.use_datadescripter and not (descriptors_left or entry.compress_size)
                if end <= size and not unknown:
                    found.append(entry)
            at = _find(file, _LOCAL_MARK, end)
    return found


def _local_entry(file: IO[bytes], at: int) -> tuple[_Entry | None, int]:
    """The entry whose local header is at `at`, and where its bytes start."""
    header = file.read(_LOCAL.size)
    if len(header) < _LOCAL.size:
        return None, at + len(_LOCAL_MARK)
    _, version, flags, method, time, date, crc, packed, size, name_size, extra_size = _LOCAL.unpack(
        header
    )
    raw = file.read(name_size)
    name = raw.decode("utf-8" if flags & _UTF8_NAME else "cp437", errors="replace")
    day = ((date >> 9) + 1980, (date >> 5) & 15, date & 31)
    entry = _Entry(name)
    entry.extra = file.read(extra_size)
    entry.extract_version, entry.flag_bits, entry.compress_type = version, flags, method
    entry.CRC, entry.compress_size, entry.file_size = crc, packed, size
    entry.date_time = (*day, time >> 11, (time >> 5) & 63, (time & 31) * 2)
    entry._raw_time = time
    entry.header_offset = at
    entry._decodeExtra()
    return entry, at + _LOCAL.size + name_size + extra_size


def _take_descriptor(file: IO[bytes], entry: _Entry, start: int) -> bool:
    """Take the sizes from behind the bytes of an entry; False where they are not to be found."""
    at = _find(file, _DESCRIPTOR_MARK, start)
    while at >= 0:
        file.seek(at + len(_DESCRIPTOR_MARK))
        rest = file.read(20)
        for form in ("<3L", "<LQQ"):
            if len(rest) >= struct.calcsize(form):
                crc, packed, size = struct.unpack_from(form, rest)
                if packed == at - start:
                    entry.CRC, entry.compress_size, entry.file_size = crc, packed, size
                    return True
        at = _find(file, _DESCRIPTOR_MARK, at + 1)
    return False


def _find(file: IO[bytes], mark: bytes, start: int) -> int:
    """Where `mark` stands next, from `start`; -1 when nowhere."""
    file.seek(start)
    tail = b""
    while block := file.read(_BLOCK):
        block = tail + block
        if (at := block.find(mark)) >= 0:
            return start + at
        tail = block[-len(mark) + 1 :]
        start += len(block) - len(tail)
    return -1
