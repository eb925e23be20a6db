"""Queries of several parts: each is asked by itself, and what they find becomes one list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

from mmsearch import fusion
from mmsearch.errors import InvalidQuery, InvalidSetting
from mmsearch.types import Query

if TYPE_CHECKING:
    from PIL.Image import Image

    from mmsearch.engine import Candidate, SearchEngine

    Source: TypeAlias = str | Path | bytes | Image  # path, encoded bytes or picture

MOST_IMAGES = 8


class Part(NamedTuple):
    """What is asked by itself, and how much it counts: the weights of a query's parts make 1.

    `label` ends the names of its scores: empty, or `.2` and so on of further images.
    """

    query: Query
    weight: float = 1.0
    label: str = ""


def label(number: int) -> str:
    """What the names of an image's scores end in; `number` counts from 1."""
    return f".{number}" if number > 1 else ""


def parts(query: Query) -> list[Part]:
    """What a query asks by itself: words and images apart where these are weighted, else each image
    with the words. Parts of no weight are left out.
    """
    images = query.images
    if not images:
        return [Part(query)]
    weight = query.image_weight if query.text else None
    share = (1.0 if weight is None else weight) / len(images)
    text = query.text if weight is None else ""
    asked = [
        Part(replace(image, text=text), share, label(number))
        for number, image in enumerate(images, start=1)
    ]
    words = [] if weight is None else [Part(Query(query.text), 1 - weight)]
    return [part for part in words + asked if part.weight > 0]


def join(found: Sequence[tuple[Part, Sequence[Candidate]]], depth: int) -> list[Candidate]:
    """One list out of those of several parts, by the weighted sum of scores in relation to each
    list's best; that of a single part stays as it is.

    Args:
        found: by part, its list, best first.
        depth: how long a view's list gets.
    """
    joined: dict[str, Candidate] = {}
    for part, ranked in found:
        for one in ranked:
            known = joined.get(one.point)
            scores = {name + part.label: score for name, score in one.scores.items()}
            scores = {**known.scores, **scores} if known else scores
            joined[one.point] = replace(one, scores=scores)
    if len(found) == 1:
        return list(joined.values())
    lists = {str(n): [(c.point, c.score) for c in ranked] for n, (_, ranked) in enumerate(found)}
    weights = {str(n): part.weight for n, (part, _) in enumerate(found)}
    order = fusion.relative_sum(lists, weights, scales={}, standout={}, trust={}, depth=depth)
    return [replace(joined[point], score=score) for point, score in order]


def rerank(
    engine: SearchEngine, query: Query, candidates: Sequence[Candidate], count: int | None
) -> list[Candidate]:
    """Reorder the first `count` candidates by what the reranker says to each part of a query.

    A reranked candidate's score is the weighted sum. Where the reranker cannot judge one of the
    parts, as one of texts cannot judge an image, the order stays: it would be that of the others.
    """
    asked = parts(query)
    if len(asked) == 1:
        return engine.rerank(asked[0].query, candidates, count)
    totals = dict.fromkeys((c.point for c in candidates), 0.0)
    judged = set(totals)
    for part in reversed(asked):  # images first: to refuse them is no work
        ranked = engine.rerank(part.query, candidates, count)
        judged &= {c.point for c in ranked if "rerank" in c.scores}
        if not judged:
            return list(candidates)
        # What is not judged stays below what is in each, and so in the sum.
        for candidate in ranked:
            totals[candidate.point] += part.weight * candidate.score
    scored = [
        replace(
            c,
            score=totals[c.point],
            scores={**c.scores, "rerank": totals[c.point]} if c.point in judged else c.scores,
        )
        for c in candidates
    ]
    return sorted(scored, key=lambda c: (c.match is None, -c.score))


def several(image: Source | Sequence[Source] | None) -> Sequence[Source]:
    """The images of a query as a sequence; raises InvalidQuery for more than `MOST_IMAGES`."""
    if image is None:
        return ()
    one = isinstance(image, str | bytes) or not isinstance(image, Sequence)
    images = cast("Sequence[Source]", (image,) if one else image)
    if len(images) > MOST_IMAGES:
        raise InvalidQuery(f"{len(images)} images: a query has at most {MOST_IMAGES}; give fewer")
    return images


def check_weight(weight: float | None) -> float | None:
    """The weight of images beside words; raises InvalidSetting unless it is in [0, 1]."""
    if weight is not None and not 0 <= weight <= 1:
        raise InvalidSetting(
            f"image weight {weight}: allowed is 0 (words alone) to 1 (images alone)"
        )
    return weight
