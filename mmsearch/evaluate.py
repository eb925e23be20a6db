"""How well known answers are found: queries and judgements in, the field's figures out."""

from __future__ import annotations

import json
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from mmsearch.engine import SearchEngine
from mmsearch.errors import InvalidQuery, InvalidSetting
from mmsearch.types import Document, Hit

Qrels = dict[str, dict[str, int]]

SHOWN = 5  # of what a query found

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


@dataclass(frozen=True, slots=True)
class Expected:
    """A page that is judged to be right, or a document, of which `page` is then the first.

    `document` is None where it is not in the index, `rank` (from 1) where it was not found.
    """

    id: str
    grade: int
    document: Document | None
    page: int
    rank: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a judged query found.

    `expected` has the best grades first. `ids` are all pages, or documents, that were found, best
    first, and `hits` the best `SHOWN` of them. `fault` is why the query could not be run.
    `figures` holds each of `MEASURES`; `seconds` are of the search.
    """

    query: JudgedQuery
    expected: tuple[Expected, ...]
    ids: tuple[str, ...]
    hits: tuple[Hit, ...]
    figures: Mapping[str, float]
    seconds: float
    fault: str = ""


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
    rerank: bool | int | None = None,
) -> dict[str, Any]:
    """Run every judged query and score the answers: `summary` of `ask`, which see.

    Raises:
        InvalidSetting: a file is not what it should be, or a page id is ambiguous.
    """
    asked = ask(
        engine, queries, qrels, limit=limit, level=level, scope=scope, views=views, rerank=rerank
    )
    return summary(asked, average)


def ask(
    engine: SearchEngine,
    queries: Path,
    qrels: Path,
    *,
    limit: int = 100,
    level: str = "page",
    scope: str | None = None,
    views: Sequence[str] | None = None,
    rerank: bool | int | None = None,
) -> list[Answer]:
    """Run every judged query and score each answer.

    Args:
        engine: the index to ask.
        queries: JSON lines of `id`, `text` and perhaps `image` and `scope`.
        qrels: lines of query id, page id `PATH#PAGE` and grade, parted by tabs.
        limit: hits a query.
        level: `page`, or `document`, which drops the page.
        scope: only queries of this scope.
        views: only these views of the index.
        rerank: whether the profile's reranker reorders the best pages, or how many of them.

    Returns:
        An answer for each query that is judged, at least one.

    Raises:
        InvalidSetting: a file is not what it should be, or a page id is ambiguous.
    """
    asked = [q for q in read_queries(queries) if scope is None or q.scope == scope]
    judged = read_qrels(qrels, level)
    asked = [query for query in asked if any(g > 0 for g in judged.get(query.id, {}).values())]
    if not asked:
        raise InvalidSetting(f"{queries}: no query of it is judged in {qrels}; check the ids")
    names = _Names(engine.documents.all(), (id_ for q in asked for id_ in judged[q.id]), level)
    answers = [
        _ask(engine, query, names, judged[query.id], limit=limit, views=views, rerank=rerank)
        for query in asked
    ]
    each = measure(
        {query.id: judged[query.id] for query in asked},
        {answer.query.id: answer.ids for answer in answers},
    )
    return [replace(answer, figures=each[answer.query.id]) for answer in answers]


def summary(answers: Sequence[Answer], average: str = "query") -> dict[str, Any]:
    """The number of queries, each of `MEASURES`, and milliseconds a query.

    Args:
        answers: at least one.
        average: over all queries, or over documents of the queries' own averages.
    """
    grouped: dict[str, list[Mapping[str, float]]] = defaultdict(list)
    for answer in answers:
        of_document = average == "document"
        group = _split(answer.expected[0].id)[0] if of_document else answer.query.id
        grouped[group].append(answer.figures)
    figures: dict[str, Any] = {"queries": len(answers)}
    for name in MEASURES:
        figures[name] = fmean(fmean(one[name] for one in group) for group in grouped.values())
    return figures | {"ms/query": 1000 * fmean(answer.seconds for answer in answers)}


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
        self._documents: dict[str, Document] = {}  # by that path
        known = list(documents)
        for path in sorted({_split(id_)[0] if level == "page" else id_ for id_ in judged}):
            found = _find(known, path)
            if found is None:
                logger.warning("%s: judged, but not in the index", path)
            else:
                self._called[found.id] = path
                self._documents[path] = found

    def of(self, hit: Hit) -> str:
        path = self._called.get(hit.document.id) or hit.document.locations[0].name
        return f"{path}#{hit.page}" if self._level == "page" else path

    def page(self, id_: str) -> tuple[Document | None, int]:
        """What an id of the judgements names; of a document the first page."""
        path, number = _split(id_) if self._level == "page" else (id_, "")
        return self._documents.get(path), int(number or 1)


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


def _ask(
    engine: SearchEngine,
    query: JudgedQuery,
    names: _Names,
    grades: Mapping[str, int],
    *,
    limit: int,
    views: Sequence[str] | None,
    rerank: bool | int | None,
) -> Answer:
    """What a query found, still without figures."""
    started, fault, hits = time.monotonic(), "", []
    try:
        asked = engine.query(query.text, image=query.image)
        found = engine.candidates(asked, views=views)
        rerank = asked.image is None if rerank is None else rerank
        if engine.reranker and rerank:
            found = engine.rerank(asked, found, None if rerank is True else rerank)
        hits = engine.hits(asked, found[:limit], snippet=False)
    except InvalidQuery as error:  # anything else would pass for a bad result
        fault = str(error)
        logger.warning("query %s: %s", query.id, fault)
    seconds = time.monotonic() - started
    first: dict[str, Hit] = {}  # of a document's pages the best
    for hit in hits:
        first.setdefault(names.of(hit), hit)
    ranks = {id_: rank for rank, id_ in enumerate(first, start=1)}
    right = sorted((id_ for id_ in grades if grades[id_] > 0), key=lambda id_: -grades[id_])
    expected = tuple(Expected(id_, grades[id_], *names.page(id_), ranks.get(id_)) for id_ in right)
    shown = tuple(first.values())[:SHOWN]
    return Answer(query, expected, tuple(first), shown, {}, seconds, fault)


def _split(id_: str) -> tuple[str, str]:
    """`PATH#PAGE` parted; a name that only holds a # keeps it."""
    path, mark, page = id_.rpartition("#")
    return (path, page) if mark and page.isdecimal() and len(page) < 10 else (id_, "")


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
