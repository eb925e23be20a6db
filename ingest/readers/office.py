"""Office files: LibreOffice writes them as PDF once, whose pages are then read; notes join them.

Workbooks go through OpenDocument first, to get pages that their sheets fit on.
"""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Self

from ingest.office import libreoffice
from ingest.office.formats import ODS, OfficeFormat, decrypted, office_format
from ingest.office.notes import slide_notes
from ingest.office.sheets import set_pages_up
from ingest.passwords import locked
from ingest.readers import ReadContext
from ingest.readers.pdf import PdfFile
from mmsearch.errors import NeedsPassword, UnreadableFile
from mmsearch.types import Page

_PDF = "office.pdf"
_UNLOCKED = "office-unlocked"
_WORKBOOKS = {".xlsx", ".xlsb", ".xls", ".ods"}


def open_file(path: Path, context: ReadContext) -> OfficeFile:
    """Open an office file for reading; see `ingest.readers.open_file`."""
    return OfficeFile(path, context)


class OfficeFile:
    """An open text, workbook or presentation."""

    def __init__(self, path: Path, context: ReadContext) -> None:
        found = office_format(path, path.name)
        self.kind = found.kind
        with contextlib.ExitStack() as stack:
            scratch = context.scratch or Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="mmsearch-office-"))
            )
            source, found = _unlocked(path, found, context.passwords, scratch)
            notes = _notes(path, source, found, scratch, context)
            self.page_count, self.title = 0, path.stem
            self._notes: list[str] = []
            if notes == []:  # a presentation without slides: LibreOffice would add one
                self._stack = stack.pop_all()
                return
            self._pdf = stack.enter_context(_converted(path, source, found, scratch, context))
            self._stack = stack.pop_all()
        self.page_count = self._pdf.page_count
        self.title = path.stem if self._pdf.title == Path(_PDF).stem else self._pdf.title
        # Of another number they would stand by the wrong slides.
        self._notes = notes if notes and len(notes) == self.page_count else []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def page(self, number: int) -> Page:
        """Read one page; the speaker notes of a slide are its caption."""
        if not 1 <= number <= self.page_count:
            raise UnreadableFile(f"{self.title}: has no page {number}")
        page = self._pdf.page(number)
        return replace(page, caption=self._notes[number - 1]) if self._notes else page


def _unlocked(
    path: Path, found: OfficeFormat, passwords: tuple[str, ...], scratch: Path
) -> tuple[Path, OfficeFormat]:
    """The file without its encryption, and what it is then."""
    if not found.encrypted:
        return path, found
    target = scratch / _UNLOCKED
    # Those of OpenDocument can only be given to LibreOffice where every process sees them.
    is_open_document = found.suffix in {".odt", ".odp", ".ods"}
    if not is_open_document and decrypted(path, target, passwords):
        return target, office_format(target, path.name)
    if is_open_document:
        advice = "encrypted, it needs a password; ingest a copy saved without one"
        raise NeedsPassword(f"{path.name}: {advice}")
    raise NeedsPassword(f"{path.name}: {locked(passwords)}")


def _notes(
    path: Path, source: Path, found: OfficeFormat, scratch: Path, context: ReadContext
) -> list[str] | None:
    """The notes of each slide; those of the old binary format by way of OpenDocument."""
    if found.suffix != ".ppt":
        return slide_notes(source, found.suffix)
    target = scratch / "office.odp"
    if not target.is_file():
        libreoffice.convert(source, target, found, name=path.name, settings=context.settings)
    return slide_notes(target, ".odp")


def _converted(
    path: Path, source: Path, found: OfficeFormat, scratch: Path, context: ReadContext
) -> PdfFile:
    """The file as a PDF, made where no process has made it yet."""
    target = scratch / _PDF
    convert = partial(libreoffice.convert, name=path.name, settings=context.settings)
    if not target.is_file() and found.suffix in _WORKBOOKS:
        with tempfile.TemporaryDirectory(prefix="office-", dir=scratch) as folder:
            book, wide = Path(folder, "book.ods"), Path(folder, "wide.ods")
            convert(source, book, found)
            set_pages_up(book, wide)
            convert(wide, target, ODS)
    elif not target.is_file():
        convert(source, target, found)
    try:
        return PdfFile(target, context)
    except UnreadableFile as error:
        raise UnreadableFile(
            f"{path.name}: LibreOffice makes no pages of it; save it again, or as PDF"
        ) from error
