"""How many copies of pages are found, and how many pages are wrongly taken for copies.

    python -m bench.duplicates FOLDER [--pages 8] [--scans 40] [--json]

Of each PDF below FOLDER the first pages go into an index with a copy of each, made in one of three
ways, and scans of some of them, recognised by Tesseract. Then every page is asked for its twins:
right are its copies and pages with the same words, wrong all others.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from unicodedata import normalize

import numpy as np
import pypdfium2
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from mmsearch import duplicates, looks, ocr
from mmsearch.documents import PAGE_FIELDS
from mmsearch.images import page_picture
from mmsearch.index import Point, Schema, View
from mmsearch.index.edge import EdgeCollection
from mmsearch.saying import saying

_PAPER = (250, 250, 245)


class _Printed(NamedTuple):
    """A page of a file: `name` is its document and number, `picture` a rendering at 150 dpi."""

    name: str
    text: str
    picture: Image.Image


def main() -> None:
    """Print recall by kind of copy, precision, and the times at 10,000 and 100,000 pages."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pages", type=int, default=8, help="of each PDF, at most")
    parser.add_argument("--scans", type=int, default=40, help="how many pages are recognised")
    parser.add_argument("--synthetic", type=int, nargs=2, default=[10_000, 100_000])
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        row = found(arguments.folder, arguments.pages, arguments.scans, Path(folder) / "files")
        row |= times(*arguments.synthetic, Path(folder) / "synthetic")
    if arguments.json:
        print(json.dumps(row))


def found(folder: Path, most: int, scans: int, place: Path) -> dict[str, Any]:
    """Recall of the copies and precision over all pairs that are called the same."""
    collection = _collection(place)
    origin: dict[tuple[str, int], tuple[str, str]] = {}  # of a page: the page it shows, its kind
    words: dict[str, str] = {}
    spent: list[float] = []
    kinds = {"recompressed": _recompressed, "smaller": _smaller, "cropped": _cropped}
    step = 0
    for page in pages(folder, most):
        versions = [("original", page.picture, page.text, "layer")]
        kind = list(kinds)[step % len(kinds)]
        versions.append((kind, kinds[kind](page.picture, step), page.text, "layer"))
        if scans and step % 3 == 0 and len(page.text.split()) > 30:
            scan = _scanned(page.picture, step)
            text = ocr.recognise(scan, engine="tesseract", languages="eng").text
            versions.append(("scan", scan, text, "ocr"))
            scans -= 1
        # Files of one page order its words freely, and write ligatures or not.
        words[page.name] = "".join(sorted(re.findall(r"\w", normalize("NFKC", page.text))))
        points = []
        for kind, picture, text, source in versions:
            jpeg, _, _ = page_picture(picture.convert("RGB"))
            began = time.perf_counter()
            look = looks.look_of(jpeg)
            spent.append(time.perf_counter() - began)
            if look:
                document = f"{kind}:{page.name}"
                origin[document, 1] = (page.name, kind)
                points.append(_point(document, look, text, source))
        collection.upsert(points)
        step += 1
    right, missed, wrong = Counter[str](), Counter[str](), []
    wordless: set[tuple[str, ...]] = set()
    for (document, _), (name, kind) in origin.items():
        asked = _id(document)
        others = duplicates.twins(collection, [asked]).get(asked, ())
        shown = {origin[other] for other in others}
        if kind != "original" and (f"original:{name}", 1) in origin:
            (right if (name, "original") in shown else missed)[kind] += 1
        wrong += [(kind, name, *o) for o in shown if words[o[0]] != words[name]]
        right["pairs"] += len(shown)
        wordless |= {tuple(sorted((name, o))) for o, _ in shown if o != name and not words[o]}
    collection.close()
    if not step:
        raise SystemExit(f"{folder}: holds no PDF that opens; name a folder of PDFs")
    row: dict[str, Any] = {"pages": step, "look_ms": 1000 * median(spent)}
    print(f"{step} pages; a look takes {row['look_ms']:.1f} ms")
    for kind in (*kinds, "scan"):
        total = right[kind] + missed[kind]
        row[kind] = right[kind] / max(total, 1)
        print(f"{kind}: {right[kind]} of {total} found ({row[kind]:.1%})")
    row["precision"] = 1 - len(wrong) / max(right["pairs"], 1)
    print(f"precision {row['precision']:.2%}: {len(wrong)} of {right['pairs']} twins are wrong")
    for kind, name, other, what in wrong[:20]:
        print(f"  {kind} of {name} = {what} of {other}")
    print(f"{len(wordless)} pairs of pages without words, counted as right; look at them:")
    for pair in sorted(wordless)[:20]:
        print(f"  {' = '.join(pair)}")
    return row


