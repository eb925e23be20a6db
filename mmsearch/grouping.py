"""The best page of each document, and how many more of it were found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mmsearch.engine import Candidate

SHOWN = 10  # numbers of further pages that are told

Place = tuple[str, int]  # document id and page number


class Group(NamedTuple):
    """A document's best page; `more` counts its others, `pages` are the numbers of the best."""

    best: Candidate
    document: str
    more: int = 0
    pages: tuple[int, ...] = ()


def by_document(candidates: Sequence[Candidate], places: Mapping[str, Place]) -> list[Group]:
    """Put the pages of each document together, in order of its best one.

    Args:
        candidates: best first.
        places: of each point; a candidate without one, removed since, is left out.
    """
    groups: dict[str, Group] = {}
    for candidate in candidates:
        if candidate.point not in places:
            continue
        document, number = places[candidate.point]
        group = groups.get(document)
        if group is None:
            groups[document] = Group(candidate, document)
        else:
            groups[document] = group._replace(
                more=group.more + 1, pages=(*group.pages, number)[:SHOWN]
            )
    return list(groups.values())
