"""Pages to learn from: text, drawings and photos, drawn here or taken from PDFs and pictures."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bench import shots
from mmsearch import images

SHARES = {"text": 0.6, "drawing": 0.2, "photo": 0.2}
_A4, _SLIDE = (595, 842), (960, 540)  # points
_POINT = 3.84  # pixels a point: twice the size of a stored picture, so that edges come out soft
_CHART_DPI = 250

_LETTERS = {"cyrillic": "ая", "greek": "αω", "arabic": "بي", "hebrew": "את", "devanagari": "कह"}
_LETTERS |= {"thai": "กฮ"}
_CODES = {"chinese": ("gb2312", 0xB0, 0xD7), "japanese": ("euc_jp", 0xB0, 0xCF)}
_CODES |= {"kana": ("euc_jp", 0xA4, 0xA5), "korean": ("euc_kr", 0xB0, 0xC8)}
_WITHOUT_BLANKS = ("chinese", "japanese", "kana", "thai")
_SCRIPTS = {"latin": 70, "chinese": 7, "japanese": 5, "kana": 2, "korean": 3, "cyrillic": 4}
_SCRIPTS |= {"arabic": 4, "greek": 2, "hebrew": 1, "devanagari": 1, "thai": 1}


class _Type(NamedTuple):
    """What a page is set in: a script's words, and fonts that have its letters."""

    words: Sequence[str]
    blank: str
    body: Path
    head: Path


class _Column(NamedTuple):
    """Where blocks go, in pixels, and how they are set."""

    canvas: Image.Image
    x: float
    width: float
    bottom: float
    size: float  # of letters
    type: _Type
    ink: str
    chance: random.Random


@dataclass(frozen=True, slots=True)
class Sources:
    """Folders of PDFs with text, of PDFs with drawings, of photos and of fonts, and a word list."""

    texts: Sequence[Path]
    drawings: Sequence[Path]
    photos: Sequence[Path]
    fonts: Sequence[Path]
    words: Path


def pages(given: Sources) -> Iterator[tuple[str, Image.Image]]:
    """Pages without end, with their kinds in the shares that are wanted."""
    chance = random.Random(1)
    types = _types(given.fonts, given.words, chance)
    photos = _photos(given.photos, chance)
    sources: dict[str, list[Iterator[Image.Image]]] = {
        "text": [_repeat(_text_page, types, chance)],
        "drawing": [_repeat(_chart, types, chance), _repeat(_diagram, types, chance)],
        "photo": [_photo_page(types, photos, chance)] if photos else [],
    }
    for kind, folders in ("text", given.texts), ("drawing", given.drawings):
        if folders:
            real = _real(folders, chance)
            sources[kind] += [real] * len(sources[kind])
    turns = {kind: cycle(found) for kind, found in sources.items() if found}
    while True:
        kind = chance.choices(list(turns), [SHARES[kind] for kind in turns])[0]
        yield kind, next(next(turns[kind]))


def _repeat(
    draw: Callable[[_Type, random.Random], Image.Image],
    types: Iterator[_Type],
    chance: random.Random,
) -> Iterator[Image.Image]:
    while True:
        yield draw(next(types), chance)


def _real(folders: Sequence[Path], chance: random.Random) -> Iterator[Image.Image]:
    """Pages of PDFs: one of each file, then a second one of each, and so on."""
    files = sorted(file for folder in folders for file in folder.rglob("*.pdf"))
    pages: dict[Path, list[int]] = {}
    for file, number in shots.pages_of(files):
        pages.setdefault(file, []).append(number)
    for numbers in pages.values():
        chance.shuffle(numbers)
    while True:
        order = list(pages)
        chance.shuffle(order)
        for file in order:
            pages[file].append(number := pages[file].pop(0))
            yield _rendered(file, number)


