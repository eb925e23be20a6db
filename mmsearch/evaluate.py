"""How well known answers are found: queries and judgements in, the field's figures out."""

from __future__ import annotations

import json
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmsearch.engine import SearchEngine
from mmsearch.errors import InvalidQuery, InvalidSetting
from mmsearch.types import Document, Hit

Qrels = dict[str, dict[str, int]]
Run = dict[str, list[str]]

logger = logging.getLogger(__name__)

# our name -> the measure of trec_eval
MEASURES = {
    "MAP": "map",
    "nDCG@10": "ndcg_cut_10",
    "R@100": "recall_100",
    "MRR@10": "recip_rank",
    "hit@1": "success_1",
    "hit@5": "success_5",
    "hit@10": "success_10",
}


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """A line of the queries file."""

    id: str
    text: str
    image: Path | None
    scope: str | None


def evaluate(
    engine: SearchEngine,
    queries: Path,
    qrels: Path,
    *,
    limit: int = 100,
    level: str = "page",
    average: str = "query",
    scope: str | None = None,
    views: Sequence[str] | None = None,
    run: Path | None = None,
    rerank: bool | int = True,
) -> dict[str, Any]:
    """Run every judged query and score the answers.

    Args:
        engine: the index to ask.
        queries: JSON lines of `id`, `text` and perhaps `image` and `scope`.
        qrels: lines of query id, page id `PATH#PAGE` and grade, parted by tabs.
        limit: hits a query.
        level: `page`, or `document`, which drops the page.
        average: over all queries, or over documents of the queries' own averages.
        scope: only queries of this scope.
        views: only these views of the index.
        run: where the run is written, as query id, page id lines, best first.
        rerank: whether the profile's reranker reorders the best pages, or how many of them.

    Returns:
        The number of queries, each of `MEASURES`, and milliseconds a query.

    Raises:
        InvalidSetting: a file is not what it should be, or a page id is ambiguous.
    """
    asked = [q for q in read_queries(queries) if scope is None or q.scope == scope]
    judged = read_qrels(qrels, level)
    asked = [query for query in asked if any(g > 0 for g in judged.get(query.id, {}).values())]
    if not asked:
        raise InvalidSetting(f"{queries}: no query of it is judged in {qrels}; check the ids")
    names = _Names(engine.documents.all(), (id_ for q in asked for id_ in judged[q.id]), level)
    answers: Run = {}
    started = time.monotonic()
    for query in asked:
        hits = _search(engine, query, limit, views, rerank)
        answers[query.id] = list(dict.fromkeys(names.of(hit) for hit in hits))
    spent = time.monotonic() - started
    if run is not None:
        lines = (f"{query}\t{page}\n" for query, pages in answers.items() for page in pages)
        run.write_text("".join(lines), encoding="utf-8")
    each = measure({query.id: judged[query.id] for query in asked}, answers)
    groups = {query.id: _document_of(judged[query.id]) for query in asked}
    figures: dict[str, Any] = {"queries": len(asked)}
    figures |= _average(each, groups if average == "document" else None)
    return figures | {"ms/query": 1000 * spent / len(asked)}


def measure(qrels: Qrels, run: Mapping[str, Sequence[str]]) -> dict[str, dict[str, float]]:
    """Each query's figures by trec_eval; a query without answers scores 0.

    Args:
        qrels: grades by query and id.
        run: ids by query, best first.
    """
    import pytrec_eval

    evaluator = pytrec_eval.RelevanceEvaluator(qrels, set(MEASURES.values()))
    whole = evaluator.evaluate({q: _scores(ids) for q, ids in run.items()})
    # trec_eval has no cut for the reciprocal rank, so it is measured on the first ten alone
    first = evaluator.evaluate({q: _scores(ids[:10]) for q, ids in run.items()})
    for query, figures in whole.items():
        figures["recip_rank"] = first[query]["recip_rank"]
    return {
        query: {ours: whole.get(query, {}).get(theirs, 0.0) for ours, theirs in MEASURES.items()}
        for query in qrels
    }


