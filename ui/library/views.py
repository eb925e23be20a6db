"""What the library shows, as HTML. Everything that comes from outside is escaped here."""

from __future__ import annotations

import time
from collections.abc import Callable
from html import escape
from pathlib import PurePath

from mmsearch.config import Settings
from mmsearch.documents import MAX_TAG_CHARACTERS
from mmsearch.types import Document
from ui.library.listing import PAGE_ROWS, Choice, Excerpt, Row

KNOWN_TAGS = 200  # suggested

CONDITIONS = {
    "ready": "Ready",
    "incomplete": "Pages missing",
    "unfinished": "Not finished",
    "failed": "Failed",
}
_SORTS = {"title": "Title", "pages": "Pages", "state": "State", "date": "Date"}
_UP = (
    "<svg viewBox='0 0 24 24' width='28' height='28' fill='none' stroke='currentColor' "
    "stroke-width='1.5' stroke-linecap='round' stroke-linejoin='round' aria-hidden='true'>"
    "<path d='M12 16V4m0 0 4.5 4.5M12 4 7.5 8.5M4 15v3.5A1.5 1.5 0 0 0 5.5 20h13a1.5 1.5 0 0 0 "
    "1.5-1.5V15'/></svg>"
)


def shell(settings: Settings) -> str:
    """What stands in the tab from the start; the script fills in the rest."""
    closed = settings.read_only == "on"
    states = "".join(f"<option value='{key}'>{name}</option>" for key, name in CONDITIONS.items())
    sorts = "".join(
        f"<option value='{key}'>Sort by {name.lower()}</option>" for key, name in _SORTS.items()
    )
    return (
        f"<section class='mm-library' data-max-bytes='{settings.max_upload_bytes}' "
        f"data-max-files='{settings.max_upload_files}'>"
        f"{'' if closed else _drop_zone(settings)}"
        "<div data-part='jobs'></div>"
        "<p class='mm-news' role='status' aria-live='polite'></p>"
        "<div class='mm-list-bar'>"
        "<div class='mm-switch' role='group' aria-label='What is listed'>"
        "<button type='button' data-show='documents' aria-pressed='true'>Documents</button>"
        "<button type='button' data-show='duplicates' aria-pressed='false'>Duplicates</button>"
        "</div>"
        "<form class='mm-narrow' role='search' aria-label='Narrow the list'>"
        "<input name='text' type='search' maxlength='200' placeholder='Title or path' "
        "aria-label='Title or path' autocomplete='off'>"
        "<select name='state' aria-label='State'><option value=''>Any state</option>"
        f"{states}</select>"
        "<input name='tag' maxlength='100' placeholder='Tag' aria-label='Tag' list='mm-known-tags' "
        "autocomplete='off'>"
        f"<select name='sort' aria-label='Sort by' class='mm-sort'>{sorts}</select>"
        "</form></div>"
        "<div data-part='documents'><p class='mm-message'>Loading …</p></div>"
        "<div data-part='duplicates' hidden></div>"
        f"{'' if closed else _SELECTION + _CONFIRM}</section>"
    )


def _drop_zone(settings: Settings) -> str:
    most = size(settings.max_upload_bytes)
    return (
        f"<div class='mm-drop'>{_UP}<div class='mm-drop-words'>"
        "<p class='mm-drop-title'>Drop files or folders here</p>"
        "<p class='mm-drop-hint'>PDF, Office, slides, images, scans, videos, archives; "
        f"up to {most} a file</p></div><div class='mm-drop-buttons'>"
        "<button type='button' class='mm-button mm-primary' data-choose='files'>Choose files"
        "</button><button type='button' class='mm-button' data-choose='folder'>Choose a folder"
        "</button></div>"
        "<input type='file' data-files='files' multiple hidden aria-label='Files'>"
        "<input type='file' data-files='folder' webkitdirectory hidden aria-label='Folder'>"
        "<label class='mm-drop-tags'><span>Tags for them</span>"
        "<input data-tags list='mm-known-tags' maxlength='1000' autocomplete='off' "
        "placeholder='optional, joined by commas'></label></div>"
        "<div class='mm-card mm-uploading' hidden>"
        "<div class='mm-card-head'><strong data-said></strong>"
        "<button type='button' class='mm-plain' data-act='stop-upload'>Cancel</button></div>"
        "<progress max='1' value='0' aria-label='Upload'></progress>"
        "<ul class='mm-files'></ul></div>"
    )


