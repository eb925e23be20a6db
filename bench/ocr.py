"""Text recognised off scans: errors against transcripts, words found, turned and skewed pages.

    python -m bench.ocr [--lines FOLDER] [--texts docs.jsonl]... [--pages N] [--json]

FOLDER holds `images/`, `lines/` and `transcripts.jsonl` (id: the file's name, text). Character
error rate = Levenshtein distance / characters of the transcript, summed over all files of a kind;
both sides NFKC (which makes a long s an s), quotes and dashes one each, runs of blanks one blank.
Word recall = share of a page's words (three letters and more, lower case, without punctuation,
each as often as it occurs) that were found. Texts are drawn as pages of 200 dpi, and degraded:
100 to 150 dpi, blur, noise, skew of up to 1.5 degrees, JPEG. Seconds are wall-clock of one process.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from bench.texts import draw, read, text_of
from mmsearch import images, ocr

ENGINES: tuple[ocr.Engine, ...] = ("tesseract", "rapidocr", "auto")
DPI = 200
PROCESSES = 2
_ALIKE = str.maketrans({"—": "-", "–": "-", "⸗": "-", "„": '"', "“": '"', "”": '"', "’": "'"})


def main() -> None:
    """Print the figures."""
    arguments = _arguments()
    table: dict[str, Any] = {}
    ocr.recognise(Image.new("RGB", (64, 64), "white"), engine="rapidocr")  # loads its models
    if arguments.lines:
        table["lines"] = _error_rates(arguments.lines)
    for path in arguments.texts:
        table[path.parent.name] = _recalls(path, arguments.pages)
    if arguments.json:
        print(json.dumps(table))


def _error_rates(folder: Path) -> dict[str, float]:
    transcripts = [json.loads(row) for row in (folder / "transcripts.jsonl").open(encoding="utf-8")]
    table = {}
    for kind in ("images", "lines"):
        rows = [row for row in transcripts if (folder / kind / row["id"]).exists()]
        if not rows:
            continue
        for engine in ENGINES:
            wrong = total = 0
            started = time.monotonic()
            for row in rows:
                image = images.open_image(folder / kind / row["id"])
                found = _plain(ocr.read_page(image, engine=engine).text.text)
                expected = _plain(row["text"])
                wrong += _distance(expected, found)
                total += len(expected)
            spent = (time.monotonic() - started) / len(rows)
            table[f"{kind} {engine}"] = wrong / total
            print(f"{kind:7} {engine:10} CER {wrong / total:.3f}  {spent:.2f} s each", flush=True)
    return table


def _recalls(path: Path, pages: int) -> dict[str, dict[str, float]]:
    docs = [doc for doc in read(path.parent) if len(text_of(doc).split()) > 60]
    texts = [text_of(doc) for doc in docs[:: max(1, len(docs) // pages)]][:pages]
    drawn = [draw(text, DPI).convert("RGB") for text in texts]
    poor = [degraded(page, seed) for seed, page in enumerate(drawn)]
    table = {}
    for name, scans in (("clean", drawn), ("degraded", poor)):
        for engine in ENGINES:
            table[f"{name} {engine}"] = _row(path.parent.name, name, engine, scans, texts)
        for change, changed in _changes():
            turned = [changed(page) for page in scans]
            row = _row(path.parent.name, f"{name}, {change}", "auto", turned, texts)
            table[f"{name}, {change} auto"] = row
        started = time.monotonic()
        with ProcessPoolExecutor(PROCESSES) as pool:
            list(pool.map(_read, scans))
        rate = len(scans) / (time.monotonic() - started)
        table[f"{name} auto"]["pages/s"] = rate
        print(f"{path.parent.name:12} {name:22} auto, {PROCESSES} processes: {rate:.2f} pages/s")
    return table


def _read(page: Image.Image) -> str:
    return ocr.read_page(page).text.text


def _row(
    corpus: str, name: str, engine: ocr.Engine, scans: list[Image.Image], texts: list[str]
) -> dict[str, float]:
    started = time.monotonic()
    found = [ocr.read_page(page, engine=engine).text.text for page in scans]
    seconds = (time.monotonic() - started) / len(scans)
    recall = sum(map(_recall, texts, found)) / len(texts)
    print(f"{corpus:12} {name:22} {engine:10} recall {recall:.4f}  {seconds:.2f} s", flush=True)
    return {"recall": recall, "seconds": seconds}


def degraded(page: Image.Image, seed: int) -> Image.Image:
    """The page as a poor scan: 100 to 150 dpi, skewed, blurred, noisy, JPEG."""
    random = np.random.default_rng(seed)
    grey = page.convert("L").rotate(
        random.uniform(-1.5, 1.5), Image.Resampling.BICUBIC, fillcolor=255
    )
    share = random.uniform(100, 150) / DPI
    size = (round(page.width * share), round(page.height * share))
    grey = grey.resize(size, Image.Resampling.LANCZOS)
    grey = grey.filter(ImageFilter.GaussianBlur(random.uniform(0.4, 0.9)))
    pixels = 235 - (255 - np.asarray(grey, np.float32)) * 0.8
    pixels += random.normal(0, random.uniform(3, 9), pixels.shape)
    buffer = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(
        buffer, "JPEG", quality=int(random.integers(35, 70))
    )
    return images.open_image(buffer.getvalue())


def _changes() -> Iterator[tuple[str, Callable[[Image.Image], Image.Image]]]:
    for turn in (90, 180, 270):
        yield f"turned {turn}", partial(Image.Image.rotate, angle=turn, expand=True)
    yield "skewed 2", _skewed


def _skewed(page: Image.Image) -> Image.Image:
    return page.rotate(-2, Image.Resampling.BICUBIC, fillcolor=page.getpixel((0, 0)))


def _recall(expected: str, found: str) -> float:
    wanted, got = _words(expected), _words(found)
    return (wanted & got).total() / max(wanted.total(), 1)


def _words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w{3,}", text.lower()))


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).translate(_ALIKE).split())


def _distance(one: str, other: str) -> int:
    """Levenshtein distance, a row at a time."""
    codes = np.array([ord(letter) for letter in other], np.int64)
    steps = np.arange(len(other) + 1)
    row = steps.copy()
    for letter in one:
        best = np.empty_like(row)
        best[0] = row[0] + 1
        best[1:] = np.minimum(row[1:] + 1, row[:-1] + (codes != ord(letter)))
        # What insertions along the row make of it: a running minimum.
        row = np.minimum.accumulate(best - steps) + steps
    return int(row[-1])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--lines", type=Path, help="folder of images and transcripts")
    parser.add_argument("--texts", type=Path, action="append", default=[], help="docs.jsonl")
    parser.add_argument("--pages", type=int, default=10, help="drawn of each")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    return parser.parse_args()


if __name__ == "__main__":
    main()