def _rendered(file: Path, number: int) -> Image.Image:
    import pypdfium2

    with pypdfium2.PdfDocument(file) as pdf:
        page = pdf[number - 1]
        width, height = page.get_size()
        scale = (images.PICTURE_PIXELS / (width * height)) ** 0.5
        picture: Image.Image = page.render(scale=scale).to_pil()
        return picture


def _photos(folders: Sequence[Path], chance: random.Random) -> list[Path]:
    found = sorted(
        file
        for folder in folders
        for file in folder.rglob("*")
        if file.suffix in (".jpg", ".png", ".webp") and file.stat().st_size > 20_000
    )
    chance.shuffle(found)
    return found


def _photo_page(
    types: Iterator[_Type], photos: Sequence[Path], chance: random.Random
) -> Iterator[Image.Image]:
    """Parts of photos: alone, or above and below text."""
    for file in cycle(photos):
        with Image.open(file) as opened:
            opened.draft("RGB", (2400, 2400))
            photo = opened.convert("RGB")
        width, height = (round(side * chance.uniform(0.5, 1)) for side in photo.size)
        left, top = chance.randint(0, photo.width - width), chance.randint(0, photo.height - height)
        photo = photo.crop((left, top, left + width, top + height))
        if chance.random() < 0.5:
            yield photo
            continue
        page, column = _sheet(next(types), chance, _A4)
        part = chance.uniform(0.5, 1) * column.width
        photo = photo.resize((round(part), max(1, round(part * photo.height / photo.width))))
        y = chance.uniform(0.05, 0.4) * page.height
        page.paste(photo, (round(column.x), round(y)))
        _paragraph(column, y + photo.height + 3 * column.size)
        yield page