_SELECTION = (
    "<div class='mm-selection' role='group' aria-label='Selected documents' hidden>"
    "<strong data-selected></strong>"
    "<form class='mm-tag-form' data-form='tag-selected'>"
    f"<input name='tag' maxlength='{MAX_TAG_CHARACTERS}' list='mm-known-tags' required "
    "aria-label='Tag for the selected documents' placeholder='Tag' autocomplete='off'>"
    "<button class='mm-button' value='add'>Add</button>"
    "<button class='mm-button' value='remove'>Take off</button></form>"
    "<button type='button' class='mm-button mm-danger' data-act='remove-selected'>Remove …</button>"
    "<button type='button' class='mm-plain' data-act='clear'>Clear selection</button></div>"
)
_CONFIRM = (
    "<dialog class='mm-confirm' aria-labelledby='mm-confirm-title'><form method='dialog'>"
    "<h2 id='mm-confirm-title'></h2>"
    "<p><span class='mm-confirm-them'></span> no longer found. Files that were uploaded here are "
    "deleted; files elsewhere stay where they are.</p><div class='mm-confirm-buttons'>"
    "<button class='mm-button' value='cancel' autofocus>Keep</button>"
    "<button class='mm-button mm-danger' value='remove'>Remove</button></div></form></dialog>"
)


def documents(excerpt: Excerpt, *, read_only: bool, has_picture: Callable[[Row], bool]) -> str:
    """One page of the list, with the totals above it.

    Args:
        excerpt: the rows.
        read_only: leaves every button out that changes something.
        has_picture: whether a row's first page has one.
    """
    totals = excerpt.totals
    known = "".join(f"<option value='{escape(tag)}'>" for tag in totals.tags[:KNOWN_TAGS])
    tags = f"<datalist id='mm-known-tags'>{known}</datalist>"
    if not totals.documents:
        hint = "" if read_only else "Drop some files above; they can be searched a moment later."
        return f"<div class='mm-message'><h2>No documents yet</h2><p>{hint}</p></div>{tags}"
    failed = f"<span class='mm-bad'>{totals.failed:,} failed</span>" if totals.failed else ""
    facts = (count(totals.documents, "document"), count(totals.pages, "page"), size(totals.size))
    said = "".join(f"<span>{fact}</span>" for fact in facts)
    head = f"<p class='mm-totals'>{said}{failed}</p>"
    if not excerpt.rows:
        return (
            f"{head}<div class='mm-message'><h2>No document fits</h2><p><button type='button' "
            f"class='mm-plain' data-act='show-all'>Show all documents</button></p></div>{tags}"
        )
    rows = "".join(_row(row, read_only, has_picture(row)) for row in excerpt.rows)
    return (
        f"{head}<table class='mm-table'>{_head(excerpt.choice, read_only)}"
        f"<tbody>{rows}</tbody></table>{_pager(excerpt)}{tags}"
    )


def _head(choice: Choice, read_only: bool) -> str:
    def sortable(key: str, kind: str) -> str:
        order = "descending" if choice.descending else "ascending"
        sorted_ = f" aria-sort='{order}'" if choice.sort == key else ""
        return (
            f"<th scope='col' class='mm-{kind}'{sorted_}><button type='button' data-sort='{key}'>"
            f"{_SORTS[key]}</button></th>"
        )

    every = "<input type='checkbox' data-every aria-label='Select all on this page'>"
    check = "" if read_only else f"<th class='mm-check'>{every}</th>"
    actions = "" if read_only else "<th scope='col'><span class='mm-unseen'>Actions</span></th>"
    return (
        f"<thead><tr>{check}<th class='mm-thumb'><span class='mm-unseen'>Picture</span></th>"
        f"{sortable('title', 'what')}<th scope='col' class='mm-kind'>Kind</th>"
        f"{sortable('pages', 'count')}{sortable('state', 'state-cell')}{sortable('date', 'date')}"
        f"{actions}</tr></thead>"
    )


def _row(row: Row, read_only: bool, has_picture: bool) -> str:
    document, title = row.document, escape(row.title)
    view = f"href='?view={escape(document.id)}/1'"
    name, picture = f"<span class='mm-title' dir='auto'>{title}</span>", "<span></span>"
    if row.condition != "failed" and document.page_count:
        name = f"<a class='mm-title' dir='auto' {view}>{title}</a>"
    if has_picture:
        picture = (
            f"<a {view} tabindex='-1' aria-hidden='true'><img alt='' loading='lazy' "
            f"decoding='async' src='thumbnails/{escape(document.id)}/1.jpg'></a>"
        )
    others = "\n".join(document.paths[1:])
    more = f" <span title='{escape(others)}'>+{len(document.paths) - 1}</span>" if others else ""
    check = f"<input type='checkbox' data-check aria-label='Select {title}'>"
    state = f"<span class='mm-state mm-{row.condition}'>{CONDITIONS[row.condition]}</span>"
    return (
        f"<tr data-document='{escape(document.id)}'>"
        f"{'' if read_only else f'<td class=mm-check>{check}</td>'}"
        f"<td class='mm-thumb'>{picture}</td>"
        f"<td class='mm-what'>{name}<span class='mm-found-at' title='{escape(row.place)}'>"
        f"<bdi>{escape(row.place)}</bdi>{more}</span>{_reasons(row)}{_tags(row, read_only)}</td>"
        f"<td class='mm-kind'>{_kind(document)}</td>"
        f"<td class='mm-count'>{document.page_count or '–'}</td>"
        f"<td class='mm-state-cell'>{state}</td><td class='mm-date'>{day(document.mtime)}</td>"
        f"{'' if read_only else _actions(row)}</tr>"
    )


