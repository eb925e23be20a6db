"""Kinds of archives behind one small interface: what is in one, and its bytes one file at a time.

A container is opened in a caged process. It lists its files first, cheaply where it can, and then
pours the wanted ones into a `Sink`. To read a new kind, write a module with
`open_container(path, passwords, progress)` and add its first bytes to `_KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, Self, cast

from ingest.passwords import NO_PASSWORD
from mmsearch.errors import UnreadableFile

Progress = Callable[[int], None]  # told of bytes that were unpacked; raises LimitExceeded

LOCKED = f"encrypted, it needs a password; {NO_PASSWORD}"
LINK = "a link, not a file"
SPECIAL = "not a regular file"
HUNGRY = "needs too much memory to be unpacked; raise the setting worker_memory"

_HEAD_BYTES = 512
_KINDS: tuple[tuple[str, int, tuple[bytes, ...]], ...] = (  # module, offset, what stands there
    ("zip", 0, (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"PK\x30\x30")),
    ("seven_zip", 0, (b"7z\xbc\xaf\x27\x1c",)),
    ("rar", 0, (b"Rar!\x1a\x07",)),
    ("tar", 0, (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")),
    ("tar", 257, (b"ustar",)),
)
_TAR_WITHOUT_MARK = (".tar", ".cbt")  # as written before 1988, and empty ones
_ZIP_BEHIND_SOMETHING = (".zip", ".cbz")  # a program that unpacks itself, say


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive, as the archive describes it.

    `number` is its place in the archive, `size` a claim in bytes, `mtime` in seconds since 1970 or
    None. `obstacle` says why it is not unpacked: a link, say; `unsafe` why its name is refused.
    """

    number: int
    name: str
    size: int
    mtime: float | None
    obstacle: str = ""
    unsafe: str = ""


class Sink(Protocol):
    """Takes the files of a container, one after the other. Raises only `MMSearchError`s."""

    def start(self, number: int) -> None:
        """The bytes of this member follow; what was begun before and not ended is dropped."""

    def write(self, chunk: bytes) -> None:
        """More bytes of it."""

    def end(self) -> None:
        """It is complete and intact. Returns when the next one may come."""

    def failed(self, number: int, reason: str) -> None:
        """This member cannot be had; others may be fine."""


class Container(Protocol):
    """An open archive; a context manager."""

    @property
    def any_order(self) -> bool:
        """Whether `unpack` goes by the order of its argument, else by that of the archive."""

    def members(self) -> Iterator[Member]:
        """Its files, without folders, in the archive's order.

        Raises:
            UnreadableFile: nothing more can be made out; what came before is good.
        """

    def unpack(self, numbers: Sequence[int], sink: Sink) -> None:
        """Pour these members into `sink`; what it raises passes through.

        Raises:
            UnreadableFile: the rest is lost; what `sink.end()` was called for is good.
        """

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def open_container(path: Path, passwords: Sequence[str], progress: Progress) -> Container:
    """Open an archive as what its content says it is.

    Args:
        passwords: tried in turn where something is encrypted.
        progress: called with the number of bytes whenever some were unpacked.

    Raises:
        NeedsPassword: not even the names can be read without one.
        MissingExtra: a package for this kind is not installed.
        UnreadableFile: it is no archive, or too damaged.
    """
    module = import_module(f"{__name__}.{_kind(path)}")
    return cast(Container, module.open_container(path, passwords, progress))


def damaged(path: Path, cause: str) -> UnreadableFile:
    """The error of an archive whose rest is lost."""
    return UnreadableFile(f"{path.name}: damaged or cut short ({cause}); copy or download it again")


def _kind(path: Path) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        cause = error.strerror or type(error).__name__
        raise UnreadableFile(f"{path.name}: {cause}; check its permissions") from error
    if not head:
        raise UnreadableFile(f"{path.name}: is empty; copy or download it again")
    for kind, offset, marks in _KINDS:
        if any(head[offset:].startswith(mark) for mark in marks):
            return kind
    suffix = path.suffix.lower()
    if suffix in _TAR_WITHOUT_MARK:
        return "tar"
    if suffix in _ZIP_BEHIND_SOMETHING:
        return "zip"
    raise UnreadableFile(f"{path.name}: not an archive, or too damaged; copy or download it again")
