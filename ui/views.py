"""What the page shows, as HTML. Everything that comes from outside is escaped here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from mmsearch.answers import Answer
from mmsearch.errors import InvalidSetting
from mmsearch.screenshots import repairs
from mmsearch.screenshots.sheet import style_of
from mmsearch.types import Document, Hit, Query, Span
from mmsearch.where import place_of
from ui.address import MAX_TEXT, MOST_SHOWN, PAGE_SIZE, Asked, chosen, toggled
from ui.files import title_of

_FACETS = {
    "kind": "Kind",
    "folder": "Folder",
    "tag": "Tag",
    "year": "Year",
    "language": "Language",
    "source": "Text from",
}
_SOURCES = {
    "layer": "the file",
    "ocr": "recognition",
    "sidecar": "a file beside it",
    "none": "none",
}
_LEAST_VALUES = 2  # a facet that all pages share tells nothing
_SHOWN_VALUES = 6
_ICONS = {
    "image": "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9.5h.01",
    "screen": "M3 5h18v11H3zM9 20h6M12 16v4",
    "search": "M11 4a7 7 0 1 1 0 14 7 7 0 0 1 0-14zM20 20l-4-4",
}


def header(*, signs_out: bool = False) -> str:
    """The name of the page, and the way out for those who signed in."""
    out = "<form method='post' action='logout'><button class='mm-link'>Sign out</button></form>"
    return f"<header class='mm-header'><h1>mmsearch</h1>{out if signs_out else ''}</header>"


def search_bar() -> str:
    """One bar for words, an image, or both; `page.js` makes it work."""
    return (
        "<form class='mm-search' role='search' aria-label='Search'><div class='mm-field'>"
        "<span class='mm-chip' hidden><img alt='Your image'>"
        "<button type='button' class='mm-drop-image' aria-label='Remove the image'>×</button>"
        "</span>"
        "<input class='mm-words' type='search' enterkeyhint='search' autocomplete='off' "
        f"maxlength='{MAX_TEXT}' aria-label='Words or a question' "
        "placeholder='Words, a question, or a pasted screenshot'>"
        f"<button type='button' class='mm-icon mm-choose' title='Choose an image' "
        f"aria-label='Choose an image'>{_icon('image')}</button>"
        f"<button type='button' class='mm-icon mm-capture' title='Capture the screen' "
        f"aria-label='Capture the screen' hidden>{_icon('screen')}</button>"
        f"<button type='submit' class='mm-go' aria-label='Search'>{_icon('search')}"
        "<span>Search</span></button></div>"
        "<input class='mm-file' type='file' accept='image/*' aria-label='Image file' hidden>"
        "<div class='mm-mix' hidden><label for='mm-weight'>Words</label>"
        "<input id='mm-weight' type='range' min='0' max='1' step='0.1' value='0.5' "
        "aria-label='How much the image counts beside the words'>"
        "<span>Image</span><button type='button' class='mm-link mm-together' hidden>"
        "both together</button></div></form>"
    )


def welcome(pages: int, titles: Sequence[str]) -> str:
    """What stands in place of results before the first search.

    Args:
        pages: how many pages can be found.
        titles: of some documents, to try.
    """
    if not pages:
        return _message(
            "The index is empty.",
            "Add files under <a href='?tab=library' data-tab='library'>Library</a>, "
            "or with <code>mmsearch ingest PATH</code>.",
        )
    tried = "".join(
        f"<li><a class='mm-try' href='{escape(Asked(text=title).link())}' data-go dir='auto'>"
        f"{escape(title)}</a></li>"
        for title in titles
    )
    return _message(
        f"{_count(pages, 'page')} to search",
        "Type words, a question or a number that stands on the page.",
        "Paste, drop or choose a screenshot or photo to find the page it is from. Both together "
        "work as well.",
    ) + (f"<div class='mm-tries'><p>For example</p><ul>{tried}</ul></div>" if tried else "")


def results(
    answer: Answer,
    asked: Asked,
    query: Query,
    *,
    seconds: float,
    similar: tuple[str, int] | None = None,
) -> str:
    """The pages that were found, best first, with filters beside them.

    Args:
        answer: what the engine answered.
        asked: the search as a link.
        query: what was looked for.
        seconds: how long the search took.
        similar: the page that others like it were looked for, which is not shown itself.
    """
    hits = [hit for hit in answer.hits if (hit.document.id, hit.page) != similar]
    head = _head(answer, asked, query, hits, seconds=seconds)
    side = _side(asked, answer.facets)
    weak = query.image is None and hits and hits[0].confidence == "weak"
    if hits:
        items = "".join(_item(hit, query) for hit in hits)
        body = (
            f"{_not_here(asked) if weak else ''}"
            f"<ol class='mm-hits mm-{asked.layout}'>{items}</ol>{_more(answer, asked)}"
        )
    else:
        body = _nothing(asked)
    state = "" if answer.last else " data-more-to-come"
    return f"<div class='mm-found'{state}>{side}<div class='mm-main'>{head}{body}</div></div>"


def answered(html: str, number: object) -> str:
    """An answer with the number that the browser gave its search."""
    return f"<div data-answer='{number if isinstance(number, int) else 0}'>{html}</div>"


def problem(message: str, asked: Asked | None = None) -> str:
    """One line that says why there are no results; with a way out where a filter is the cause."""
    line = message[:1].upper() + message[1:]
    out = ""
    if asked and asked.where:
        out = f" <a href='{escape(asked.link(where=''))}' data-go>Search without the filter</a>"
    return f"<p class='mm-problem' role='alert'>{escape(line)}{out}</p>"


def marked(text: str, spans: Sequence[Span]) -> str:
    """A text whose `spans`, in order, are in `<mark>`."""
    shown, last = "", 0
    for start, end in spans:
        shown += f"{escape(text[last:start])}<mark>{escape(text[start:end])}</mark>"
        last = end
    return shown + escape(text[last:])


def _head(
    answer: Answer, asked: Asked, query: Query, hits: Sequence[Hit], *, seconds: float
) -> str:
    """How much was found, what was searched, and how it is laid out."""
    noun = "document" if asked.group else "page"
    total = answer.total - (len(answer.hits) - len(hits))  # without the page that others are like
    counted = f"{len(hits)} of {total}" if total > len(hits) else f"{len(hits)}"
    found = f"{counted} {noun}{'' if total == 1 else 's'}, {seconds:.2f} s"
    busy = "" if answer.last else " <span class='mm-busy'>Reading the best ones closely …</span>"
    return (
        f"<div class='mm-head'><p class='mm-took' role='status'>{found}{busy}</p>"
        f"<div class='mm-ways'><button type='button' class='mm-link mm-filters' "
        "aria-expanded='false'>Filters</button>"
        f"{_way(asked, 'By document', asked.group, group=not asked.group)}"
        f"{_way(asked, 'Grid', asked.layout == 'grid', layout='grid')}"
        f"{_way(asked, 'List', asked.layout == 'list', layout='list')}"
        "<button type='button' class='mm-link mm-copy'>Copy link</button></div></div>"
        f"{_searched(asked, query, hits)}"
    )


def _way(asked: Asked, name: str, chosen_: bool, **changes: object) -> str:
    current = " aria-current='true'" if chosen_ else ""
    return f"<a href='{escape(asked.link(**changes))}' data-go{current}>{name}</a>"


def _searched(asked: Asked, query: Query, hits: Sequence[Hit]) -> str:
    """What was looked for, where that is not what stands in the bar."""
    parts = []
    if asked.page:
        document, number = asked.page
        what = "A region of a page" if asked.region else "Pages like this one"
        back = f"?view={document}/{number}"
        parts.append(f"{what}: <a href='{escape(back)}' data-view='{document}/{number}'>see it</a>")
    done = ", ".join(repairs(query, hits))
    if done:
        undo = f"<a href='{escape(asked.link(repair=False))}' data-go>search it as it was</a>"
        parts.append(f"Searched after repair ({escape(done)}): {undo}")
    elif query.image is not None and not asked.repair:
        again = f"<a href='{escape(asked.link(repair=True))}' data-go>repair it</a>"
        parts.append(f"Searched as it was: {again}")
    return f"<p class='mm-searched'>{'. '.join(parts)}</p>" if parts else ""


def _side(asked: Asked, facets: Mapping[str, Mapping[str | int, int]]) -> str:
    """Filters: those chosen, a line to write one, and what the results could be narrowed to."""
    picked = chosen(asked.where)
    chips = "".join(_chip(asked, field, value) for field, value in picked)
    groups = "".join(
        _facet(asked, name, facets.get(name, {}), {v for f, v in picked if f == name})
        for name in _FACETS
    )
    return (
        "<aside class='mm-side' aria-label='Filters'>"
        "<form class='mm-where'><label for='mm-where'>Filter</label>"
        f"<input id='mm-where' name='where' value='{escape(asked.where)}' autocomplete='off' "
        "spellcheck='false' placeholder='kind=pdf date&gt;=2020'></form>"
        f"{f'<ul class=mm-chips>{chips}</ul>' if chips else ''}{groups}</aside>"
    )


def _chip(asked: Asked, field: str, value: str) -> str:
    link = asked.link(where=toggled(asked.where, field, value))
    return (
        f"<li><a href='{escape(link)}' data-go aria-label='Remove the filter {escape(field)} "
        f"{escape(value)}'>{escape(field)} <b dir='auto'>{escape(value)}</b> ×</a></li>"
    )


def _facet(asked: Asked, name: str, counts: Mapping[str | int, int], picked: set[str]) -> str:
    values = {value: number for value, number in counts.items() if str(value) not in picked}
    if len(counts) < _LEAST_VALUES or not values:
        return ""
    rows = [_value(asked, name, str(value), number) for value, number in values.items()]
    rest = "".join(rows[_SHOWN_VALUES:])
    more = f"<details><summary>More</summary><ul>{rest}</ul></details>" if rest else ""
    return f"<h2>{_FACETS[name]}</h2><ul>{''.join(rows[:_SHOWN_VALUES])}</ul>{more}"


def _value(asked: Asked, name: str, value: str, number: int) -> str:
    try:
        link = asked.link(where=toggled(asked.where, name, value))
    except InvalidSetting:  # what is written in the filter cannot be read
        link = asked.link(where=toggled("", name, value))
    shown = _SOURCES.get(value, value) if name == "source" else value
    return (
        f"<li><a href='{escape(link)}' data-go><span dir='auto'>{escape(shown)}</span>"
        f"<span class='mm-number'>{number:,}</span></a></li>"
    )


def _not_here(asked: Asked) -> str:
    """That the best hit is a weak one; a filter may have left the right page out."""
    where = "among what the filter leaves" if asked.where else "in the archive"
    return (
        f"<p class='mm-note' role='status'>This does not seem to be {where}. "
        "The nearest pages are below.</p>"
    )


def _nothing(asked: Asked) -> str:
    without = ""
    if asked.where:
        link = escape(asked.link(where=""))
        without = f"<a href='{link}' data-go>Search without the filter</a>, or try "
    return _message(
        "Nothing found" + (f" for “{escape(asked.text)}”" if asked.text else ""),
        f"{without or 'Try '}fewer or other words, or a screenshot with some text on it.",
    )


def _more(answer: Answer, asked: Asked) -> str:
    if answer.total <= asked.shown or asked.shown >= MOST_SHOWN:
        return ""
    link = escape(asked.link(shown=min(asked.shown + PAGE_SIZE, MOST_SHOWN)))
    return f"<p class='mm-more'><a href='{link}' data-go data-keep>More results</a></p>"


def _item(hit: Hit, query: Query) -> str:
    document = hit.document
    title, place = escape(title_of(document)), escape(place_of(hit))
    where = f"{document.id}/{hit.page}"
    box = f" data-box='{','.join(f'{x:.4f}' for x in hit.match.box)}'" if hit.match else ""
    link = f"href='?view={where}' data-view='{where}'{box}"
    snippet = (
        f"<p class='mm-snippet' dir='auto'>{marked(hit.snippet, hit.snippet_marks)}</p>"
        if hit.snippet
        else ""
    )
    return (
        "<li class='mm-hit'>"
        f"<a class='mm-picture' {link} tabindex='-1' aria-hidden='true'>"
        # Relative, so that the page also works below a path of a reverse proxy.
        f"<span><img src='thumbnails/{escape(where)}.jpg' alt='' loading='lazy' decoding='async'>"
        f"{_words(hit)}{_spot(hit)}</span></a>"
        "<div class='mm-about'>"
        f"<h2><a {link} dir='auto'>{title}</a></h2>"
        f"<p class='mm-place'>{place} {_sure(hit, query)}</p>"
        f"{snippet}{_labels(hit)}<p class='mm-path'>{_path(document)}</p>{_also_in(hit)}"
        f"{_more_of(hit)}</div></li>"
    )


def _sure(hit: Hit, query: Query) -> str:
    """How sure it is that this is what was asked for: a screenshot's page, or one for the words."""
    if hit.match:
        return "<strong class='mm-sure'>This very page</strong>"
    if query.image is not None:
        return "<span class='mm-similar'>Looks similar</span>"
    if hit.confidence == "strong":
        return "<strong class='mm-sure'>Strong match</strong>"
    return f"<span class='mm-similar'>{hit.confidence.capitalize()} match</span>"