def _types(folders: Sequence[Path], dictionary: Path, chance: random.Random) -> Iterator[_Type]:
    """Scripts in their shares, each time with other fonts."""
    words: dict[str, list[str]] = {"latin": dictionary.read_text("utf-8").split()}
    for script, ends in _LETTERS.items():
        letters = [chr(code) for code in range(ord(ends[0]), ord(ends[1]) + 1)]
        words[script] = [
            "".join(chance.choices(letters, k=chance.randint(2, 9))) for _ in range(4000)
        ]
    for script, (codec, first, last) in _CODES.items():
        codes = (bytes((row, cell)) for row in range(first, last + 1) for cell in range(0xA1, 0xFF))
        words[script] = [letter for code in codes if (letter := code.decode(codec, "ignore"))]
    files = sorted(
        file
        for folder in folders
        for file in folder.rglob("*")
        if file.suffix in (".ttf", ".otf", ".ttc")
    )
    fonts = {
        script: [file for file in files if _has(file, "".join(found[:: len(found) // 5])[:20])]
        for script, found in words.items()
    }
    print("fonts", {script: len(found) for script, found in fonts.items()}, flush=True)
    shares = {script: share for script, share in _SCRIPTS.items() if fonts[script]}
    while True:
        script = chance.choices(list(shares), list(shares.values()))[0]
        blank = "" if script in _WITHOUT_BLANKS else " "
        body, head = chance.choice(fonts[script]), chance.choice(fonts[script])
        yield _Type(words[script], blank, body, head)


def _has(file: Path, letters: str) -> bool:
    """Whether a font has all letters, that is, draws none as what it draws for no character."""
    try:
        font = ImageFont.truetype(file, 20)
        none = bytes(font.getmask("\U0010fffe"))
        return all(bytes(font.getmask(letter)) not in (none, b"") for letter in letters)
    except OSError:
        return False


def _sheet(
    type_: _Type, chance: random.Random, size: tuple[float, float]
) -> tuple[Image.Image, _Column]:
    """An empty page, and its whole width as a column."""
    width, height = (round(side * _POINT) for side in size)
    paper, ink = chance.choice(
        [("white", "black")] * 6 + [("#fbf6e8", "#222"), ("#1d2733", "#eee")]
    )
    page = Image.new("RGB", (width, height), paper)
    margin = chance.uniform(0.05, 0.12) * width
    points = chance.uniform(7, 13) if size == _A4 else chance.uniform(14, 26)
    bottom = height - margin
    column = _Column(page, margin, width - 2 * margin, bottom, points * _POINT, type_, ink, chance)
    return page, column


def _text_page(type_: _Type, chance: random.Random) -> Image.Image:
    """Columns of blocks of all sorts, under a headline."""
    page, whole = _sheet(type_, chance, chance.choices([_A4, _SLIDE], [4, 1])[0])
    top = _heading(whole, 0.4 * whole.x, chance.uniform(1, 3))
    count = chance.choice((1, 1, 2, 3))
    gap = 2 * whole.size
    blocks = (_paragraph, _heading, _list, _table, _form, _code, _formula, _boxes)
    for place in range(count):
        width = (whole.width - (count - 1) * gap) / count
        column = whole._replace(x=whole.x + place * (width + gap), width=width)
        y = top
        while y < column.bottom - 2 * column.size:
            block = chance.choices(blocks, (40, 12, 12, 14, 6, 5, 8, 3))[0]
            y = block(column, y) + chance.uniform(0.3, 2) * column.size
    return page


def _font(path: Path, size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, max(8, round(size)))


def _words(column: _Column, count: int) -> list[str]:
    return column.chance.choices(column.type.words, k=count)


def _line(column: _Column, x: float, y: float, text: str, font: Any, fill: str = "") -> float:
    """Draw a line of text, and return its width."""
    ImageDraw.Draw(column.canvas).text((x, y), text, fill or column.ink, font)
    return float(font.getlength(text))


def _paragraph(column: _Column, y: float, indent: float = 0) -> float:
    font, lead = _font(column.type.body, column.size), column.chance.uniform(1.15, 1.6)
    left = _words(column, column.chance.randint(10, 120))
    even = column.chance.random() < 0.5
    while left and y < column.bottom - column.size:
        line, room = [left.pop()], column.width - indent
        while left and font.getlength(column.type.blank.join([*line, left[-1]])) < room:
            line.append(left.pop())
        spare = room - sum(font.getlength(word) for word in line)
        step = spare / max(1, len(line) - 1) if even and left else font.getlength(column.type.blank)
        x = column.x + indent
        for word in line:
            x += _line(column, x, y, word, font) + step
        y += lead * column.size
    return y


def _heading(column: _Column, y: float, scale: float = 1.4) -> float:
    font = _font(column.type.head, scale * column.size)
    text = column.type.blank.join(_words(column, column.chance.randint(1, 7)))
    _line(column, column.x, y, text, font, column.chance.choice(("", "", "#1f4e9e", "#a22")))
    return y + 1.6 * scale * column.size


def _list(column: _Column, y: float) -> float:
    font, marks = _font(column.type.body, column.size), column.chance.choice(("-", "*", "1.", "a)"))
    for _ in range(column.chance.randint(2, 6)):
        _line(column, column.x, y, marks, font)
        y = _paragraph(column, y, 2 * column.size) if column.chance.random() < 0.2 else y
        _line(column, column.x + 2 * column.size, y, " ".join(_words(column, 4)), font)
        y += 1.5 * column.size
    return y


def _number(chance: random.Random) -> str:
    value = chance.uniform(0, 10 ** chance.randint(1, 6))
    return chance.choice(
        (f"{value:,.0f}", f"{value:.2f}", f"({value:,.1f})", f"{value % 100:.1f} %")
    )


def _table(column: _Column, y: float) -> float:
    chance, draw = column.chance, ImageDraw.Draw(column.canvas)
    font = _font(column.type.body, column.size * chance.uniform(0.8, 1))
    cells, rows = chance.randint(2, 7), chance.randint(3, 18)
    high, wide = chance.uniform(1.3, 2.2) * column.size, column.width / cells
    stripes, rules, grid = (chance.random() < share for share in (0.4, 0.6, 0.3))
    colour = chance.choice(("#e8eef7", "#eeeeee", "#f6e3d0")) if column.ink != "#eee" else "#34495e"
    for row in range(rows):
        right = column.x + column.width
        if stripes and row % 2 == 0:
            draw.rectangle((column.x, y, right, y + high), colour)
        for cell in range(cells):
            x = column.x + cell * wide
            if row == 0 or cell == 0:
                _line(column, x + 6, y + 0.1 * high, _words(column, 1)[0], font)
            else:
                text = _number(chance)
                _line(column, x + wide - font.getlength(text) - 8, y + 0.1 * high, text, font)
            if grid:
                draw.rectangle((x, y, x + wide, y + high), outline=column.ink, width=2)
        if rules or row == 0:
            draw.line((column.x, y + high, right, y + high), column.ink, chance.choice((1, 2, 4)))
        y += high
        if y > column.bottom:
            break
    return y


def _form(column: _Column, y: float) -> float:
    font, draw = _font(column.type.body, column.size), ImageDraw.Draw(column.canvas)
    for _ in range(column.chance.randint(2, 7)):
        text = column.type.blank.join(_words(column, 2)) + ":"
        x = column.x + _line(column, column.x, y, text, font) + column.size
        end = max(x + column.size, column.x + column.width)
        if column.chance.random() < 0.3:
            end = x + column.size
        draw.rectangle((x, y, end, y + 1.3 * column.size), outline=column.ink, width=3)
        y += 2 * column.size
    return y


def _code(column: _Column, y: float) -> float:
    font, depth = _font(column.type.body, 0.9 * column.size), 0
    for _ in range(column.chance.randint(4, 18)):
        depth = max(0, depth + column.chance.choice((-1, 0, 0, 1)))
        a, b, c = _words(column, 3)
        text = column.chance.choice((f"if {a}.{b}(x) == {c}:", f"{a} = {b}[{c}]", f"# {a} {b}"))
        colour = column.chance.choice(("", "", "#a31515", "#2b7a3d"))
        _line(column, column.x + 2 * depth * column.size, y, text, font, colour)
        y += 1.3 * column.size
    return y


def _formula(column: _Column, y: float) -> float:
    big, small = (_font(column.type.body, scale * column.size) for scale in (1.2, 0.75))
    x = column.x + column.chance.uniform(0, 0.4) * column.width
    for _ in range(column.chance.randint(3, 9)):
        sign = column.chance.choice("xyzabnfg+-=()/") + column.chance.choice(("", "", "(t)"))
        x += _line(column, x, y, sign, big)
        x += _line(
            column, x, y + column.chance.choice((-0.3, 0.7)) * column.size, "i2nk"[_ % 4], small
        )
        x += 0.3 * column.size
    return y + 2.4 * column.size


def _boxes(column: _Column, y: float) -> float:
    """Boxes with words, and arrows from one to the next."""
    chance, draw = column.chance, ImageDraw.Draw(column.canvas)
    font = _font(column.type.body, column.size)
    across, down = chance.randint(2, 4), chance.randint(1, 4)
    wide, high = column.width / across, chance.uniform(4, 9) * column.size
    round_, thick = chance.choice((0, 0, 20, 60)), chance.choice((2, 4, 7))
    last: tuple[float, float] | None = None
    for place in range(across * down):
        x, top = column.x + place % across * wide, y + place // across * high
        box = (x, top, x + chance.uniform(0.5, 0.8) * wide, top + chance.uniform(0.4, 0.7) * high)
        fill = chance.choice((None, "#dbe9ff", "#ffe7c2", "#d6f0d6", "#c0392b"))
        draw.rounded_rectangle(box, round_, fill, column.ink, thick)
        _line(
            column,
            x + 0.5 * column.size,
            top + 0.3 * high - column.size / 2,
            _words(column, 1)[0],
            font,
        )
        here = (x, (top + box[3]) / 2)
        if last and chance.random() < 0.8:
            draw.line((*last, *here), column.ink, thick)
            head = 0.6 * column.size
            ends = [here, (x - head, here[1] - head / 2), (x - head, here[1] + head / 2)]
            draw.polygon(ends, column.ink)
        last = (box[2], here[1])
    return y + down * high


def _diagram(type_: _Type, chance: random.Random) -> Image.Image:
    page, column = _sheet(type_, chance, chance.choice((_A4, _SLIDE)))
    y = _heading(column, 0.5 * column.x, 2)
    while y < 0.8 * column.bottom:
        y = _boxes(column._replace(size=column.size * chance.uniform(0.8, 1.3)), y) + column.size
    return page


def _chart(type_: _Type, chance: random.Random) -> Image.Image:
    """One to four charts of all sorts."""
    import matplotlib.figure  # type: ignore[import-not-found,unused-ignore]

    random_ = np.random.default_rng(chance.randrange(1 << 30))
    font = matplotlib.font_manager.FontProperties(fname=str(type_.body), size=chance.uniform(7, 16))
    style = {"axes.grid": chance.random() < 0.5, "lines.linewidth": chance.uniform(0.8, 3)}
    drawn = io.BytesIO()
    with matplotlib.rc_context(style):
        size = chance.choice(((8, 11), (11, 7), (9, 9)))
        figure = matplotlib.figure.Figure(figsize=size, dpi=_CHART_DPI)
        across, down = chance.choice(((1, 1), (1, 2), (2, 2), (1, 1)))
        for axes in figure.subplots(down, across, squeeze=False).flat:
            _plot(axes, random_, chance, chance.choices(type_.words, k=6))
            axes.set_title(type_.blank.join(chance.choices(type_.words, k=4)))
        for label in figure.findobj(matplotlib.text.Text):
            label.set_fontproperties(font)
        figure.savefig(drawn, format="rgba", dpi=_CHART_DPI)
    width, height = (side * _CHART_DPI for side in size)
    return Image.frombytes("RGBA", (width, height), drawn.getvalue()).convert("RGB")


def _plot(axes: Any, random_: np.random.Generator, chance: random.Random, names: list[str]) -> None:
    walks = random_.normal(size=(3, 60)).cumsum(axis=1)
    amounts = random_.uniform(1, 9, 6)
    colours = [chance.choice(("C0", "C1", "C2", "C3", "C7", "k")) for _ in range(6)]
    match chance.choice(("line", "bar", "barh", "scatter", "pie", "hist", "area", "map", "box")):
        case "line":
            for walk, name in zip(walks, names, strict=False):
                axes.plot(walk, chance.choice(("-", "--", "o-", "s:")), label=name)
            axes.legend()
        case "bar":
            bars = axes.bar(
                names, amounts, color=colours, hatch=chance.choice(("", "", "//", ".."))
            )
            axes.bar_label(bars, fmt="%.1f")
        case "barh":
            axes.barh(names, amounts, color=colours, edgecolor="k")
        case "scatter":
            axes.scatter(*random_.normal(size=(2, 150)), s=chance.uniform(5, 60), c=colours * 25)
            axes.set_xlabel(names[0])
        case "pie":
            axes.pie(amounts, labels=names, autopct="%.0f%%")
        case "hist":
            axes.hist(random_.normal(size=500), chance.randint(8, 40), edgecolor="w")
        case "area":
            axes.stackplot(range(60), np.abs(walks), alpha=chance.uniform(0.3, 1))
        case "map":
            axes.imshow(random_.uniform(size=(9, 12)), chance.choice(("viridis", "Greys", "Blues")))
        case "box":
            axes.boxplot(list(random_.normal(size=(6, 50))))
            axes.set_xlabel(names[1])
