"""How long the engine takes for words among many pages, in profile `lite`.

    python -m bench.latency [--pages 100000] [--queries 200] [--index DIR] [--json]

Pages are made up: 190 words each by Zipf's law, six passages of random unit vectors, a picture of
none. Asked are six words in a row of some page. Printed are milliseconds of the first stage
(`candidates`: the query encoded, every view searched, fused, wording compared), with and without a
filter that a tenth of the pages passes, of the ten hits with snippets, marks and confidence
(`search`), and of the views' lists alone.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import mmsearch
from mmsearch import documents
from mmsearch.config import Settings
from mmsearch.encoders import PageContent
from mmsearch.engine import SearchEngine
from mmsearch.index import Point
from mmsearch.types import Document, DocumentState, Location, Page, PageText

VOCABULARY = 100_000
WORDS, PASSAGES, WIDTH = 190, 6, 384
A_FILE = 50  # pages
ASKED = 6  # words
BATCH = 500
TEXT = "text"


def main() -> None:
    """Print p50 and p95 of each kind of request, before and after optimising."""
    arguments = _arguments()
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        index = arguments.index or Path(temporary) / "index"
        with mmsearch.open(index, settings=Settings(profile="lite")) as engine:
            if not engine.status()["pages"]:
                _fill(engine, arguments.pages)
            asked = _asked(arguments.pages, arguments.queries)
            engine.search(asked[0])  # models are loaded, the background is measured
            for state in ("as written", "optimised"):
                if state == "optimised":
                    engine.index.optimize()
                for name, run in _requests(engine).items():
                    row = f"{name}, {state}"
                    figures[row] = _measured(run, asked)
                    shown = "  ".join(f"{k} {v:.1f} ms" for k, v in figures[row].items())
                    print(f"{row:36} {shown}", flush=True)
    if arguments.json:
        print(json.dumps({"pages": arguments.pages} | figures))


def _requests(engine: SearchEngine) -> dict[str, Callable[[str], object]]:
    def lists(text: str) -> object:
        return engine.lists(engine.searches(engine.query(text), engine.encoders))

    def candidates(text: str, where: str = "") -> object:
        return engine.candidates(engine.query(text), where=where)

    return {
        "lists alone": lists,
        "candidates": candidates,
        "candidates, filtered": lambda text: candidates(text, "kind=image"),
        "search, ten hits": engine.search,
    }


def _measured(run: Callable[[str], object], asked: list[str]) -> dict[str, float]:
    spent = []
    for text in asked:
        started = time.perf_counter()
        run(text)
        spent.append(1000 * (time.perf_counter() - started))
    return {"p50": float(np.percentile(spent, 50)), "p95": float(np.percentile(spent, 95))}


def _fill(engine: SearchEngine, pages: int) -> None:
    chance = np.random.default_rng(1)
    batch: list[Point] = []
    for number, text in enumerate(_texts(pages)):
        file, page = divmod(number, A_FILE)
        kind = "image" if file % 10 == 0 else "pdf"
        document = Document(
            f"{file:064x}", DocumentState.DONE, title=f"file {file}", kind=kind,  # type: ignore[arg-type]
            locations=(Location(f"/files/{file}.pdf", f"{file}.pdf", 0.0),), page_count=A_FILE,
        )  # fmt: skip
        if not page:
            engine.documents.put(document)
        content = Page(page + 1, b"", 1000, 1400, PageText(text, "layer"))
        rows = chance.standard_normal((PASSAGES, WIDTH), np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        (terms,) = engine.encoders["lexical"].encode_pages([PageContent(text)])
        assert terms is not None and not isinstance(terms, Exception)
        batch.append(
            Point(
                documents.point_id(document.id, page + 1),
                documents.page_payload(document, content) | {"ready": 1},
                {TEXT: rows, "lexical": terms},
            )
        )
        if len(batch) == BATCH:
            engine.index.pages.upsert(batch)
            batch = []
    engine.index.pages.upsert(batch)
    engine.index.flush()


def _texts(pages: int) -> Iterator[str]:
    chance = np.random.default_rng(2)
    words = [_word(number) for number in range(VOCABULARY)]
    ranks = np.arange(1, VOCABULARY + 1)
    share = np.cumsum(1 / ranks)
    for _ in range(pages):
        drawn = np.searchsorted(share, chance.random(WORDS) * share[-1])
        yield " ".join(words[at] for at in drawn)


def _word(number: int) -> str:
    """A word that can be spoken, another for each number."""
    syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
    word = syllables[number % len(syllables)]
    while number := number // len(syllables):
        word += syllables[number % len(syllables)]
    return word


def _asked(pages: int, count: int) -> list[str]:
    step = max(1, pages // count)
    texts = (text for at, text in enumerate(_texts(pages)) if at % step == 0)
    return [" ".join(text.split()[90 : 90 + ASKED]) for text in texts][:count]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--pages", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--index", type=Path, help="keep the index here, and go on with it")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    return parser.parse_args()


if __name__ == "__main__":
    main()