def _kind(document: Document) -> str:
    """What a document is; of one that failed that is not known, and its file's ending has to do."""
    if document.kind == "other" and document.paths:
        return escape(PurePath(document.paths[0]).suffix[1:6].upper()) or "Other"
    return "PDF" if document.kind == "pdf" else document.kind.capitalize()


def _reasons(row: Row) -> str:
    """Why a document failed, or pages of it."""
    document = row.document
    if row.condition == "failed":
        reason = without_name(document.reason, *document.paths)
        return f"<span class='mm-reason'>{escape(reason)}</span>"
    if row.condition != "incomplete":
        return ""
    number, reason = min(document.failed_pages.items())
    more = len(document.failed_pages) - 1
    others = f" (and {count(more, 'page')} more)" if more else ""
    return f"<span class='mm-reason'>page {number}: {escape(reason)}{others}</span>"


def _tags(row: Row, read_only: bool) -> str:
    title = escape(row.title)
    shown = "".join(
        f"<span class='mm-tag'>{escape(tag)}"
        + (
            ""
            if read_only
            else f"<button type='button' data-act='untag' data-tag='{escape(tag)}' "
            f"aria-label='Take {escape(tag)} off {title}'>×</button>"
        )
        + "</span>"
        for tag in row.document.tags
    )
    form = (
        "<form class='mm-tag-form' data-form='tag'>"
        f"<input name='tag' maxlength='{MAX_TAG_CHARACTERS}' list='mm-known-tags' required "
        f"aria-label='New tag of {title}' placeholder='New tag' autocomplete='off'>"
        "<button class='mm-button'>Add</button>"
        "<button type='button' class='mm-plain' data-act='tags'>Done</button></form>"
    )
    return f"<span class='mm-tags'>{shown}</span>{'' if read_only else form}"


def _actions(row: Row) -> str:
    title = escape(row.title)
    again = ""
    if row.condition != "ready":
        again = (
            "<button type='button' class='mm-plain' data-act='retry' "
            f"aria-label='Read {title} again'>Read again</button>"
        )
    return (
        f"<td class='mm-row-actions'>{again}<button type='button' class='mm-plain' data-act='tags' "
        f"aria-expanded='false' aria-label='Tags of {title}'>Tags</button>"
        "<button type='button' class='mm-plain' data-act='remove' "
        f"aria-label='Remove {title}'>Remove</button></td>"
    )


def _pager(excerpt: Excerpt) -> str:
    page = excerpt.choice.page
    first = (page - 1) * PAGE_ROWS + 1
    span = f"{first:,}–{first + len(excerpt.rows) - 1:,} of {excerpt.found:,}"
    if excerpt.pages == 1:
        return ""

    def turn(to: int, name: str) -> str:
        disabled = "" if 1 <= to <= excerpt.pages else " disabled"
        return f"<button type='button' class='mm-button' data-page='{to}'{disabled}>{name}</button>"

    return (
        "<nav class='mm-pager' aria-label='Pages of the list'>"
        f"{turn(page - 1, 'Previous')}<span>{span}</span>{turn(page + 1, 'Next')}</nav>"
    )


def count(number: int, noun: str) -> str:
    """A number and what it counts."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def size(number: int) -> str:
    """A number of bytes, to two or three digits."""
    if number < 1024:
        return count(number, "byte")
    amount, unit = number / 1024, "KB"
    for larger in ("MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1024, larger
    return (
        f"{amount:,.1f}".removesuffix(".0") + f" {unit}" if amount < 10 else f"{amount:,.0f} {unit}"
    )


def without_name(reason: str, *paths: str) -> str:
    """A reason that does not start with the name of the file, where that stands beside it."""
    for path in paths:
        reason = reason.removeprefix(f"{PurePath(path).name}: ")
    return reason


def day(seconds: float) -> str:
    """A day of UTC; a dash where a clock was broken."""
    try:
        shown = time.strftime("%Y-%m-%d", time.gmtime(seconds)) if seconds > 0 else "–"
    except (OverflowError, ValueError, OSError):
        shown = "–"
    return shown
