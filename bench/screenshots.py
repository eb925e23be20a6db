"""Whether the page that a screenshot was cut from comes first, with the right spot marked.

    python -m bench.screenshots FOLDER... [--count 300] [--seed 1] [--pages N] [--scans] [--ocr off]
        [--variants plain ...] [--no-repair] [--failures DIR] [--index DIR] [--profile P] [--json]

All PDFs of the folders are ingested, screenshots cut from their pages are looked for: running text
40 %, tables 20 %, mixed 20 %, figures alone 20 %; some in dark mode, in a window frame, turned by
up to 3 degrees, or with moire. With --scans the PDFs are pictures of their pages at 150 dpi.

rank1, rank10   share of screenshots whose page comes first, among the first ten; a page that shows
                the very same (boilerplate of another year, a second copy) is as good
own             of rank1: the very page that it was cut from
iou             of the box on the page and the true one, mean over those of `own`
verified        share said to be "this very page"
wrong           share said so of a page that does not show it
false           the same when the own page and all that show the same are hidden, by look alone
p50, p95        seconds a search
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

import ingest
import mmsearch
from bench import shots
from bench.shots import Shot
from ingest.text_layer import read_text_layer
from mmsearch import documents, filters
from mmsearch.config import Settings
from mmsearch.engine import SearchEngine
from mmsearch.errors import InvalidQuery
from mmsearch.filters import Filter
from mmsearch.screenshots.cuts import pixels
from mmsearch.screenshots.selftest import Grey, at_one_size, iou, shows
from mmsearch.types import Box, Hit, Word

Figures = dict[str, float]
_SCAN_DPI = 150
_COMPARED_DPI = 100
_ENOUGH_WORDS = 5  # to tell by them whether two parts say the same
_EDGE = 0.02  # of a box
_ALIKE = 0.95  # correlation of parts with fewer words
_FAINT = 40  # of 255 from the ground: a margin may hold that
_COPIES = 12  # pages that show the same and are hidden one after the other


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a screenshot: rank of its page from 1, None beyond ten."""

    shot: Shot
    rank: int | None
    same: bool
    iou: float | None
    verified: bool
    wrong: bool
    false: bool
    seconds: float


def main() -> None:
    """Print a line for every kind, variant, and all together."""
    arguments = _arguments()
    files = _few({path for folder in arguments.folders for path in _pdfs(folder)}, arguments.pages)
    with tempfile.TemporaryDirectory() as temporary:
        drawn = {file: file for file in files}
        if arguments.scans:
            drawn = _scanned(files, Path(temporary))
        settings = Settings(ocr=arguments.ocr)
        folder = arguments.index or Path(temporary) / "index"
        with mmsearch.open(folder, profile=arguments.profile, settings=settings) as engine:
            ingest.run(list(drawn.values()), engine)
            taken, dropped = shots.cut(
                drawn, arguments.count, arguments.seed, _mix(arguments.variants)
            )
            texts = {scan: file for file, scan in drawn.items()}
            outcomes = [
                _look_for(engine, shot, texts, repair=not arguments.no_repair) for shot in taken
            ]
            pages = engine.status()["searchable_pages"]
    table = _table(outcomes)
    print(f"{pages} pages, {len(taken)} screenshots; passed over: {dict(dropped)}")
    for name, figures in table.items():
        print(f"{name:9} " + "  ".join(f"{key} {value:.3g}" for key, value in figures.items()))
    if arguments.failures:
        _save_failures(outcomes, arguments.failures)
    if arguments.json:
        print(json.dumps({"pages": pages, "passed over": dict(dropped)} | table))


def _look_for(
    engine: SearchEngine, shot: Shot, texts: Mapping[Path, Path], *, repair: bool
) -> Outcome:
    started = time.perf_counter()
    try:
        hits = engine.search(image=shot.image, repair=repair)
    except InvalidQuery:  # nothing on it that could be searched for
        hits = []
    seconds = time.perf_counter() - started
    rank = next((hit.rank for hit in hits if _is_page(hit, shot)), None)
    own = rank == 1
    same = bool(hits) and not own and _shows_same(hits[0], shot, texts)
    overlap = iou(hits[0].box, shot.box) if own and hits[0].box else None
    verified = bool(hits and hits[0].match)
    wrong = verified and not own and not same
    return Outcome(
        shot,
        rank,
        same,
        overlap,
        verified,
        wrong,
        _false(engine, shot, texts, repair=repair),
        seconds,
    )


