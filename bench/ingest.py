"""How fast files become searchable, each figure beside that of the usual way in the same run.

    python -m bench.ingest PDF_OR_FOLDER... [--kinds born vectors scans hard] [--pages N] [--json]

born     PDFs with a text layer, searchable by words; rival: pdf2image and pypdf in a loop
vectors  the vectors of the same pages, of text and picture; rival: the encoders alone, from memory
scans    dense ones of their pages as clean 200 dpi scans; rival: pdf2image and Tesseract in a loop
hard     the same pages at 120 dpi, blurred, noisy and skewed, read by RapidOCR

The rivals do less: nothing is stored or indexed. Recall is the share of the words of the text layer
that are found on the scan of the page.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import re
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

import ingest
import mmsearch
from ingest.vectors import is_immediate
from mmsearch.config import Settings
from mmsearch.encoders import PageContent
from mmsearch.engine import SearchEngine
from mmsearch.filters import Filter

Figures = dict[str, float]
KINDS = ("born", "vectors", "scans", "hard")
RIVAL_DPI = 144  # about the size of our page pictures
SCAN_DPI = 200
HARD_DPI = 120


def main() -> None:
    """Print a line a kind."""
    arguments = _arguments()
    files = [path for given in arguments.paths for path in _pdfs(given)]
    table: dict[str, Figures] = {}
    if {"born", "vectors"} & set(arguments.kinds):
        table |= _born_and_vectors(files, arguments.kinds)
    if "scans" in arguments.kinds:
        table["scans"] = _scans(files, arguments.pages)
    if "hard" in arguments.kinds:
        table["hard"] = _hard(files, arguments.pages)
    for kind, figures in table.items():
        print(f"{kind:8} " + "  ".join(f"{name} {value:.3g}" for name, value in figures.items()))
    if arguments.json:
        print(json.dumps(table))


def _born_and_vectors(files: list[Path], kinds: Iterable[str]) -> dict[str, Figures]:
    table: dict[str, Figures] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        mmsearch.open(Path(folder) / "index", settings=Settings(ocr="off")) as engine,
    ):
        report = ingest.run(files, engine)
        pages = engine.status()["searchable_pages"]
        if "born" in kinds:
            table["born"] = _beside(pages, report.seconds_reading, _render_and_extract(files))
        if "vectors" in kinds:
            table["vectors"] = _beside(pages, report.seconds_encoding, _encode_alone(engine))
    return table


def _beside(pages: int, seconds: float, rival: float) -> Figures:
    """Our pages a second, the rival's, and the ratio."""
    ours = pages / seconds
    return {"pages": pages, "pages/s": ours, "rival pages/s": rival, "ratio": ours / rival}


def _scans(files: list[Path], count: int) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        truth = _write_scans(files, count, Path(folder), _clean)
        ours = _read_scans(Path(folder), Settings(), truth)
        started = time.monotonic()
        found = {name: _tesseract(Path(folder) / name) for name in truth}
        rival = len(truth) / (time.monotonic() - started)
    return ours | {
        "rival pages/s": rival,
        "rival recall": _recall(truth, found),
        "ratio": ours["pages/s"] / rival,
    }


def _hard(files: list[Path], count: int) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        truth = _write_scans(files, count, Path(folder), _degraded)
        return _read_scans(Path(folder), Settings(ocr="rapidocr"), truth)


def _read_scans(folder: Path, settings: Settings, truth: dict[str, Counter[str]]) -> Figures:
    with mmsearch.open(folder / "index", settings=settings) as engine:
        report = ingest.run([folder / name for name in truth], engine)
        found: dict[str, str] = {}
        for point in engine.index.pages.scroll(Filter()):
            found[Path(point.payload["paths"][0]).name] = point.payload["text"]
    return {
        "pages": len(truth),
        "pages/s": len(truth) / report.seconds_reading,
        "recall": _recall(truth, found),
    }


def _render_and_extract(files: list[Path]) -> float:
    """Pages a second of the loop that everybody writes first."""
    from pdf2image import convert_from_path
    from pypdf import PdfReader

    started, pages = time.monotonic(), 0
    for file in files:
        for number, page in enumerate(PdfReader(file).pages, 1):
            convert_from_path(file, dpi=RIVAL_DPI, first_page=number, last_page=number)
            page.extract_text()
            pages += 1
    return pages / (time.monotonic() - started)


