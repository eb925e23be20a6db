"""One ranking out of several lists of scores; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

RRF_K = 60.0  # Cormack, Clarke & Büttcher 2009


def reciprocal_rank(
    lists: Mapping[str, Sequence[tuple[str, float]]],
    weights: Mapping[str, float],
    *,
    k: float = RRF_K,
) -> list[tuple[str, float]]:
    """Weighted reciprocal rank fusion.

    Args:
        lists: by view, (id, score) best first.
        weights: by view; a view without one counts 1.
        k: how little the first ranks stand out.

    Returns:
        (id, score) best first, ties by id; the score of an id is the sum over the views that
        list it of weight / (k + rank), rank from 1.

    Source: Cormack, Clarke & Büttcher 2009, Reciprocal rank fusion outperforms Condorcet.
    """
    fused: dict[str, float] = {}
    for view, ranked in lists.items():
        weight = weights.get(view, 1.0)
        for rank, (id_, _) in enumerate(_by_score(ranked), start=1):
            fused[id_] = fused.get(id_, 0.0) + weight / (k + rank)
    return _by_score(list(fused.items()))


def normalised_sum(
    lists: Mapping[str, Sequence[tuple[str, float]]], weights: Mapping[str, float]
) -> list[tuple[str, float]]:
    """Weighted sum of scores, each list scaled to [0, 1] between its worst and its best.

    Args:
        lists: by view, (id, score) in any order.
        weights: by view; a view without one counts 1.

    Returns:
        (id, score) best first, ties by id. An id that a list lacks gets 0 from it, as its worst
        does; in a list of one score every id gets 1.

    Source: Lee 1997, Analyses of multiple evidence combination (CombSUM).
    """
    fused: dict[str, float] = {}
    for view, scored in lists.items():
        if not scored:
            continue
        weight = weights.get(view, 1.0)
        worst, best = min(s for _, s in scored), max(s for _, s in scored)
        for id_, score in scored:
            share = (score - worst) / (best - worst) if best > worst else 1.0
            fused[id_] = fused.get(id_, 0.0) + weight * share
    return _by_score(list(fused.items()))


def _by_score(ranked: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    return sorted(ranked, key=lambda item: (-item[1], item[0]))
