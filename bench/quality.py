"""How well words find pages: every collection of a folder, as it is and as scans.

    python -m bench.quality DATA [--only NAME ...] [--scans] [--docs 200] [--indexes DIR] [--json]

DATA has collections below it, each with `queries.jsonl` and `qrels.tsv`: texts (`docs.jsonl`),
files, or photos (`images/`). Of each are printed the figures of all views together, of words alone
(`lexical`) and of meaning alone (`text`); of files by query and by document. With --scans the
collections of texts and PDFs are also searched as pictures of their pages: PDFs drawn at 150 dpi
without their text, texts drawn on pages, a sample of --docs of each beside the same sample of clean
text; those in Latin letters as poor scans (100 to 150 dpi, skewed, blurred, noisy, JPEG).

not here    of queries whose pages (or, of texts, documents) are hidden, the share called weak
not weak    of queries whose right page comes first, the share not called weak
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import ingest
import mmsearch
from bench import photos, screenshots, texts
from bench.ocr import degraded
from mmsearch import documents, filters
from mmsearch.config import Settings
from mmsearch.engine import SearchEngine
from mmsearch.errors import InvalidQuery
from mmsearch.evaluate import Answer, ask, summary
from mmsearch.filters import Filter

VIEWS: Mapping[str, list[str] | None] = {"all": None, "lexical": ["lexical"], "text": ["text"]}
_SHOWN = ("queries", "nDCG@10", "hit@1", "hit@5", "ms/query")
_BY_DOCUMENT = {"kgrag_10q", "video"}  # judged by file; texts are as well
_ASKED = 100  # queries whose page is hidden
_DPI = 150

Figures = dict[str, dict[str, float]]


def main() -> None:
    """Print the figures of every collection."""
    arguments = _arguments()
    logging.getLogger("mmsearch.evaluate").setLevel(logging.ERROR)  # views that know no Arabic
    table: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory() as temporary:
        indexes = arguments.indexes or Path(temporary)
        for folder in _collections(arguments.data):
            if arguments.only and folder.name not in arguments.only:
                continue
            for name, figures in _measured(folder, indexes, arguments):
                table[name] = figures
                for row, values in figures.items():
                    shown = "  ".join(f"{k} {v:.4g}" for k, v in values.items())
                    print(f"{name:22} {row:18} {shown}", flush=True)
    if arguments.json:
        print(json.dumps(table))


def _measured(
    folder: Path, indexes: Path, arguments: argparse.Namespace
) -> Iterator[tuple[str, Figures]]:
    name = folder.name
    if (folder / "docs.jsonl").exists():
        with _engine(indexes / name) as engine:
            if not engine.status()["pages"]:
                texts.add_texts(engine, folder)
            yield name, _figures(engine, folder, "document")
        if arguments.scans:
            sample = _sample(folder, indexes / f"{name} sample", arguments.docs)
            with _engine(indexes / f"{name} sample index") as engine:
                if not engine.status()["pages"]:
                    texts.add_texts(engine, sample)
                yield f"{name}, sample", _figures(engine, sample, "document")
            scans = _drawn_texts(sample, indexes / f"{name} scans")
            with _engine(indexes / f"{name} scans index") as engine:
                ingest.run([scans], engine)
                yield f"{name}, scans", _figures(engine, scans, "document")
        return
    if (folder / "images").exists():
        with tempfile.TemporaryDirectory() as temporary:
            found = photos.measured(folder, None, "auto", Path(temporary))
        yield name, {key: value for key, value in found.items() if isinstance(value, dict)}
        return
    level = "document" if name in _BY_DOCUMENT else "page"
    with _engine(indexes / name) as engine:
        ingest.run([folder], engine)
        yield name, _figures(engine, folder, level)
    if arguments.scans and level == "page" and (pdfs := sorted(folder.rglob("*.pdf"))):
        scans = indexes / f"{name} scans"
        scans.mkdir(parents=True, exist_ok=True)
        for pdf in pdfs:
            if not (scans / pdf.name).exists():
                screenshots.scanned(pdf, scans / pdf.name)
        for file in ("queries.jsonl", "qrels.tsv"):
            (scans / file).write_bytes((folder / file).read_bytes())
        with _engine(indexes / f"{name} scans index") as engine:
            ingest.run([scans], engine)
            yield f"{name}, scans", _figures(engine, scans, level)


def _engine(index: Path) -> SearchEngine:
    return mmsearch.open(index, settings=Settings(profile="lite"))


def _figures(engine: SearchEngine, folder: Path, level: str) -> Figures:
    files = (folder / "queries.jsonl", folder / "qrels.tsv")
    figures: Figures = {}
    for name, views in VIEWS.items():
        answers = ask(engine, *files, level=level, views=views)
        figures[name] = _shown(summary(answers))
        if level == "page":
            figures[f"{name}, by document"] = _shown(summary(answers, "document"))
        if views is None:
            figures["confidence"] = _confidence(engine, answers)
    return figures


def _shown(values: Mapping[str, Any]) -> dict[str, float]:
    return {key: values[key] for key in _SHOWN}


def _confidence(engine: SearchEngine, answers: Sequence[Answer]) -> dict[str, float]:
    """How often a hidden page is said not to be here, and a page that is here to be found."""
    sure = weak = right = 0
    chosen = random.Random(1).sample(list(answers), min(_ASKED, len(answers)))
    for answer in chosen:
        text = answer.query.text
        hidden = _hidden(engine, answer)
        try:
            hits = engine.search(text, limit=1, where=Filter(must_not=filters.ids(hidden).must))
        except InvalidQuery:
            hits = []
        weak += not hits or hits[0].confidence == "weak"
    for answer in answers:
        if answer.hits and any(e.rank == 1 and e.grade > 0 for e in answer.expected):
            right += 1
            sure += answer.hits[0].confidence != "weak"
    return {"hidden": len(chosen), "not here": weak / max(1, len(chosen)),
            "right": right, "not weak": sure / max(1, right)}  # fmt: skip


def _hidden(engine: SearchEngine, answer: Answer) -> list[str]:
    """The points of all pages that are right for a query."""
    points: list[str] = []
    for expected in answer.expected:
        if expected.document is None or expected.grade <= 0:
            continue
        whole = range(1, expected.document.page_count + 1)
        pages = [expected.page] if "#" in expected.id else whole
        points += [documents.point_id(expected.document.id, number) for number in pages]
    return points


def _sample(folder: Path, into: Path, most: int) -> Path:
    """A collection of about `most` documents: those of some queries, then others."""
    chance = random.Random(1)
    docs = {doc["id"]: doc for doc in texts.read(folder)}
    qrels: dict[str, dict[str, str]] = {}
    for line in (folder / "qrels.tsv").read_text("utf-8").splitlines():
        query, doc, grade = line.split("\t")
        qrels.setdefault(query, {})[doc] = grade
    queries = (folder / "queries.jsonl").read_text("utf-8").splitlines()
    chance.shuffle(queries)
    chosen: dict[str, None] = {}
    kept = []
    for line in queries:
        wanted = qrels.get(str(json.loads(line)["id"]), {})
        if len({*chosen, *wanted}) > 0.7 * most:
            break
        kept.append(line)
        chosen |= dict.fromkeys(doc for doc in wanted if doc in docs)
    others = [doc for doc in docs if doc not in chosen]
    chosen |= dict.fromkeys(chance.sample(others, min(len(others), max(0, most - len(chosen)))))
    into.mkdir(parents=True, exist_ok=True)
    asked = {str(json.loads(line)["id"]) for line in kept}
    _write(into / "docs.jsonl", (json.dumps(docs[doc]) for doc in sorted(chosen)))
    _write(into / "queries.jsonl", kept)
    rows = ((q, doc, g) for q in asked for doc, g in qrels[q].items() if doc in chosen)
    _write(into / "qrels.tsv", ("\t".join(row) for row in rows))
    return into


def _drawn_texts(folder: Path, into: Path) -> Path:
    """The documents of a collection as pictures of their pages, in Latin letters as poor scans."""
    into.mkdir(parents=True, exist_ok=True)
    for number, doc in enumerate(texts.read(folder)):
        file = into / f"{doc['id']}.jpg"
        if not file.exists():
            text = texts.text_of(doc)
            scan = texts.draw(text, _DPI).convert("RGB")
            if text.isascii() or "LATIN" in unicodedata.name(text[0], ""):
                scan = degraded(scan, number)
            scan.save(file, quality=90, dpi=(scan.width / 8.27, scan.width / 8.27))
    rows = (line.split("\t") for line in (folder / "qrels.tsv").read_text("utf-8").splitlines())
    _write(into / "qrels.tsv", (f"{query}\t{doc}.jpg\t{grade}" for query, doc, grade in rows))
    (into / "queries.jsonl").write_bytes((folder / "queries.jsonl").read_bytes())
    return into


def _write(path: Path, lines: Iterator[str] | Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")


def _collections(data: Path) -> list[Path]:
    return sorted(path.parent for path in data.rglob("qrels.tsv"))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("data", type=Path, help="folder of collections")
    parser.add_argument("--only", nargs="+", help="these collections, by folder name")
    parser.add_argument("--scans", action="store_true", help="also as pictures of pages, by OCR")
    parser.add_argument("--docs", type=int, default=200, help="texts drawn of each collection")
    parser.add_argument("--indexes", type=Path, help="keep indexes here, and go on with them")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    return parser.parse_args()


if __name__ == "__main__":
    main()