def pages(folder: Path, most: int) -> Iterator[_Printed]:
    """The first pages of each PDF that opens; those of no use as a page are left out."""
    for path in sorted(folder.rglob("*.pdf")):
        try:
            with pypdfium2.PdfDocument(path) as document:
                for number in range(min(most, len(document))):
                    page = document[number]
                    width, height = page.get_size()
                    if 10_000 < width * height < 2_000_000:
                        image = page.render(scale=150 / 72).to_pil().convert("RGB")
                        text = page.get_textpage().get_text_bounded()
                        yield _Printed(f"{path.name}, page {number + 1}", text, image)
        except pypdfium2.PdfiumError:
            continue


def times(few: int, many: int, place: Path) -> dict[str, float]:
    """Milliseconds for the twins of ten hits, seconds for all pairs; looks made at random."""
    random = np.random.default_rng(0)
    rows = random.integers(0, 1 << 16, (many, looks.BANDS), dtype=np.uint16)
    rows[many // 2 :: 10] = rows[: many // 2 : 10] ^ (random.random((1, 16)) < 0.3)
    began = time.perf_counter()
    said = np.arange(many, dtype=np.uint64)
    pairs = sum(1 for _ in duplicates.near_pairs(rows, said))
    everything = time.perf_counter() - began
    print(f"{many} looks: {pairs} near pairs in {everything:.1f} s")
    rows[few // 2 : few : 10] = rows[: few // 2 : 10]
    texts = [f"the text of page {number % (few // 2)}, long enough" * 50 for number in range(few)]
    printed = _twins_of_ten(place / "printed", rows, texts, "layer")
    print(f"{few} pages: twins of ten hits p50 {printed[0]:.1f} ms, p95 {printed[1]:.1f} ms")
    # Forms, say: any two differ in some 40 bits, and each has words of its own.
    rows = rows[:1] ^ np.packbits(random.random((few // 2, looks.BITS)) < 0.085, axis=1).view("<u2")
    words = [f"{number:x}" * 2 for number in range(3000)]
    texts = [" ".join(random.choice(words, 150)) for _ in rows]
    scanned = _twins_of_ten(place / "scanned", rows, texts, "ocr")
    print(
        f"{few // 2} scans of one layout: twins of ten hits p50 {scanned[0]:.1f} ms, "
        f"p95 {scanned[1]:.1f} ms"
    )
    return {
        "all_seconds": everything,
        "twins_p50_ms": printed[0],
        "twins_p95_ms": printed[1],
        "scans_p50_ms": scanned[0],
        "scans_p95_ms": scanned[1],
    }


def _twins_of_ten(
    place: Path, rows: NDArray[np.uint16], texts: Sequence[str], source: str
) -> tuple[float, float]:
    """Milliseconds that the twins of ten hits take, median and 95th percentile."""
    collection = _collection(place)
    collection.upsert(
        [
            _point(str(number), row.astype(">u2").tobytes().hex(), text, source)
            for number, (row, text) in enumerate(zip(rows, texts, strict=False))
        ]
    )
    collection.flush()
    spent = []
    for start in range(0, len(texts) // 2, len(texts) // 100):
        ids = [_id(str(number)) for number in range(start, start + 10)]
        began = time.perf_counter()
        duplicates.twins(collection, ids)
        spent.append(1000 * (time.perf_counter() - began))
    collection.close()
    return median(spent), float(np.percentile(spent, 95))


def _collection(folder: Path) -> EdgeCollection:
    folder.parent.mkdir(parents=True, exist_ok=True)
    return EdgeCollection(folder, Schema((View("_unused", "dense", 2),), PAGE_FIELDS))


def _id(document: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, document))


def _point(document: str, look: str, text: str, source: str) -> Point:
    says = saying(text)
    payload = {
        "document": document, "number": 1, "ready": 1, "text": text, "text_source": source,
        "says": says.key, "little": int(says.little),
        "look": look, "look_bands": looks.bands(look),
    }  # fmt: skip
    return Point(_id(document), payload)


def _recompressed(image: Image.Image, _: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=25)
    return Image.open(buffer)


def _smaller(image: Image.Image, _: int) -> Image.Image:
    return image.convert("L").resize((image.width * 2 // 3, image.height * 2 // 3))


def _cropped(image: Image.Image, seed: int) -> Image.Image:
    cut = np.random.default_rng(seed).uniform(0, 0.01, 4) * (image.size * 2)
    left, top, right, bottom = (int(side) for side in cut)
    return image.crop((left, top, image.width - right, image.height - bottom))


def _scanned(image: Image.Image, seed: int) -> Image.Image:
    """Half a degree askew and 1 % beside at most, blurred, paler, with noise."""
    random = np.random.default_rng(seed)
    x, y = random.uniform(-0.01, 0.01, 2) * image.size
    angle = random.uniform(-0.5, 0.5)
    image = image.rotate(
        angle, Image.Resampling.BICUBIC, translate=(int(x), int(y)), fillcolor=_PAPER
    )
    grey = np.asarray(image.convert("L").filter(ImageFilter.GaussianBlur(0.6)), dtype=np.float32)
    grey = grey * 0.92 + 8 + random.normal(0, 6, grey.shape)
    return Image.fromarray(grey.clip(0, 255).astype(np.uint8)).convert("RGB")


if __name__ == "__main__":
    main()
