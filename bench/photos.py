"""How well photos without text are found by words for what they show, in profile `lite`.

    python -m bench.photos FOLDER [--unrelated FILE] [--ocr auto] [--json]

FOLDER holds `images/`, whose names begin with the WordNet id of a class of ImageNet, and
`queries.jsonl`, one {"id", "text"} a class. The names are hidden from the engine: they tell what is
to be found. Asked are these queries, and those of `photo_queries.tsv`: everyday words, and the
classes that are right for them. FILE has lines of {"text"} that no photo answers.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np

import ingest
import mmsearch
from mmsearch.config import Settings
from mmsearch.engine import SearchEngine
from mmsearch.labels import names

VIEW = "labels"
QUERIES = Path(__file__).with_name("photo_queries.tsv")
_ID = 9  # characters of a WordNet id
_QUANTILES = (0.1, 0.5, 0.9, 0.99, 1.0)

Ocr = Literal["auto", "rapidocr", "tesseract", "off"]  # the setting
Asked = Sequence[tuple[str, frozenset[str]]]  # a query, and the ids of the classes it asks for


def main() -> None:
    """Print hit@1 and hit@5 by what was asked and of which views, and how sure it was."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--unrelated", type=Path, help="lines of {text} that no photo answers")
    parser.add_argument(
        "--ocr", choices=get_args(Ocr), default="off", help="text on a photo is read first"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measured(arguments.folder, arguments.unrelated, arguments.ocr, Path(folder))
    for name, value in figures.items():
        print(f"{name:34} {value}")
    if arguments.json:
        print(json.dumps(figures))


def measured(source: Path, unrelated: Path | None, ocr: Ocr, folder: Path) -> dict[str, object]:
    """What `main` prints, by name; the index is made in `folder`."""
    there = _copy(source / "images", folder / "photos")
    settings = Settings(index=str(folder / "index"), profile="lite", ocr=ocr)
    with mmsearch.open(settings=settings) as engine:
        ingest.run([folder / "photos"], engine)
        figures: dict[str, object] = {
            "photos": len(there),
            "with labels": engine.status()["vectors"][VIEW],
            "photos/s": round(_speed(engine), 1),
        }
        kinds = [(text, ids & there) for text, ids in everyday()]
        asked: Mapping[str, Asked] = {
            "labels": [(q["text"], frozenset({q["id"]})) for q in _rows(source / "queries.jsonl")],
            "everyday words": [(text, ids) for text, ids in kinds if ids],
        }
        for name, queries in asked.items():
            for views in ([VIEW], None):
                found = f"{name}, {VIEW if views else 'all views'}"
                figures[found] = {"queries": len(queries)} | _hits(engine, queries, views)
            figures[f"{name}, best score"] = _best(engine, [text for text, _ in queries])
        if unrelated:
            figures["unrelated, best score"] = _best(engine, [r["text"] for r in _rows(unrelated)])
    return figures


def everyday() -> Asked:
    """The queries of `photo_queries.tsv` with the ids of the classes that are right."""
    known = names.read()
    below: dict[str, set[str]] = {}
    for number, row in known.owners:
        below.setdefault(known.texts[row], set()).add(known.ids[number])
    lines = QUERIES.read_text(encoding="utf-8").splitlines()
    return [
        (text, frozenset().union(*(below[term] for term in terms.split("; "))))
        for text, terms in (line.split("\t") for line in lines)
    ]


def _copy(source: Path, folder: Path) -> frozenset[str]:
    """The photos under names that tell nothing but the class; the ids of these."""
    folder.mkdir()
    for file in sorted(source.iterdir()):
        shutil.copy(file, folder / f"{file.name[:_ID]}{file.suffix}")
    return frozenset(file.name[:_ID] for file in folder.iterdir())


def _speed(engine: SearchEngine) -> float:
    """Photos a second, their pictures in memory."""
    points = [c.id for c in engine.index.pages.scroll(mmsearch.filters.Filter(), payload=False)]
    encoder = engine.encoders[VIEW]
    pages = list(engine.contents(points, "photo").values())
    encoder.encode_pages(pages[:2])
    started = time.perf_counter()
    encoder.encode_pages(pages)
    return len(pages) / (time.perf_counter() - started)


def _hits(engine: SearchEngine, asked: Asked, views: Sequence[str] | None) -> dict[str, float]:
    """The share of queries with a right photo first, and among the first five."""
    first = among = 0
    for text, ids in asked:
        candidates = (
            engine.candidates(engine.query(text), views=views)
            if _means(engine, text, views)
            else []
        )
        found = [
            Path(hit.document.paths[0]).stem in ids
            for hit in engine.hits(engine.query(text), candidates[:5], snippet=False)
        ]
        first += found[:1] == [True]
        among += any(found)
    return {"hit@1": round(first / len(asked), 3), "hit@5": round(among / len(asked), 3)}


def _means(engine: SearchEngine, text: str, views: Sequence[str] | None) -> bool:
    """Whether there is anything to search for: of one view alone, that need not be."""
    return views is None or bool(engine.searches(engine.query(text), {VIEW: engine.encoders[VIEW]}))


def _best(engine: SearchEngine, texts: Sequence[str]) -> dict[str, float]:
    """How high the best photo of each query scores, as quantiles; 0 where none is found."""
    best = []
    for text in texts:
        lists = engine.lists(engine.searches(engine.query(text), {VIEW: engine.encoders[VIEW]}))
        best.append(max((score for found in lists.values() for _, score in found), default=0.0))
    return {f"q{q * 100:g}": round(float(np.quantile(best, q)), 3) for q in _QUANTILES}


def _rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    main()
