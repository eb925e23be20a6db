"""What the page shows, as HTML. Everything that comes from outside is escaped here."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import PurePath

from mmsearch.screenshots import repairs
from mmsearch.screenshots.sheet import style_of
from mmsearch.types import Document, Hit, Query, Span
from mmsearch.where import place_of

HEADER = (
    "<header class='mm-header'><h1>mmsearch</h1>"
    "<p>Find the page, by words or by a screenshot.</p></header>"
)
_NOT_HERE = (
    "<p class='mm-problem' role='status'>This does not seem to be in the archive. "
    "The nearest pages are below.</p>"
)


def welcome(pages: int) -> str:
    """What stands in place of results before the first search.

    Args:
        pages: how many pages can be found.
    """
    if not pages:
        return _message("The index is empty.", "Add files to it: <code>mmsearch ingest PATH</code>")
    return _message(
        f"{_count(pages, 'page')} to search.",
        "Type words or a question, such as <em>revenue by region</em> or <em>INV-2024/0013</em>.",
        "Or paste a screenshot of a page, or a part of one, to find where it is from.",
    )


def results(hits: Sequence[Hit], query: Query, *, seconds: float) -> str:
    """The pages that were found, best first.

    Args:
        hits: what the engine answered.
        query: what was looked for.
        seconds: how long the search took.
    """
    text = query.text
    done = ", ".join(repairs(query, hits))
    repaired = f". Repaired: {escape(done)}" if done else ""
    took = (
        f"<p class='mm-took' role='status'>{_count(len(hits), 'page')}, {seconds:.2f} s"
        f"{repaired}</p>"
    )
    if hits:
        items = "".join(_item(hit, query) for hit in hits)
        weak = query.image is None and hits[0].confidence == "weak"
        return f"{took}{_NOT_HERE if weak else ''}<ol class='mm-hits'>{items}</ol>"
    return _message(
        "Nothing found" + (f" for “{escape(text)}”." if text else "."),
        "Try fewer or other words, or a screenshot with some text on it.",
    )


def problem(message: str) -> str:
    """One line that says why there are no results."""
    line = message[:1].upper() + message[1:]
    return f"<p class='mm-problem' role='alert'>{escape(line)}</p>"


def marked(text: str, spans: Sequence[Span]) -> str:
    """A text whose `spans`, in order, are in `<mark>`."""
    shown, last = "", 0
    for start, end in spans:
        shown += f"{escape(text[last:start])}<mark>{escape(text[start:end])}</mark>"
        last = end
    return shown + escape(text[last:])


def _item(hit: Hit, query: Query) -> str:
    document = hit.document
    title, place = escape(_title(document)), escape(place_of(hit))
    # Relative, so that the page also works below a path of a reverse proxy.
    address = f"{document.id}/{hit.page}.jpg"
    link = f"href='pages/{escape(address)}' target='_blank' rel='noopener'"
    snippet = (
        f"<p class='mm-snippet'>{marked(hit.snippet, hit.snippet_marks)}</p>" if hit.snippet else ""
    )
    return (
        "<li class='mm-hit'>"
        f"<a class='mm-picture' {link} tabindex='-1' aria-hidden='true'>"
        f"<span><img src='thumbnails/{escape(address)}' alt='' loading='lazy' decoding='async'>"
        f"{_words(hit)}{_spot(hit)}</span></a>"
        "<div class='mm-about'>"
        f"<h2><a {link} dir='auto'>{title}</a></h2>"
        f"<p class='mm-place'>{place} {_sure(hit, query)}"
        f"<span class='mm-score'>score {hit.score:.3f}</span></p>"
        f"{snippet}<p class='mm-path'>{_path(document)}</p>{_labels(hit)}{_also_in(hit)}"
        "</div></li>"
    )


def _sure(hit: Hit, query: Query) -> str:
    """How sure it is that this is what was asked for: a screenshot's page, or one for the words."""
    if hit.match:
        return "<strong class='mm-sure'>This very page</strong> "
    if query.image is not None:
        return "<span class='mm-similar'>Looks similar</span> "
    if hit.confidence == "strong":
        return "<strong class='mm-sure'>Strong match</strong> "
    return f"<span class='mm-similar'>{hit.confidence.capitalize()} match</span> "


def _words(hit: Hit) -> str:
    """The query's words, marked on the page's picture."""
    return "".join(f"<i class='mm-word' style='{style_of(box)}'></i>" for box in hit.marks)


def _spot(hit: Hit) -> str:
    """A frame over the page's picture, in percent of it."""
    return f"<i class='mm-spot' style='{style_of(hit.match.box)}'></i>" if hit.match else ""


def _title(document: Document) -> str:
    return document.title or PurePath(next(iter(document.paths), "")).name or "Untitled"


def _path(document: Document) -> str:
    first, *others = document.paths or ("",)
    more = f" <span title='{escape(chr(10).join(others))}'>+{len(others)}</span>" if others else ""
    return f"<bdi>{escape(first)}</bdi>{more}"


def _labels(hit: Hit) -> str:
    """What a photo shows of what was asked for."""
    if not hit.labels:
        return ""
    names = ", ".join(f"{escape(name)} {sure:.0%}" for name, sure in hit.labels)
    about = "Told from the picture by a classifier that knows 1000 things."
    return f"<p class='mm-place' title='{about}'>Looks like: {names}</p>"


def _also_in(hit: Hit) -> str:
    """Where else the same page is."""
    places = (f"<bdi>{escape(_title(t.document))}</bdi>, page {t.page}" for t in hit.also_in)
    return f"<p class='mm-path'>Also in {'; '.join(places)}</p>" if hit.also_in else ""


def _message(title: str, *lines: str) -> str:
    """A few calm lines; `title` and `lines` are HTML."""
    body = "".join(f"<p>{line}</p>" for line in lines)
    return f"<div class='mm-message' role='status'><h2>{title}</h2>{body}</div>"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
