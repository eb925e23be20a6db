"""7z, also encrypted: its files stand in blocks that are unpacked from front to back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from ingest.containers import HUNGRY, LINK, LOCKED, SPECIAL, Member, Progress, Sink, damaged
from mmsearch.errors import MMSearchError, NeedsPassword


def open_container(path: Path, passwords: Sequence[str], progress: Progress) -> SevenZip:
    """Open a 7z file. One that encrypts its names as well needs the password right away."""
    from py7zr.exceptions import PasswordRequired

    first: Exception | None = None
    for password in ("", *passwords):
        try:
            return SevenZip(path, password, passwords, progress)
        except (MMSearchError, MemoryError):
            raise
        except Exception as error:  # a wrong password makes nonsense of any kind
            first = first or error
            if not isinstance(first, PasswordRequired):
                break
    if isinstance(first, PasswordRequired):
        raise NeedsPassword(f"{path.name}: {LOCKED}") from first
    raise damaged(path, _one_line(first)) from first


class SevenZip:
    """A 7z file.

    py7zr reads its headers and unpacks one file after the other; its own loop over them is not
    used: it takes names for keys, and gives a whole archive up for one damaged block.
    """

    any_order = False

    def __init__(
        self, path: Path, password: str, passwords: Sequence[str], progress: Progress
    ) -> None:
        from py7zr import SevenZipFile

        self._progress = progress
        self._passwords = list(passwords)
        self._file = path.open("rb")
        try:
            self._archive = SevenZipFile(self._file, password=password or None)
        except BaseException:
            self._file.close()
            raise

    def members(self) -> Iterator[Member]:
        """See `Container.members`."""
        for number, file in enumerate(self._archive.files):
            if not file.is_directory:
                size = file.uncompressed or 0
                yield Member(number, file.filename, size, _mtime(file), _obstacle(file))

    def unpack(self, numbers: Sequence[int], sink: Sink) -> None:
        """See `Container.unpack`."""
        wanted = set(numbers)
        number_of = {id(file): n for n, file in enumerate(self._archive.files.files_list)}
        for file in self._archive.files:
            number = number_of[id(file._file_info)]
            if file.emptystream and number in wanted:
                sink.start(number)
                sink.end()
        for folder, start, end in self._folders():
            files = [(number_of[id(file._file_info)], file) for file in folder.files or ()]
            while files and files[-1][0] not in wanted:
                files.pop()
            if files:
                self._unpack(_Block(folder, start, end, files), wanted, sink)

    def _folders(self) -> Iterator[tuple[Any, int, int]]:
        """Every block as py7zr has it, and where its packed bytes start and end."""
        streams = getattr(self._archive.header, "main_streams", None)
        if streams is None:
            return
        places = streams.packinfo.packpositions
        stream = 0
        for folder in streams.unpackinfo.folders:
            used = len(folder.packed_indices) or 1
            start, end = places[stream], places[stream + used]
            yield folder, self._archive.afterheader + start, self._archive.afterheader + end
            stream += used

    def _unpack(self, block: _Block, wanted: set[int], sink: Sink) -> None:
        """Unpack the files of a block. One that is damaged costs all behind it."""
        from py7zr.compressor import SupportedMethods

        done = 0
        reason = ""
        encrypted = SupportedMethods.needs_password(block.folder.coders)
        passwords = list(self._passwords) if encrypted else [""]
        for password in passwords:
            block.folder.password, block.folder.decompressor = password, None
            done, reason = self._pour(block, wanted, sink)
            if done or not reason:
                if encrypted:  # tried first on the next block
                    self._passwords.remove(password)
                    self._passwords.insert(0, password)
                break
        if encrypted and not done:
            reason = LOCKED
        block.folder.decompressor = None  # it may hold as much memory as the block is large
        for number, _ in block.files[done:]:
            if number in wanted:
                sink.failed(number, reason)

    def _pour(self, block: _Block, wanted: set[int], sink: Sink) -> tuple[int, str]:
        """Unpack files: how many came out whole, and why no more did."""
        from py7zr.exceptions import UnsupportedCompressionMethodError

        done = 0
        self._file.seek(block.start)
        try:
            for number, file in block.files:
                output: Any = _Output(self._progress, sink if number in wanted else None)
                if number in wanted:
                    sink.start(number)
                checksum = self._archive.worker.decompress(
                    self._file, block.folder, output, file.uncompressed, file.compressed, block.end
                )
                if file.crc32 is not None and file.crc32 != checksum:
                    return done, "damaged (wrong checksum); download the archive again"
                if number in wanted:
                    sink.end()
                done += 1
        except MMSearchError:
            raise
        except MemoryError:
            return done, HUNGRY
        except UnsupportedCompressionMethodError as error:
            cause = str(error.message).partition(".")[0]
            return done, f"packed in a way that is not read ({cause}); pack it again as zip"
        except Exception as error:  # as many kinds as there are methods, and as bytes that lie
            return done, f"damaged ({_one_line(error)}); download the archive again"
        return done, ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()
        self._file.close()


class _Block(NamedTuple):
    """Files that are packed as one, by number: those it begins with, as far as they are wanted.

    `folder` is py7zr's, `start` and `end` are where its packed bytes stand in the archive.
    """

    folder: Any
    start: int
    end: int
    files: Sequence[tuple[int, Any]]


class _Output:
    """What py7zr writes to."""

    def __init__(self, progress: Progress, sink: Sink | None) -> None:
        self._progress = progress
        self._sink = sink

    def write(self, chunk: bytes) -> int:
        self._progress(len(chunk))
        if self._sink:
            self._sink.write(chunk)
        return len(chunk)


def _obstacle(file: Any) -> str:
    if file.is_symlink or file.is_junction:
        return LINK
    return SPECIAL if file.is_socket else ""


def _mtime(file: Any) -> float | None:
    try:
        return float(file.lastwritetime.totimestamp())
    except (AttributeError, TypeError, ValueError, OverflowError):
        return None


def _one_line(error: BaseException | None) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:150]
