"""tar, plain or compressed by gzip, bzip2, xz or Zstandard: read from front to back."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self, cast

from ingest.containers import LINK, SPECIAL, Member, Progress, Sink, damaged
from ingest.containers.names import decode

_CHUNK = 1 << 18
_tarfile: Any = tarfile  # its kinds of errors are not all declared


def open_container(path: Path, passwords: Sequence[str], progress: Progress) -> Tar:
    """Open a tar file; tar knows no passwords."""
    return Tar(path, progress)


class Tar:
    """A tar file. Each pass decompresses it anew: that is cheap beside reading what is in it."""

    any_order = False

    def __init__(self, path: Path, progress: Progress) -> None:
        self._path = path
        self._progress = progress

    def members(self) -> Iterator[Member]:
        """See `Container.members`."""
        with _errors(self._path):
            for number, header, _ in self._headers():
                if not header.isdir():
                    obstacle = "" if header.isreg() else LINK
                    if header.isdev():
                        obstacle = SPECIAL
                    yield Member(number, _name(header), header.size, float(header.mtime), obstacle)

    def unpack(self, numbers: Sequence[int], sink: Sink) -> None:
        """See `Container.unpack`."""
        missing = set(numbers)
        if not missing:
            return
        with _errors(self._path):
            for number, header, tar in self._headers():
                if number in missing:
                    content = tar.extractfile(header)
                    if content is None:
                        sink.failed(number, LINK)
                    else:
                        sink.start(number)
                        while chunk := content.read(_CHUNK):
                            sink.write(chunk)
                        sink.end()
                    missing.discard(number)
                    if not missing:
                        return

    def _headers(self) -> Iterator[tuple[int, tarfile.TarInfo, Any]]:
        with self._path.open("rb") as file, _decompressed(file) as stream:
            compressed = stream is not file
            tar: Any = tarfile.open(  # noqa: SIM115 - it holds nothing that has to be closed
                fileobj=cast(IO[bytes], _Counted(stream, self._progress, in_parts=compressed)),
                mode="r|" if compressed else "r:",
                bufsize=_CHUNK,
                tarinfo=_Header,
                encoding="utf-8",
                errors="surrogateescape",
            )
            number = 0
            while header := tar.next():
                yield number, header, tar
                number += 1
                tar.members.clear()  # else it remembers every header

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


class _Header(tarfile.TarInfo):
    """A header; a damaged one is an error, where tarfile takes it for the end of the archive."""

    @classmethod
    def fromtarfile(cls, tarfile: Any) -> Self:
        try:
            header = super().fromtarfile(tarfile)
        except (_tarfile.InvalidHeaderError, _tarfile.TruncatedHeaderError) as error:
            raise _tarfile.ReadError(f"{error} at byte {tarfile.offset}") from error
        if header.size < 0 or tarfile.offset <= header.offset:  # it would go round in circles
            raise _tarfile.ReadError(f"impossible size at byte {header.offset}")
        return header


class _Counted:
    """A stream that tells how much is read of it."""

    def __init__(self, stream: Any, progress: Progress, *, in_parts: bool) -> None:
        # In parts, as they come: else what a cut file still holds is lost with the error.
        self._read = stream.read1 if in_parts else stream.read
        self._progress = progress
        self.seek = stream.seek
        self.tell = stream.tell

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._read(size)
        self._progress(len(data))
        return data


def _decompressed(file: IO[bytes]) -> Any:
    """The stream within, by the first bytes."""
    head = file.read(6)
    file.seek(0)
    if head.startswith(b"\x1f\x8b"):
        import gzip

        return gzip.GzipFile(fileobj=file)
    if head.startswith(b"BZh"):
        import bz2

        return bz2.BZ2File(file)
    if head.startswith(b"\xfd7zXZ\x00"):
        import lzma

        return lzma.LZMAFile(file)
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        from backports import zstd

        return zstd.ZstdFile(file)
    return file


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    import lzma

    from backports.zstd import ZstdError

    try:
        yield
    except (
        *(tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, ZstdError),
        *(OSError, ValueError, OverflowError),  # of gzip and bz2
    ) as error:
        raise damaged(path, " ".join(str(error).split())[:200]) from error


def _name(header: tarfile.TarInfo) -> str:
    return decode(header.name.encode("utf-8", "surrogateescape"), otherwise="latin-1")
