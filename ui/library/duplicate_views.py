"""How duplicates are shown in the library, as HTML; names and paths are escaped here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from mmsearch.duplicates import Family
from mmsearch.types import Document
from ui.files import title_of
from ui.library.views import count

MAX_GROUPS = 200


def duplicates(
    copies: Sequence[Document], families: Sequence[Family], place: Callable[[Document], str]
) -> str:
    """Files that lie in several places, and documents that have pages in common."""
    if not copies and not families:
        return (
            "<div class='mm-message'><h2>No duplicates</h2><p>No file lies in several places, "
            "and no page stands in several documents.</p></div>"
        )
    shown = []
    for document in copies[:MAX_GROUPS]:
        places = "".join(f"<li><bdi>{escape(path)}</bdi></li>" for path in document.paths)
        shown.append(
            f"<li class='mm-group'>{_picture(document, 1)}<div><h3>{_link(document, 1)}</h3>"
            f"<p>The same file in {count(len(document.paths), 'place')}</p>"
            f"<ul>{places}</ul></div></li>"
        )
    shared = _by_documents(families)
    for group in shared[: MAX_GROUPS - len(shown)]:
        first = group[0].pages
        rows = "".join(
            f"<li>{_link(twin.document, twin.page)}, page {twin.page}"
            f"<span class='mm-found-at'><bdi>{escape(place(twin.document))}</bdi></span></li>"
            for twin in first
        )
        names = f"{count(len(group), 'page')} the same in {count(len(first), 'place')}"
        shown.append(
            f"<li class='mm-group'>{_picture(first[0].document, first[0].page)}<div>"
            f"<h3>{names}</h3><ul>{rows}</ul></div></li>"
        )
    left = len(copies) + len(shared) - len(shown)
    rest = f"<p class='mm-totals'>{left:,} more: mmsearch duplicates</p>" if left > 0 else ""
    return f"<ul class='mm-groups'>{''.join(shown)}</ul>{rest}"


def _by_documents(families: Sequence[Family]) -> list[list[Family]]:
    """Pages that the same documents have in common, together."""
    groups: dict[tuple[str, ...], list[Family]] = {}
    for family in families:
        key = tuple(sorted(twin.document.id for twin in family.pages))
        groups.setdefault(key, []).append(family)
    return list(groups.values())


def _picture(document: Document, page: int) -> str:
    return (
        f"<span class='mm-thumb'><img alt='' loading='lazy' decoding='async' "
        f"src='thumbnails/{escape(document.id)}/{page}.jpg'></span>"
    )


def _link(document: Document, page: int) -> str:
    title = escape(title_of(document))
    return f"<a dir='auto' href='?view={escape(document.id)}/{page}'>{title}</a>"