def read_queries(path: Path) -> list[JudgedQuery]:
    """Read JSON lines of queries; an `image` is relative to the file."""
    queries = []
    for number, line in _lines(path):
        try:
            row = json.loads(line)
            image = path.parent / row["image"] if row.get("image") else None
            queries.append(
                JudgedQuery(str(row["id"]), str(row.get("text") or ""), image, row.get("scope"))
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidSetting(
                f'{path}: line {number} is no {{"id", "text"}} object: {error}'
            ) from error
    return queries


def read_qrels(path: Path, level: str) -> Qrels:
    """Read judgements; at document level a document has its best page's grade."""
    qrels: Qrels = defaultdict(dict)
    for number, line in _lines(path):
        try:
            query, id_, grade = line.split("\t")
            value = int(grade)
        except ValueError:
            raise InvalidSetting(
                f"{path}: line {number} is not query, page id and grade, parted by tabs"
            ) from None
        id_ = _split(id_)[0] if level == "document" else id_
        qrels[query][id_] = max(value, qrels[query].get(id_, 0))
    return dict(qrels)


class _Names:
    """The names by which the judgements call the pages of the index."""

    def __init__(self, documents: Iterable[Document], judged: Iterable[str], level: str) -> None:
        self._level = level
        self._called: dict[str, str] = {}  # document id -> its path in the judgements
        known = list(documents)
        for path in sorted({_split(id_)[0] if level == "page" else id_ for id_ in judged}):
            found = _find(known, path)
            if found is None:
                logger.warning("%s: judged, but not in the index", path)
            else:
                self._called[found.id] = path

    def of(self, hit: Hit) -> str:
        path = self._called.get(hit.document.id) or hit.document.locations[0].name
        return f"{path}#{hit.page}" if self._level == "page" else path


def _find(documents: Sequence[Document], path: str) -> Document | None:
    """The one document that `path` names: by its name in the ingested folder, else by its end."""
    exact = [d for d in documents if any(place.name == path for place in d.locations)]
    found = exact or [d for d in documents if any(p.endswith("/" + path) for p in d.paths)]
    if len(found) > 1:
        raise InvalidSetting(
            f"{path}: names both {found[0].paths[0]} and {found[1].paths[0]}; "
            "write more of the path in the judgements"
        )
    return found[0] if found else None


def _search(
    engine: SearchEngine,
    query: JudgedQuery,
    limit: int,
    views: Sequence[str] | None,
    rerank: bool | int,
) -> list[Hit]:
    try:
        asked = engine.query(query.text, image=query.image)
        found = engine.candidates(asked, views=views)
        if engine.reranker and rerank:
            found = engine.rerank(asked, found, None if rerank is True else rerank)
        return engine.hits(asked, found[:limit], snippet=False)
    except InvalidQuery as error:  # anything else would pass for a bad result
        logger.warning("query %s: %s", query.id, error)
        return []


def _average(
    each: Mapping[str, Mapping[str, float]], groups: Mapping[str, str] | None
) -> dict[str, float]:
    grouped: dict[str, list[Mapping[str, float]]] = defaultdict(list)
    for query, figures in each.items():
        grouped[groups[query] if groups else query].append(figures)
    return {
        name: _mean(_mean(figures[name] for figures in group) for group in grouped.values())
        for name in MEASURES
    }


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)


def _document_of(grades: Mapping[str, int]) -> str:
    """The document of a query's best judged page."""
    return _split(max(grades, key=lambda id_: grades[id_]))[0]


def _split(id_: str) -> tuple[str, str]:
    """`PATH#PAGE` parted; a name that only holds a # keeps it."""
    path, mark, page = id_.rpartition("#")
    return (path, page) if mark and page.isdigit() else (id_, "")


def _scores(ids: Sequence[str]) -> dict[str, float]:
    return {id_: float(len(ids) - rank) for rank, id_ in enumerate(ids)}


def _lines(path: Path) -> list[tuple[int, str]]:
    """The lines that are not empty, numbered from 1; only a newline ends one, as in JSON lines."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"{path}: cannot be read: {error}") from error
    numbered = enumerate(text.split("\n"), start=1)
    return [(number, line) for number, line in numbered if line.strip()]