def _false(engine: SearchEngine, shot: Shot, texts: Mapping[Path, Path], *, repair: bool) -> bool:
    """Whether another page is taken for the very page once that is not there to be found."""
    hidden = {
        documents.point_id(document.id, shot.page)
        for document in engine.documents.at(str(shot.file))
    }
    # Reading the words of every one would take most of the time.
    by_look = [name for name, encoder in engine.encoders.items() if encoder.reads != "text"]
    for _ in range(_COPIES):
        where = Filter(must_not=(filters.ids(sorted(hidden)).must))
        try:
            hits = engine.search(image=shot.image, repair=repair, where=where, views=by_look)
        except InvalidQuery:
            return False
        if not hits or not hits[0].match:
            return False
        if not _shows_same(hits[0], shot, texts):
            return True
        hidden.add(documents.point_id(hits[0].document.id, hits[0].page))
    return False


def _is_page(hit: Hit, shot: Shot) -> bool:
    return hit.page == shot.page and str(shot.file) in hit.document.paths


def _shows_same(hit: Hit, shot: Shot, texts: Mapping[Path, Path]) -> bool:
    """Whether the page shows, somewhere, all that was cut: pixel by pixel, or word by word."""
    other = Path(hit.document.paths[0])
    spot = hit.match.box if hit.match else None
    own_page, other_page = _drawn(shot.file, shot.page), _drawn(other, hit.page)
    if spot is None:
        return shows(own_page, shot.box, other_page, None)
    inner, ours = _words(texts[shot.file], shot.page, shot.box)
    their_inner, theirs = _words(texts[other], hit.page, spot)
    if _numbers(inner - theirs) or _numbers(their_inner - ours):
        return False  # at this size a 6 and an 8 look alike
    if shows(own_page, shot.box, other_page, spot):
        return True
    if shot.kind != "figure" and min(inner.total(), their_inner.total()) >= _ENOUGH_WORDS:
        # The same words, set a fraction of a pixel elsewhere. Those at the edges may be cut.
        return inner <= theirs and their_inner <= ours
    pair = at_one_size(own_page, shot.box, other_page, spot)
    if pair is not None and _likeness(*pair) > _ALIKE:
        return True
    # The same drawing on a sheet with other margins.
    return _likeness(*_without_margins(_part(own_page, shot.box), _part(other_page, spot))) > _ALIKE


def _numbers(words: Counter[str]) -> bool:
    return any(character.isdigit() for word in words for character in word)


def _words(file: Path, number: int, box: Box) -> tuple[Counter[str], Counter[str]]:
    """The words well inside of a box, and those with any part in it or next to it."""
    edge_x, edge_y = _EDGE * (box.x1 - box.x0), _EDGE * (box.y1 - box.y0)
    inner, touched = Counter[str](), Counter[str]()
    for word in _text(file, number):
        letters = "".join(filter(str.isalnum, word.text))  # fonts name symbols as they like
        if not letters:
            continue
        x0, y0, x1, y1 = word.box
        if x1 > box.x0 - edge_x and x0 < box.x1 + edge_x:
            if y1 > box.y0 - edge_y and y0 < box.y1 + edge_y:
                touched[letters] += 1
            inside = x0 > box.x0 + edge_x and x1 < box.x1 - edge_x
            if inside and y0 > box.y0 + edge_y and y1 < box.y1 - edge_y:
                inner[letters] += 1
    return inner, touched


def _part(page: Grey, box: Box) -> Grey:
    left, top, right, bottom = pixels(box, page.shape[1], page.shape[0])
    return page[top:bottom, left:right]


def _without_margins(ours: Grey, theirs: Grey) -> tuple[Grey, Grey]:
    """Both cut to what is drawn on them, at one size; nothing of the second if shaped otherwise."""
    import cv2

    drawn = []
    for part in (ours, theirs):
        rows, columns = np.nonzero(np.abs(part - np.median(part)) > _FAINT)
        if not len(rows):
            return ours, theirs[:0]
        drawn.append(part[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1])
    first, second = drawn
    tall = (first.shape[0] * second.shape[1]) / (first.shape[1] * second.shape[0])
    if abs(tall - 1) > _EDGE:
        return ours, theirs[:0]
    height, width = min(first.shape, second.shape)
    small = (cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA) for part in drawn)
    one, other = (
        np.asarray(cv2.GaussianBlur(part, (0, 0), 1), np.uint8)
        for part in small  # thin lines fall on other pixels
    )
    return one, other


def _likeness(page: Grey, part: Grey) -> float:
    """Of a part and the place of a page where it fits best; 0 if it is larger or nothing."""
    import cv2

    if not part.size or any(side < own for side, own in zip(page.shape, part.shape, strict=True)):
        return 0.0
    return float(cv2.matchTemplate(page, part, cv2.TM_CCOEFF_NORMED).max())


@lru_cache(maxsize=64)
def _text(file: Path, number: int) -> tuple[Word, ...]:
    import pypdfium2

    with pypdfium2.PdfDocument(file) as pdf:
        return read_text_layer(pdf[number - 1]).text.words


