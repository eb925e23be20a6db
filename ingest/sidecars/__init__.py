"""Text that somebody has recognised already: hOCR, ALTO or PAGE XML beside a scan.

It is taken instead of recognising the page: it was made with more time, or corrected by hand.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from ingest.sidecars import alto, hocr, pagexml
from ingest.sidecars.names import beside, find, is_sidecar_name
from ingest.sidecars.sheet import Sheet, page_text
from ingest.sidecars.tree import parse
from mmsearch.errors import LimitExceeded, UnreadableFile
from mmsearch.types import Page, PageText

__all__ = ["beside", "find", "is_sidecar_name", "read", "with_sidecar"]

MAX_BYTES = 20 << 20  # a book of 500 dense pages in one file stays below


def with_sidecar(page: Page, path: Path, page_count: int) -> Page:
    """The page with the text of the sidecar `path`, where its text is still to be recognised.

    A page that the sidecar has no text for comes back as it is; where the sidecar is broken, with
    a warning.
    """
    if page.unread is None:
        return page
    try:
        text = read(path, page.number, page_count)
    except UnreadableFile as error:
        return replace(page, warning="; ".join(filter(None, (page.warning, str(error)))))
    return page if text is None else replace(page, text=text, unread=None)


def read(path: Path, number: int, page_count: int) -> PageText | None:
    """The text of one page, source `sidecar`, in the reading order of the file.

    Args:
        path: the sidecar; which of the three formats it is, its content says.
        number: from 1. The pages of the sidecar are those of the document, in order.
        page_count: of the document.

    Returns:
        Text and words; `confidence` is the mean of the words' own, None where they have none.
        None where the file has no text for the page, or is another kind of file.

    Raises:
        LimitExceeded: the file, or the text of the page, is larger than any scan's.
        UnreadableFile: it is broken, or has more pages than the document.
    """
    try:
        status = path.stat()
        found = _sheets(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise UnreadableFile(
            f"{path.name}: {error.strerror or type(error).__name__}; check its permissions"
        ) from error
    if isinstance(found, UnreadableFile):
        raise found
    if len(found) > page_count:
        raise UnreadableFile(
            f"{path.name}: has the text of {len(found)} pages, the document has {page_count}; "
            "rename it if it belongs to another"
        )
    return page_text(found[number - 1], path.name) if 1 <= number <= len(found) else None


@lru_cache(maxsize=1)  # a file of several pages is asked for each of them in turn
def _sheets(path: Path, size: int, _: int) -> tuple[Sheet, ...] | UnreadableFile:
    """The pages of a sidecar, or why there are none: a broken one is not parsed page by page."""
    if not path.is_file():
        return UnreadableFile(f"{path.name}: is not a regular file; remove it")
    if size > MAX_BYTES:
        return LimitExceeded(
            f"{path.name}: {size} bytes are more than the {MAX_BYTES} of a sidecar; split it"
        )
    with path.open("rb") as file:
        data = file.read(MAX_BYTES)
    try:
        root = parse(data, path.name)
        formats = {"html": hocr.sheets, "alto": alto.sheets, "pcgts": pagexml.sheets}
        reader = formats.get(root.tag.lower())
        return tuple(reader(root)) if reader else ()
    except UnreadableFile as error:
        return type(error)(str(error))  # anew: its traceback would hold the tree
