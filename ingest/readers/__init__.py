"""From a file to its pages: the seam every reader fits, and the table of readers.

To read a new kind of file, write a module with `open_file(path, context) -> OpenFile` and add a
line to `READERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, Self, cast

from ingest.office.formats import EXTENSIONS as OFFICE_EXTENSIONS
from ingest.office.formats import looks_like_office
from mmsearch.config import Settings
from mmsearch.errors import LimitExceeded, UnreadableFile
from mmsearch.images import EXTENSIONS as IMAGE_EXTENSIONS
from mmsearch.images import PICTURE_PIXELS, looks_like_image
from mmsearch.types import Kind, Page
from mmsearch.video import EXTENSIONS as VIDEO_EXTENSIONS
from mmsearch.video import looks_like_video

OCR_DPI = 200  # as many words found as at 300, in two thirds of the time
OCR_PIXELS = 16_000_000
_HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class ReadContext:
    """What a reader may use beside the file itself.

    `pixels` is the budget of a page picture; `passwords` are tried in turn on encrypted files.
    `scratch` is a folder for this file alone, shared by all processes that read it and removed
    after its last page: what is costly to make, a converted copy say, is made there once, whole or
    not at all. None where a file is read by one process only, which then cleans up by itself.
    `alive` is called during long work to say that it goes on: time limits start anew.
    """

    settings: Settings
    pixels: int = PICTURE_PIXELS
    passwords: tuple[str, ...] = ()
    scratch: Path | None = None
    alive: Callable[[], None] = lambda: None


class OpenFile(Protocol):
    """An open source file; a context manager. Not for use by several threads."""

    @property
    def kind(self) -> Kind:
        """What sort of file it is."""

    @property
    def title(self) -> str:
        """A name for people: from the file's metadata where sensible, else its file name."""

    @property
    def page_count(self) -> int:
        """How many pages there are; 0 for a presentation without slides."""

    def page(self, number: int) -> Page:
        """Read one page; memory use does not grow with the number of pages read.

        Text that has to be recognised is left to `ingest.scans`: see `Page.unread`.

        Args:
            number: from 1.

        Raises:
            UnreadableFile: this page cannot be read; others may be fine.
        """

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


@dataclass(frozen=True, slots=True)
class Reader:
    """A line of the table.

    `recognises` looks at the first bytes of a file; `module` is imported when first needed and
    has `open_file(path, context)`.
    """

    module: str
    extensions: frozenset[str]
    recognises: Callable[[bytes], bool]


def _is_pdf(head: bytes) -> bool:
    return b"%PDF-" in head[:1024]  # readers accept junk before the header


READERS: tuple[Reader, ...] = (
    Reader("ingest.readers.pdf", frozenset({".pdf"}), _is_pdf),
    Reader("ingest.readers.image", IMAGE_EXTENSIONS, looks_like_image),
    Reader("ingest.readers.video", VIDEO_EXTENSIONS, looks_like_video),
    Reader("ingest.readers.office", OFFICE_EXTENSIONS, looks_like_office),
)


def is_supported(path: Path) -> bool:
    """Whether a file of this extension is worth opening; the file itself is not looked at."""
    return any(path.suffix.lower() in reader.extensions for reader in READERS)


def open_file(path: Path, context: ReadContext) -> OpenFile:
    """Open a file with the reader that its content asks for, else the one for its extension.

    Raises:
        NeedsPassword: it is encrypted.
        LimitExceeded: it is larger than `settings` allow.
        UnreadableFile: it is missing, empty, damaged, or of a kind that is not read.
    """
    reader = _reader_for(path, _head(path, context.settings.max_file_bytes))
    return cast(OpenFile, import_module(reader.module).open_file(path, context))


def _reader_for(path: Path, head: bytes) -> Reader:
    suffix = path.suffix.lower()
    recognising = [reader for reader in READERS if reader.recognises(head)]
    by_extension = [reader for reader in READERS if suffix in reader.extensions]
    both = [reader for reader in recognising if reader in by_extension]
    for reader in (*both, *recognising, *by_extension):
        return reader
    raise UnreadableFile(
        f"{path.name}: not a kind of file that is read (content and extension {suffix!r} are "
        "unknown); convert it to PDF or PNG"
    )


def _head(path: Path, max_bytes: int) -> bytes:
    try:
        if not path.exists():
            raise UnreadableFile(f"{path.name}: no such file; check the path")
        if not path.is_file():
            raise UnreadableFile(f"{path.name}: is not a regular file; give a document")
        size = path.stat().st_size
        if size == 0:
            raise UnreadableFile(f"{path.name}: is empty; copy or download it again")
        if size > max_bytes:
            raise LimitExceeded(
                f"{path.name}: {size} bytes are more than the limit of {max_bytes}; "
                "raise max_file_bytes or split the file"
            )
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError as error:
        cause = error.strerror or type(error).__name__
        raise UnreadableFile(f"{path.name}: {cause}; check its permissions") from error