@lru_cache(maxsize=64)
def _drawn(file: Path, number: int) -> Grey:
    import pypdfium2

    with pypdfium2.PdfDocument(file) as pdf:
        picture = pdf[number - 1].render(scale=_COMPARED_DPI / 72).to_pil()
        return np.asarray(picture.convert("L"), np.uint8)


def _table(outcomes: Sequence[Outcome]) -> dict[str, Figures]:
    """Figures in all, by kind and by variant."""
    table = {"all": _figures(outcomes)}
    words = [o for o in outcomes if o.shot.kind != "figure"]
    if words:
        table["not figure"] = _figures(words)
    for kind in shots.SHARES:
        of_kind = [o for o in outcomes if o.shot.kind == kind]
        if of_kind:
            table[kind] = _figures(of_kind)
    for variant in shots.VARIANTS:
        of_variant = [o for o in outcomes if o.shot.variant == variant]
        if of_variant:
            table[variant] = _figures(of_variant)
    return table


def _figures(outcomes: Sequence[Outcome]) -> Figures:
    count = len(outcomes)
    seconds = sorted(outcome.seconds for outcome in outcomes)
    boxes = [outcome.iou for outcome in outcomes if outcome.iou is not None]
    return {
        "n": count,
        "rank1": sum(o.rank == 1 or o.same for o in outcomes) / count,
        "own": sum(o.rank == 1 for o in outcomes) / count,
        "rank10": sum(o.rank is not None or o.same for o in outcomes) / count,
        "iou": statistics.fmean(boxes) if boxes else 0.0,
        "verified": sum(o.verified for o in outcomes) / count,
        "wrong": sum(o.wrong for o in outcomes) / count,
        "false": sum(o.false for o in outcomes) / count,
        "p50": seconds[count // 2],
        "p95": seconds[min(count - 1, int(0.95 * count))],
    }


def _scanned(files: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """PDFs that are pictures of the pages of others, by those."""
    scans: dict[Path, Path] = {}
    for number, file in enumerate(files):
        scans[file] = folder / f"{number:04}.pdf"
        scanned(file, scans[file])
    return scans


def scanned(file: Path, into: Path) -> None:
    """Write a PDF that is pictures of the pages of another, without their text."""
    import pypdfium2

    with pypdfium2.PdfDocument(file) as pdf:
        first, *others = [page.render(scale=_SCAN_DPI / 72).to_pil().convert("RGB") for page in pdf]
    first.save(into, "PDF", resolution=_SCAN_DPI, quality=80, save_all=True, append_images=others)


def _few(files: Iterable[Path], most: int) -> list[Path]:
    """Files that PDFium opens, drawn at random until they have `most` pages."""
    import pypdfium2

    chosen, pages = [], 0
    drawn = sorted(files)
    random.Random(1).shuffle(drawn)
    for file in drawn:
        with suppress(pypdfium2.PdfiumError), pypdfium2.PdfDocument(file) as pdf:
            if pages + len(pdf) <= most:
                chosen.append(file)
                pages += len(pdf)
    return sorted(chosen)


def _pdfs(folder: Path) -> list[Path]:
    return [folder] if folder.is_file() else sorted(folder.rglob("*.pdf"))


def _mix(variants: Sequence[shots.Variant] | None) -> dict[shots.Variant, float] | None:
    return dict.fromkeys(variants, 1.0) if variants else None


def _save_failures(outcomes: Sequence[Outcome], folder: Path) -> None:
    """Screenshots whose page was not first, or which were taken for another."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, o in enumerate(outcomes):
        if (o.rank == 1 or o.same) and not o.false and not o.wrong:
            continue
        shot = o.shot
        flag = "false" if o.false else "wrong" if o.wrong else f"rank{o.rank}"
        name = f"{number:04}-{shot.kind}-{shot.variant}-{flag}-{shot.file.stem[:30]}-{shot.page}"
        shot.image.save(folder / f"{name}-{shot.dpi:.0f}dpi.png")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folders", nargs="+", type=Path, help="folders of PDFs")
    parser.add_argument("--count", type=int, default=300, help="screenshots")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pages", type=int, default=10_000, help="the most to index")
    parser.add_argument("--scans", action="store_true", help="index pictures of the pages")
    parser.add_argument("--ocr", default="auto", help="how scans are read; see the setting")
    parser.add_argument("--variants", nargs="+", choices=list(shots.VARIANTS), help="only these")
    parser.add_argument("--no-repair", action="store_true", help="search images as they are")
    parser.add_argument("--profile", default="lite")
    parser.add_argument("--index", type=Path, help="keep the index here, and go on with it")
    parser.add_argument("--failures", type=Path, help="save what was not found here")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    return parser.parse_args()


if __name__ == "__main__":
    main()