def _words(hit: Hit) -> str:
    """The query's words, marked on the page's picture."""
    return "".join(f"<i class='mm-word' style='{style_of(box)}'></i>" for box in hit.marks)


def _spot(hit: Hit) -> str:
    """A frame over the page's picture, in percent of it."""
    return f"<i class='mm-spot' style='{style_of(hit.match.box)}'></i>" if hit.match else ""


def _path(document: Document) -> str:
    first, *others = document.paths or ("",)
    more = f" <span title='{escape(chr(10).join(others))}'>+{len(others)}</span>" if others else ""
    return f"<bdi title='{escape(first)}'>{escape(first)}</bdi>{more}"


def _labels(hit: Hit) -> str:
    """What a photo shows of what was asked for."""
    if not hit.labels:
        return ""
    names = ", ".join(f"{escape(name)} {sure:.0%}" for name, sure in hit.labels)
    about = "Told from the picture by a classifier that knows 1000 things."
    return f"<p class='mm-place' title='{about}'>Looks like: {names}</p>"


def _also_in(hit: Hit) -> str:
    """Where else the same page is."""
    places = (
        f"<a href='?view={t.document.id}/{t.page}' data-view='{t.document.id}/{t.page}'>"
        f"<bdi>{escape(title_of(t.document))}</bdi></a>, page {t.page}"
        for t in hit.also_in
    )
    return f"<p class='mm-also'>Also in {'; '.join(places)}</p>" if hit.also_in else ""


def _more_of(hit: Hit) -> str:
    """The other pages of a document that were found."""
    if not hit.more:
        return ""
    links = ", ".join(
        f"<a href='?view={hit.document.id}/{n}' data-view='{hit.document.id}/{n}'>{n}</a>"
        for n in hit.more_pages
    )
    rest = " …" if hit.more > len(hit.more_pages) else ""
    return f"<p class='mm-also'>{_count(hit.more, 'more page')}: {links}{rest}</p>"


def _icon(name: str) -> str:
    return f"<svg viewBox='0 0 24 24' aria-hidden='true'><path d='{_ICONS[name]}'/></svg>"


def _message(title: str, *lines: str) -> str:
    """A few calm lines; `title` and `lines` are HTML."""
    body = "".join(f"<p>{line}</p>" for line in lines)
    return f"<div class='mm-message' role='status'><h2>{title}</h2>{body}</div>"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
