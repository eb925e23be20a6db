"""Workbooks on readable pages: a page setup of our own in place of the one for the printer.

As set up by most authors, that is not at all, a wide sheet falls apart into pages of eight columns,
texts are cut off at the next cell and narrow numbers are printed as ###.
"""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO

_PAGE = (841.9, 595.3)  # points: A4, landscape
_MARGIN = 28.0  # points
_LEAST_SCALE = 0.6  # 11 points become 6.6: at the size of page pictures just readable
_SCANNED_ROWS = 2000  # of each sheet, to find its last column
_MAX_CONTENT = 512 << 20  # bytes
_POINTS = {"in": 72.0, "cm": 72 / 2.54, "mm": 72 / 25.4, "pt": 1.0}
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"


def set_pages_up(source: Path, target: Path) -> None:
    """Give a workbook pages that are as wide as its sheets, and show every cell in full.

    Sheets are scaled down to the width of a page, but not below 60 %: then they take several.

    Args:
        source: an OpenDocument workbook, as LibreOffice writes it.
        target: where the new one goes.
    """
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        pages = _pages_wide(old)
        for entry in old.infolist():
            with old.open(entry) as part, new.open(entry.filename, "w") as copy:
                if entry.filename == "styles.xml":
                    copy.write(_with_page_setup(part.read(), pages))
                else:
                    while block := part.read(1 << 20):
                        copy.write(block)


def _with_page_setup(styles: bytes, pages: int) -> bytes:
    width, height = _PAGE
    setup = (
        f'<style:page-layout-properties fo:page-width="{width}pt" fo:page-height="{height}pt" '
        f'style:print-orientation="landscape" fo:margin="{_MARGIN}pt" '
        f'style:scale-to-X="{pages}" style:scale-to-Y="0" style:print-page-order="ttb" '
        'style:print="charts drawings objects zero-values"'
    ).encode()
    styles = re.sub(rb"<style:page-layout-properties\b[^>]*?(/?>)", rb"%b\1" % setup, styles)
    default = rb'(<style:style style:name="Default" style:family="table-cell"[^>]*?)(/?)>'
    cells = b'<style:table-cell-properties style:shrink-to-fit="true"'
    if re.search(default + rb"\s*<style:table-cell-properties\b", styles):
        return re.sub(
            default + rb"\s*<style:table-cell-properties\b", rb"\1\2>%b" % cells, styles, count=1
        )
    whole = rb"\1>%b/></style:style>" % cells
    styles, found = re.subn(default.replace(b"(/?)", b"()/"), whole, styles, count=1)
    return styles if found else re.sub(default, rb"\1>%b/>" % cells, styles, count=1)


def _pages_wide(file: zipfile.ZipFile) -> int:
    """How many pages the widest sheet takes at the least scale."""
    if file.getinfo("content.xml").file_size > _MAX_CONTENT:
        return 1
    with file.open("content.xml") as content:
        widest = max(_widths(content), default=0.0)
    printable = (_PAGE[0] - 2 * _MARGIN) / _LEAST_SCALE
    return max(1, math.ceil(widest / printable))


def _widths(content: IO[bytes]) -> Iterator[float]:
    """The width of each sheet up to its last column with something in it, in points."""
    from defusedxml.ElementTree import iterparse

    styles: dict[str, float] = {}
    columns: list[tuple[float, int]] = []
    last = rows = 0
    for _, item in iterparse(content, forbid_dtd=True):
        if item.tag == f"{_STYLE}style":
            properties = item.find(f"{_STYLE}table-column-properties")
            if properties is not None:
                width = properties.get(f"{_STYLE}column-width", "")
                styles[item.get(f"{_STYLE}name", "")] = _points(width)
        elif item.tag == f"{_TABLE}table-column":
            width = styles.get(item.get(f"{_TABLE}style-name", ""), 64.0)
            columns.append((width, _repeated(item.get(f"{_TABLE}number-columns-repeated"))))
        elif item.tag == f"{_TABLE}table-row":
            rows += 1
            if rows <= _SCANNED_ROWS:
                last = max(last, _last_column(item))
            item.clear()
        elif item.tag == f"{_TABLE}table":
            each = (width for width, count in columns for _ in range(count))
            yield sum(islice(each, last))
            columns, last, rows = [], 0, 0
            item.clear()


def _last_column(row: object) -> int:
    column = last = 0
    for cell in row:  # type: ignore[attr-defined]
        column += _repeated(cell.get(f"{_TABLE}number-columns-repeated"))
        if len(cell):
            last = column
    return last


def _repeated(count: str | None) -> int:
    return min(int(count or 1), 16_384)


def _points(length: str) -> float:
    found = re.fullmatch(r"([\d.]+)(in|cm|mm|pt)", length)
    return float(found[1]) * _POINTS[found[2]] if found else 64.0
