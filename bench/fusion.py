"""Which fusion of the views ranks best: measured on several collections, tuned to none.

    python -m bench.fusion FOLDER... [--json]

All are of the lists of words (`lexical`) and of meaning (`text`); the last row is the engine's own
order, which adds the pages around and the wording to the fusion before.

A FOLDER is either a text collection (`docs.jsonl`, `queries.jsonl`, `qrels.tsv`) or one of PDFs
(`pdfs/` or the files themselves, `queries.jsonl`, `qrels.tsv` with ids `FILE.pdf#PAGE`).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import ingest
import mmsearch
from bench.texts import add_texts
from mmsearch import fusion
from mmsearch.config import Settings
from mmsearch.encoders.minilm import MiniLmEncoder
from mmsearch.engine import DEPTH, SearchEngine
from mmsearch.evaluate import MEASURES, measure, read_qrels, read_queries

Lists = Mapping[str, Sequence[tuple[str, float]]]
Fusion = Callable[[Lists], list[tuple[str, float]]]


def main() -> None:
    """Print nDCG@10 and hit@1 of each fusion on each collection."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    arguments = parser.parse_args()
    table: dict[str, dict[str, dict[str, float]]] = {}
    for folder in arguments.folders:
        lists, qrels = _lists(folder)
        table[folder.name] = {name: _score(fuse, lists, qrels) for name, fuse in FUSIONS.items()}
        for name, figures in table[folder.name].items():
            shown = "  ".join(f"{k} {figures[k]:.4f}" for k in ("nDCG@10", "hit@1", "hit@5"))
            print(f"{folder.name:14} {name:32} {shown}", flush=True)
    if arguments.json:
        print(json.dumps(table))


def _rrf(k: float, text: float) -> Fusion:
    return lambda lists: fusion.reciprocal_rank(_two(lists), {"text": text}, k=k)


def _normalised(text: float) -> Fusion:
    return lambda lists: fusion.normalised_sum(_two(lists), {"text": text})


def _two(lists: Lists) -> Lists:
    return {view: lists[view] for view in ("lexical", "text")}


def _relative(least: float, text: float) -> Fusion:
    return lambda lists: fusion.relative_sum(
        _two(lists),
        {"text": text},
        scales={"text": MiniLmEncoder.scale},
        standout={"lexical": least},
        trust={},
        depth=DEPTH,
    )


FUSIONS: dict[str, Fusion] = {
    "lexical alone": lambda lists: list(lists["lexical"]),
    "text alone": lambda lists: list(lists["text"]),
    **{f"rrf k={k} text={w}": _rrf(k, w) for k in (10, 60) for w in (0.5, 1.0, 2.0)},
    **{f"normalised text={w}": _normalised(w) for w in (0.5, 0.75, 1.0, 1.5, 2.0)},
    **{f"relative text={w}": _relative(1.0, w) for w in (0.8, 1.6)},
    **{f"relative, standing out text={w}": _relative(0.0, w) for w in (0.5, 0.8, 1.2)},
    "with pages around and wording": lambda lists: list(lists["shipped"]),
}


def _score(
    fuse: Fusion, lists: Mapping[str, Lists], qrels: dict[str, dict[str, int]]
) -> dict[str, float]:
    run = {query: [id_ for id_, _ in fuse(views)] for query, views in lists.items()}
    each = measure({query: qrels[query] for query in run}, run)
    return {name: sum(row[name] for row in each.values()) / len(each) for name in MEASURES}


def _lists(folder: Path) -> tuple[dict[str, Lists], dict[str, dict[str, int]]]:
    """Every query's list of each view, by page name."""
    qrels = read_qrels(folder / "qrels.tsv", "page")
    texts = (folder / "docs.jsonl").exists()
    with (
        tempfile.TemporaryDirectory() as temporary,
        mmsearch.open(Path(temporary) / "index", settings=Settings()) as engine,
    ):
        if texts:
            add_texts(engine, folder)
        else:
            ingest.run([folder], engine)
        found = {
            query.id: _views(engine, query.text, pages=not texts)
            for query in read_queries(folder / "queries.jsonl")
            if query.id in qrels and query.text.strip()
        }
    return found, qrels


def _views(engine: SearchEngine, text: str, *, pages: bool) -> Lists:
    lists: dict[str, list[tuple[str, float]]] = {}
    query = engine.query(text)
    candidates = engine.candidates(query)
    hits = engine.hits(query, candidates, snippet=False)
    for hit in hits:
        name = hit.document.locations[0].name
        id_ = f"{Path(name).name}#{hit.page}" if pages else name
        for view, score in hit.scores.items():
            lists.setdefault(view, []).append((id_, score))
        lists.setdefault("shipped", []).append((id_, hit.score))
    return {
        view: sorted(lists.get(view, []), key=lambda row: (-row[1], row[0]))
        for view in ("lexical", "text", "shipped")
    }


if __name__ == "__main__":
    main()
