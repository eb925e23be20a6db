"""A search as the query of a link: `?q=words&where=kind%3Dpdf`, so that it can be sent and kept."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

from mmsearch import narrowing
from mmsearch.errors import InvalidQuery, InvalidSetting
from mmsearch.types import Box

MAX_TEXT = 1000  # characters
MAX_LINK = 20_000  # characters
PAGE_SIZE = 20  # hits shown at first, and with each "more"
MOST_SHOWN = 240
_PAGE = re.compile(r"([0-9a-f]{64})/([1-9][0-9]{0,8})")
_NUMBER = r"(0|1|0?\.[0-9]{1,6}|1\.0{1,6})"
_REGION = re.compile(",".join([_NUMBER] * 4))
_FLAGS = {"1": True, "0": False}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a visitor looks for, and how it is shown.

    `image` is the id of an uploaded one; `page` a page of the index, its `region` or the whole of
    it, that is looked for like an image. `weight` is that of the image beside words, None both
    together. `layout` is how hits are laid out, `shown` how many at most.
    """

    text: str = ""
    image: str = ""
    page: tuple[str, int] | None = None
    region: Box | None = None
    where: str = ""
    weight: float | None = None
    group: bool = False
    rerank: bool | None = None
    repair: bool = True
    layout: Literal["grid", "list"] = "grid"
    shown: int = PAGE_SIZE

    def __bool__(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self.text or self.image or self.page)

    def link(self, **changes: Any) -> str:
        """The link of this search, with some parts changed; such parts start at the first hits."""
        asked = replace(self, **{"shown": PAGE_SIZE, **changes})
        pairs: list[tuple[str, str]] = []
        for item in fields(Asked):
            value = getattr(asked, item.name)
            if value != item.default:
                pairs.append((_NAMES[item.name], _written(value)))
        return "?" + urlencode(pairs)


_NAMES = {
    "text": "q", "image": "image", "page": "page", "region": "region", "where": "where",
    "weight": "weight", "group": "group", "rerank": "rerank", "repair": "repair",
    "layout": "show", "shown": "n",
}  # fmt: skip


def parse(link: object) -> Asked:
    """The search of a link's query; parts that are not known are passed over.

    Args:
        link: with or without its question mark; whoever calls may send anything.

    Raises:
        InvalidQuery: a part cannot be read.
    """
    if not isinstance(link, str) or len(link) > MAX_LINK:
        raise InvalidQuery("the link of the search cannot be read; start a new search")
    try:
        given = dict(parse_qsl(link.removeprefix("?"), max_num_fields=50))
    except ValueError:
        raise InvalidQuery("the link of the search has too many parts; start anew") from None
    text = given.get("q", "").replace("\0", " ").strip()
    return Asked(
        text=text[:MAX_TEXT],
        image=_matching(r"[\w-]{22}", given, "image"),
        page=_page(given.get("page", "")),
        region=_region(given.get("region", "")) if given.get("page") else None,
        where=given.get("where", "").strip(),
        weight=_weight(given.get("weight", "")),
        group=given.get("group") == "1",
        rerank=_FLAGS.get(given.get("rerank", "")),
        repair=given.get("repair") != "0",
        layout="list" if given.get("show") == "list" else "grid",
        shown=_shown(given.get("n", "")),
    )


def toggled(where: str, field: str, value: str) -> str:
    """A filter's text with one more choice of a facet, or without it if it holds it.

    Raises:
        InvalidSetting: the filter cannot be read.
    """
    terms, found = [], False
    for term in narrowing.terms(where):
        if term.field != field or term.operator != "=" or found:
            terms.append(term)
            continue
        found = True
        others = tuple(other for other in term.values if other != value)
        values = others if len(others) < len(term.values) else (*term.values, value)
        if values:
            terms.append(term._replace(values=values))
    if not found:
        terms.append(narrowing.Term(field, "=", (value,)))
    return " ".join(_term(term) for term in terms)


def chosen(where: str) -> list[tuple[str, str]]:
    """The choices that a filter's text consists of, as far as `toggled` takes them back."""
    try:
        terms = narrowing.terms(where)
    except InvalidSetting:
        return []
    return [(term.field, value) for term in terms if term.operator == "=" for value in term.values]


def _term(term: narrowing.Term) -> str:
    return f"{term.field}{term.operator}{','.join(map(_quoted, term.values))}"


def _quoted(value: str) -> str:
    if value and not re.search(r"""[\s,"']""", value):
        return value
    return f"'{value}'" if '"' in value else f'"{value}"'


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, Box):
        return ",".join(f"{x:.4f}" for x in value)
    if isinstance(value, tuple):
        return "/".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _matching(pattern: str, given: dict[str, str], name: str) -> str:
    value = given.get(name, "")
    if value and not re.fullmatch(pattern, value, re.ASCII):
        raise InvalidQuery(f"the {name} of the link cannot be read; choose it again")
    return value


def _page(text: str) -> tuple[str, int] | None:
    if not text:
        return None
    found = _PAGE.fullmatch(text)
    if found is None:
        raise InvalidQuery("the page of the link cannot be read; open it again")
    return found[1], int(found[2])


def _region(text: str) -> Box | None:
    if not text:
        return None
    found = _REGION.fullmatch(text)
    box = Box(*map(float, found.groups())) if found else None
    if box is None or box.x1 <= box.x0 or box.y1 <= box.y0:
        raise InvalidQuery("the region of the link cannot be read; draw it again")
    return box


def _weight(text: str) -> float | None:
    if not text:
        return None
    if not re.fullmatch(_NUMBER, text, re.ASCII):
        raise InvalidQuery("the weight of the image in the link is not a number from 0 to 1")
    return float(text)


def _shown(text: str) -> int:
    number = int(text) if re.fullmatch("[0-9]{1,4}", text, re.ASCII) else PAGE_SIZE
    return min(max(number, 1), MOST_SHOWN)
