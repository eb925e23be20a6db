"""A contact sheet: screenshots beside the pages they were found on, as one HTML file.

It needs nothing else and asks nobody: pictures are inside, there are no scripts. The report of
`mmsearch eval` is made of the same parts.
"""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from mmsearch.types import Box

if TYPE_CHECKING:
    from PIL.Image import Image

_SHOT_SIZE, _PAGE_SIZE = (500, 500), (560, 720)  # pixels of what is shown, at most
_QUALITY = 72  # of the JPEGs

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5c6675; --line: #dde2ea;
  --ground: #f5f7fa; --card: #fff; --spot: #d9480f; --sure: #1a7f37; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf2; --soft: #9aa5b4; --line: #333b47;
  --ground: #14181e; --card: #1c222b; --spot: #ff8a4c; --sure: #56d364; } }
* { box-sizing: border-box; }
body { display: flex; flex-direction: column; gap: 16px; max-width: 1180px; margin: 0 auto;
  padding: 28px 20px 56px; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
header { order: -1; } /* what it counts is known last */
h1 { margin: 0; font-size: 22px; letter-spacing: -0.02em; }
header p { margin: 2px 0 0; color: var(--soft); }
article { padding: 16px; border: 1px solid var(--line); border-radius: 10px;
  background: var(--card); overflow-wrap: anywhere; }
h2 { margin: 0; font-size: 16px; }
article p { margin: 0; color: var(--soft); }
article p b { color: var(--ink); }
article.sure p b { color: var(--sure); }
.pictures { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 20px; margin-top: 12px; }
.pictures img { display: block; max-width: 100%; max-height: 70vh; background: #fff;
  box-shadow: 0 0 0 1px rgb(0 0 0 / 12%); }
.pictures > * { position: relative; max-width: 100%; }
.pictures i { position: absolute; border: 3px solid var(--spot); border-radius: 3px;
  box-shadow: 0 0 0 1px rgb(255 255 255 / 70%); background: rgb(217 72 15 / 8%); }
table { border-collapse: collapse; margin-top: 8px; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 20px 4px 0; border-bottom: 1px solid var(--line); text-align: right; }
th { color: var(--soft); font-weight: normal; }
h3 { margin: 14px 0 0; color: var(--soft); font-size: 13px; font-weight: 600; }
.row { display: flex; flex-wrap: wrap; gap: 16px; }
figure { flex: 0 1 180px; min-width: 0; margin: 8px 0 0; }
figcaption { margin-top: 6px; font-size: 13px; }
figcaption b { color: var(--spot); }
figure.right b { color: var(--sure); }
figure .pictures { margin: 0; }
@media print { body { background: none; } article, figure { break-inside: avoid; } }
"""
_START = (
    "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
    "<meta name='viewport' content='width=device-width, initial-scale=1'>"
    "<meta http-equiv='Content-Security-Policy' "
    "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
)


@dataclass(frozen=True, slots=True)
class Card:
    """A screenshot and what it was found to be; pictures are RGB, as large as they come.

    `answer` is how sure that is, `sure` whether it is this very page; `place` names the page, and
    `note` is whatever else there is to say. `box` is the spot on `page`.
    """

    name: str
    answer: str
    sure: bool = False
    place: str = ""
    note: str = ""
    screenshot: Image | None = None
    page: Image | None = None
    box: Box | None = None


def start(title: str) -> str:
    """The beginning of a file, up to its body: no script runs in it, and nothing is fetched."""
    return f"{_START}<title>{escape(title)}</title><style>{_STYLE}</style></head><body>\n"


def sheet(cards: Iterable[Card]) -> Iterator[str]:
    """The HTML, part by part: of many screenshots it is never held as a whole."""
    counts: Counter[str] = Counter()
    yield start("Screenshots and their pages")
    for card in cards:
        counts[card.answer] += 1
        yield _article(card)
    summed = ", ".join(f"{answer}: {count:,}" for answer, count in counts.most_common())
    total = f"{counts.total():,} screenshot{'' if counts.total() == 1 else 's'}"
    yield f"<header><h1>{total}</h1><p>{escape(summed)}</p></header></body></html>\n"


def _article(card: Card) -> str:
    place = f" {escape(card.place)}" if card.place else ""
    note = f"<p>{escape(card.note)}</p>" if card.note else ""
    shot = f"<div>{img(card.screenshot, _SHOT_SIZE)}</div>" if card.screenshot else ""
    page = f"<div>{img(card.page, _PAGE_SIZE)}{spot(card.box)}</div>" if card.page else ""
    return (
        f"<article{' class=sure' if card.sure else ''}><h2>{escape(card.name)}</h2>"
        f"<p><b>{escape(card.answer)}</b>{place}</p>{note}"
        f"<div class='pictures'>{shot}{page}</div></article>\n"
    )


def img(picture: Image, size: tuple[int, int]) -> str:
    """A picture inside the file, of at most `size` pixels."""
    small = picture.convert("RGB")
    small.thumbnail(size, reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=_QUALITY)
    code = base64.b64encode(buffer.getvalue()).decode()
    return f"<img alt='' src='data:image/jpeg;base64,{code}'>"


def spot(box: Box | None) -> str:
    """A frame over the picture that stands before it."""
    return f"<i style='{style_of(box)}'></i>" if box else ""


def style_of(box: Box) -> str:
    """Where the spot is, in percent of its page's picture."""
    left, right = (100 * min(max(x, 0.0), 1.0) for x in (box.x0, box.x1))
    top, bottom = (100 * min(max(y, 0.0), 1.0) for y in (box.y0, box.y1))
    return f"left:{left:.2f}%;top:{top:.2f}%;width:{right - left:.2f}%;height:{bottom - top:.2f}%"
