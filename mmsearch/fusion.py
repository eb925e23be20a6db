"""One ranking out of several lists of scores; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

Lists = Mapping[str, Sequence[tuple[str, float]]]
Join = Callable[[Lists, Mapping[str, float]], list[tuple[str, float]]]

RRF_K = 60.0  # Cormack, Clarke & Büttcher 2009
_TENTH = 9


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


def relative_sum(
    lists: Lists,
    weights: Mapping[str, float],
    *,
    scales: Mapping[str, tuple[float, float]],
    standout: Mapping[str, float],
    trust: Mapping[str, float],
    depth: int,
) -> list[tuple[str, float]]:
    """Weighted sum of scores in relation to each list's best.

    Args:
        lists: by view, (id, score) best first; scores above 0 are good.
        weights: by view; a view without one counts 1.
        scales: by view, a score that says nothing, and one by which its best is measured where
            that is lower; 0 and 0 for a view without.
        standout: by view that counts terms, such as BM25, how much it counts at least, in [0, 1]:
            else as much as its first stands out from its tenth, for where many pages share the
            words that are rare in all, these don't tell which one is meant.
        trust: by id, a factor for the lists of `standout`; 1 where it is missing.
        depth: how long lists get; what a full one lacks is taken for as good as its last.

    Returns:
        (id, score) best first, ties by id.
    """
    every = {id_ for ranked in lists.values() for id_, _ in ranked}
    fused = dict.fromkeys(every, 0.0)
    for view, ranked in lists.items():
        ordered = _by_score(ranked)
        nothing, good = scales.get(view, (0.0, 0.0))
        if not ordered or ordered[0][1] <= nothing:
            continue
        best = ordered[0][1]
        last = ordered[-1][1] if len(ordered) >= depth else nothing
        weight = weights.get(view, 1.0) / (max(best, good) - nothing)
        if view in standout:
            tenth = ordered[_TENTH][1] if len(ordered) > _TENTH else 0.0
            weight *= max(standout[view], 1 - tenth / best)
        scores = dict(ordered)
        for id_ in every:
            sure = trust.get(id_, 1.0) if view in standout else 1.0
            fused[id_] += weight * sure * max(0.0, scores.get(id_, last) - nothing)
    return _by_score(list(fused.items()))


def _by_score(ranked: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    return sorted(ranked, key=lambda item: (-item[1], item[0]))
