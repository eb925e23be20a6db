"""Collections of texts with judgements: read, put into an index, and drawn as pages.

A folder holds `docs.jsonl` (id, title, text), `queries.jsonl` (id, text) and `qrels.tsv`.
"""

from __future__ import annotations

import hashlib
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from mmsearch import documents
from mmsearch.encoders import PageContent
from mmsearch.engine import SearchEngine
from mmsearch.errors import UnreadableFile
from mmsearch.index import Point
from mmsearch.types import Document, DocumentState, Location, Page, PageText

BATCH = 64
FONTS = (
    ("\u0600", "\u06ff", "NotoNaskhArabic-Regular.ttf"),
    ("\u3040", "\u9fff", "NotoSansCJK-Regular.ttc"),
)
_LETTERS = 200  # of a text, by which its font is chosen


def add_texts(engine: SearchEngine, folder: Path) -> None:
    """Put the texts of `docs.jsonl` into the index as one-page documents, past the readers."""
    docs = read(folder)
    for start in range(0, len(docs), BATCH):
        _add(engine, docs[start : start + BATCH])


def read(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "docs.jsonl").open(encoding="utf-8")]


def _add(engine: SearchEngine, docs: list[dict[str, Any]]) -> None:
    contents = [PageContent(text_of(doc)) for doc in docs]
    encoders = {name: e for name, e in engine.encoders.items() if e.reads == "text"}
    vectors = {name: e.encode_pages(contents) for name, e in encoders.items()}
    points = []
    for number, doc in enumerate(docs):
        document = Document(
            hashlib.sha256(doc["id"].encode()).hexdigest(),
            DocumentState.DONE,
            title=doc["id"],
            locations=(Location(f"/{doc['id']}", doc["id"], 0.0),),
            page_count=1,
        )
        engine.documents.put(document)
        page = Page(1, b"", 0, 0, PageText(contents[number].text, "layer"))
        points.append(
            Point(
                documents.point_id(document.id, 1),
                documents.page_payload(document, page) | {"ready": 1},
                {
                    name: vector
                    for name, made in vectors.items()
                    if (vector := made[number]) is not None
                    and not isinstance(vector, UnreadableFile)
                },
            )
        )
    engine.index.pages.upsert(points)


def text_of(doc: dict[str, Any]) -> str:
    title = doc.get("title") or ""
    text = doc.get("text") or ""
    return text if not title or text.startswith(title) else f"{title}\n{text}"


def draw(text: str, dpi: int) -> Image.Image:
    """The text on an A4 page, in the largest of a few sizes at which it fits."""
    width, height = round(8.27 * dpi), round(11.69 * dpi)
    margin = round(0.8 * dpi)
    for points in (12, 11, 10, 9, 8, 7):
        font = _font(points * dpi / 72, text)
        widest = max(font.getlength(letter) for letter in {"n", *text[:_LETTERS]} - {*"\n"})
        letter = widest if widest > 1.5 * font.getlength("n") else font.getlength("n")
        columns = int((width - 2 * margin) / letter * 1.02)
        lines = [line for part in text.splitlines() for line in _wrapped(part, columns)]
        step = round(points * dpi / 72 * 1.35)
        if len(lines) * step <= height - 2 * margin:
            break
    page = Image.new("L", (width, height), 255)
    pen = ImageDraw.Draw(page)
    for row, line in enumerate(lines):
        pen.text((margin, margin + row * step), line, font=font, fill=0)
    return page


def _wrapped(part: str, columns: int) -> Iterator[str]:
    yield from textwrap.wrap(part, columns) or [""]


def _font(pixels: float, text: str) -> ImageFont.FreeTypeFont:
    import reportlab

    name = str(Path(reportlab.__file__).parent / "fonts" / "Vera.ttf")
    for first, last, other in FONTS:  # by what Debian's fonts-noto packages hold
        if any(first <= letter <= last for letter in text[:_LETTERS]):
            name = other
    return ImageFont.truetype(name, round(pixels))