def _encode_alone(engine: SearchEngine) -> float:
    """Pages a second of the encoders that take time, fed from memory on all cores."""
    shown = ["text", "document", "number"]
    contents = [
        PageContent(
            p.payload["text"], engine.store.picture(p.payload["document"], p.payload["number"])
        )
        for p in engine.index.pages.scroll(Filter(), payload=shown)
    ]
    seconds = 0.0
    for encoder in engine.encoders.values():
        if is_immediate(encoder):
            continue
        at_once = 64 if encoder.reads == "text" else 1
        groups = [contents[start : start + at_once] for start in range(0, len(contents), at_once)]
        started = time.monotonic()
        if encoder.reads == "text":  # it has threads of its own
            list(map(encoder.encode_pages, groups))
        else:
            list(engine.pool.map(encoder.encode_pages, groups))
        seconds += time.monotonic() - started
    return len(contents) / seconds


def _tesseract(scan: Path) -> str:
    """One page by pdf2image and Tesseract, as a loop in one process does it."""
    from pdf2image import convert_from_path

    (page,) = convert_from_path(scan, dpi=SCAN_DPI)
    buffer = io.BytesIO()
    page.save(buffer, "PPM")
    done = subprocess.run(
        ["tesseract", "-", "-"],
        input=buffer.getvalue(),
        capture_output=True,
        check=True,
        env=os.environ | {"OMP_THREAD_LIMIT": "1"},
    )
    return done.stdout.decode()


def _write_scans(
    files: list[Path], count: int, folder: Path, scanned: Any
) -> dict[str, Counter[str]]:
    """Pages of 40 to 75 lines, drawn at random, as PDFs that are only pictures; their words."""
    import pypdfium2

    truth: dict[str, Counter[str]] = {}
    dense: list[tuple[Path, int]] = []
    for file in files:
        with pypdfium2.PdfDocument(file) as pdf:
            texts = [page.get_textpage().get_text_bounded() for page in pdf]
        dense += [
            (file, number)
            for number, text in enumerate(texts)
            if 40 <= len(text.splitlines()) <= 75 and len(text) >= 2500
        ]
    for file, number in random.Random(1).sample(dense, min(count, len(dense))):
        with pypdfium2.PdfDocument(file) as pdf:
            page = pdf[number]
            words = _words(page.get_textpage().get_text_bounded())
            picture, dpi = scanned(page, len(truth))
        name = f"{len(truth):03}.pdf"
        picture.save(folder / name, "PDF", resolution=dpi, quality=85)
        truth[name] = words
    return truth


def _clean(page: Any, _: int) -> tuple[Image.Image, int]:
    return page.render(scale=SCAN_DPI / 72).to_pil().convert("L"), SCAN_DPI


def _degraded(page: Any, seed: int) -> tuple[Image.Image, int]:
    picture = page.render(scale=HARD_DPI / 72).to_pil().convert("L")
    chance = np.random.default_rng(seed)
    picture = picture.rotate(
        float(chance.uniform(-1, 1)), resample=Image.Resampling.BICUBIC, fillcolor=255
    ).filter(ImageFilter.GaussianBlur(0.8))
    grey = np.asarray(picture, dtype=np.float32) * 0.85 + 20
    grey += chance.normal(0, 14, grey.shape)
    return Image.fromarray(grey.clip(0, 255).astype(np.uint8)), HARD_DPI


def _recall(truth: dict[str, Counter[str]], found: dict[str, str]) -> float:
    hits = sum((truth[name] & _words(found.get(name, ""))).total() for name in truth)
    return hits / sum(words.total() for words in truth.values())


def _words(text: str) -> Counter[str]:
    text = re.sub("[-\u00ad\u2010\ufffe]\\s*\n\\s*", "", text)  # \ufffe: a hyphen of PDFium's
    return Counter(re.findall(r"\w{2,}", text.lower()))


def _pdfs(given: Path) -> list[Path]:
    return sorted(given.rglob("*.pdf")) if given.is_dir() else [given]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--pages", type=int, default=24, help="of scans")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    return parser.parse_args()


if __name__ == "__main__":
    main()
