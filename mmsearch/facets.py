"""How many pages have which value, for the choices beside a list of results.

Each facet is a field of the filter's text: a value that was counted selects these pages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mmsearch.filters import Filter
from mmsearch.index import Collection
from mmsearch.types import Payload

if TYPE_CHECKING:
    from mmsearch.engine import Candidate

Counts = dict[str | int, int]

FIELDS: Mapping[str, str] = {  # of the payload
    "kind": "kind",
    "folder": "folder",
    "tag": "tags",
    "source": "text_source",
    "language": "language",
    "year": "year",
}
_ASKED = 1000  # values that the index is asked for: it cuts among equal counts as it likes


def of_filter(pages: Collection, where: Filter, limit: int) -> dict[str, Counts]:
    """The commonest values of each facet among all pages that the filter selects.

    Args:
        pages: what is counted in.
        where: which pages.
        limit: most values of a facet.

    Returns:
        By facet, value and number of pages; most pages first, equal ones in order.
    """
    return {
        name: _commonest(pages.facet(field, where, limit=max(limit, _ASKED)), limit)
        for name, field in FIELDS.items()
    }


def of_candidates(
    pages: Collection, candidates: Sequence[Candidate], limit: int
) -> dict[str, Counts]:
    """The same among the pages that a search has found."""
    points = [candidate.point for candidate in candidates]
    found = pages.retrieve(points, payload=list(FIELDS.values()))
    return of_payloads((point.payload for point in found), limit)


def of_payloads(payloads: Iterable[Payload], limit: int) -> dict[str, Counts]:
    """The same among pages whose payload is at hand."""
    counted: dict[str, Counter[str | int]] = {name: Counter() for name in FIELDS}
    for payload in payloads:
        for name, field in FIELDS.items():
            counted[name].update(_values(payload.get(field)))
    return {name: _commonest(counts, limit) for name, counts in counted.items()}


def _values(value: Any) -> set[str | int]:
    return set(value) if isinstance(value, list) else set() if value is None else {value}


def _commonest(counts: Mapping[str | int, int], limit: int) -> Counts:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    return dict(ranked[:limit])
