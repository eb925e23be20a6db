"""A typed pen over reportlab: PDF pages in points (1/72 in), origin at the top left corner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

import reportlab
from PIL import Image
from reportlab import rl_config
from reportlab.lib import enums, styles, utils
from reportlab.lib.colors import HexColor
from reportlab.pdfbase import pdfmetrics, ttfonts
from reportlab.pdfgen import canvas
from reportlab.platypus import Paragraph

from samples import shapes
from samples.shapes import Point

rl_config.useA85 = 0  # streams as plain bytes: smaller files, sooner written

A4: Point = (595.28, 841.89)

Align = Literal["left", "center", "right", "justify"]


class Ink(TypedDict, total=False):
    """How an outline is painted; without fill and stroke nothing shows."""

    fill: str | None  # "#RRGGBB"
    stroke: str | None
    width: float  # of the stroke, points
    dash: Sequence[float] | None  # on, off, ... in points
    alpha: float  # 0 is invisible, 1 solid
    round: bool  # ends and joins of the stroke


@dataclass(frozen=True)
class Style:
    """The look of running text; sizes in points."""

    font: str = "Helvetica"
    size: float = 9.5
    leading: float = 13.5
    colour: str = "#1B2A33"
    align: Align = "left"
    after: float = 6  # space below the paragraph
    indent: float = 0  # of all lines but a leading bullet
    bullet: str = ""

    def but(self, **changes: Any) -> Style:
        """The same style with some fields changed."""
        return replace(self, **changes)


class Paper:
    """A PDF being drawn, page by page; `pdf()` ends it. The same calls give the same bytes."""

    def __init__(self, size: Point = A4, title: str = "", author: str = "") -> None:
        _register_fonts()
        self.width, self.height = size
        self._buffer = BytesIO()
        self._canvas = canvas.Canvas(self._buffer, pagesize=size, invariant=1, pageCompression=1)
        self._canvas.setTitle(title)
        self._canvas.setAuthor(author)
        self._canvas.setCreator("mmsearch samples")

    def turn(self) -> None:
        """End the page and begin the next."""
        self._canvas.showPage()

    def pdf(self) -> bytes:
        """End the last page and the file."""
        self._canvas.save()
        return self._buffer.getvalue()

    def bookmark(self, title: str, level: int = 0) -> None:
        """An entry of the outline (the reader's side bar) that leads to this page."""
        key = f"{self._canvas.getPageNumber()}-{title}"
        self._canvas.bookmarkPage(key)
        self._canvas.addOutlineEntry(title, key, level)

    # Outlines

    def draw(self, d: str, **ink: Unpack[Ink]) -> None:
        """Paint an outline (see `samples.shapes`)."""
        fill, stroke = ink.get("fill"), ink.get("stroke")
        self._canvas.saveState()
        alpha = ink.get("alpha", 1)
        if fill:
            self._canvas.setFillColor(HexColor(fill))
            self._canvas.setFillAlpha(alpha)
        if stroke:
            self._canvas.setStrokeColor(HexColor(stroke))
            self._canvas.setStrokeAlpha(alpha)
            self._canvas.setLineWidth(ink.get("width", 1))
            self._canvas.setLineCap(1 if ink.get("round", True) else 0)
            self._canvas.setLineJoin(1 if ink.get("round", True) else 0)
            dash = ink.get("dash")
            if dash:
                self._canvas.setDash(list(dash))
        self._canvas.drawPath(
            self._outline(d), stroke=int(bool(stroke)), fill=int(bool(fill)), fillMode=0
        )
        self._canvas.restoreState()

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        radius: float = 0,
        /,
        **ink: Unpack[Ink],
    ) -> None:
        """Paint a rectangle."""
        self.draw(shapes.box(x, y, width, height, radius), **ink)

    def circle(self, x: float, y: float, radius: float, **ink: Unpack[Ink]) -> None:
        """Paint a circle."""
        self.draw(shapes.oval(x, y, radius), **ink)

    def line(self, *points: Point, **ink: Unpack[Ink]) -> None:
        """Paint a polyline."""
        self.draw(shapes.line(*points), **ink)

    def arrow(self, *points: Point, head: float = 6, **ink: Unpack[Ink]) -> None:
        """Paint a polyline that ends in a filled arrow head."""
        (ax, ay), (bx, by) = points[-2:]
        length = ((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5 or 1.0
        ux, uy = (bx - ax) / length, (by - ay) / length
        neck = (bx - ux * head * 0.8, by - uy * head * 0.8)
        self.draw(shapes.line(*points[:-1], neck), **ink)
        left = (bx - ux * head - uy * head * 0.45, by - uy * head + ux * head * 0.45)
        right = (bx - ux * head + uy * head * 0.45, by - uy * head - ux * head * 0.45)
        self.draw(
            shapes.polygon((bx, by), left, right), fill=ink.get("stroke"), alpha=ink.get("alpha", 1)
        )

    def shade(
        self,
        d: str,
        colours: Sequence[str],
        start: Point,
        end: Point,
        stops: Sequence[float] | None = None,
    ) -> None:
        """Fill an outline with a linear gradient from `start` to `end`."""
        with self.clipped(d):
            self._canvas.linearGradient(
                start[0],
                self._up(start[1]),
                end[0],
                self._up(end[1]),
                [HexColor(colour) for colour in colours],
                stops,
                extend=True,
            )

    def glow(
        self,
        d: str,
        colours: Sequence[str],
        centre: Point,
        radius: float,
        stops: Sequence[float] | None = None,
    ) -> None:
        """Fill an outline with a radial gradient, from the centre outwards."""
        with self.clipped(d):
            self._canvas.radialGradient(
                centre[0],
                self._up(centre[1]),
                radius,
                [HexColor(colour) for colour in colours],
                stops,
                extend=True,
            )

    @contextmanager
    def clipped(self, d: str) -> Iterator[None]:
        """Draw only inside an outline."""
        self._canvas.saveState()
        self._canvas.clipPath(self._outline(d), stroke=0, fill=0, fillMode=0)
        yield
        self._canvas.restoreState()

    @contextmanager
    def placed(
        self, x: float, y: float, angle: float = 0, scale: float = 1, stretch: float = 1
    ) -> Iterator[None]:
        """Draw with the origin at (x, y), turned clockwise by degrees, then scaled.

        `stretch` scales the vertical direction once more; -1 mirrors.
        """
        self._canvas.saveState()
        self._canvas.translate(x, self._up(y))
        self._canvas.rotate(-angle)
        self._canvas.scale(scale, scale * stretch)
        self._canvas.translate(0, -self.height)
        yield
        self._canvas.restoreState()

    def image(self, encoded: bytes, x: float, y: float, width: float, height: float) -> None:
        """Place an encoded picture; JPEG bytes go into the file as they are."""
        source = utils.ImageReader(BytesIO(encoded))
        self._canvas.drawImage(source, x, self._up(y + height), width, height)

    # Words

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        font: str = "Helvetica",
        size: float = 9,
        colour: str = "#1B2A33",
        align: Align = "left",
        tracking: float = 0,
        alpha: float = 1,
        bold: float = 0,
    ) -> float:
        """One line of text on the baseline `y`; returns its width in points.

        `tracking` is extra space between letters, `bold` a stroke around them, both in points.
        """
        width = text_width(words, font, size, tracking)
        left = x - {"left": 0.0, "center": width / 2, "right": width}[align]
        self._canvas.saveState()
        self._canvas.setFillColor(HexColor(colour))
        self._canvas.setFillAlpha(alpha)
        self._canvas.setFont(font, size)
        if bold:
            self._canvas.setStrokeColor(HexColor(colour))
            self._canvas.setStrokeAlpha(alpha)
            self._canvas.setLineWidth(bold)
        self._canvas.drawString(
            left, self._up(y), words, mode=2 if bold else None, charSpace=tracking
        )
        self._canvas.restoreState()
        return width

    def paragraph(self, x: float, y: float, width: float, markup: str, style: Style) -> float:
        """Running text with <b>, <i>, <super>; its top at `y`. Returns the next free y."""
        block, height = _set(markup, width, style)
        block.drawOn(self._canvas, x, self._up(y + height))
        return y + height + style.after

    def table(
        self,
        x: float,
        y: float,
        widths: Sequence[float],
        rows: Sequence[Sequence[str]],
        *,
        align: str = "",
        style: Style | None = None,
        pad: float = 3.5,
        gap: float = 4,
        head: str | None = None,
        head_fill: str | None = None,
        rule: str | None = "#C9D2D6",
        stripe: str | None = None,
        strong: Sequence[int] = (),
        ink: str = "#1B2A33",
    ) -> float:
        """A table, the first row its head; returns the y below it.

        Args:
            x, y: top left corner.
            widths: of the columns, points.
            rows: cells as markup; each cell wraps in its column.
            align: one letter (l, c, r) per column; left where short.
            style: of the cells.
            pad: above and below the text of a row; `gap`: left and right of it.
            head: colour of the head's text (default `ink`); `head_fill`: behind it.
            rule: colour of the thin lines between rows.
            stripe: behind every second row.
            strong: numbers of rows set bold under a heavier rule, such as totals.
            ink: colour of the heavier rules.
        """
        base = (style or Style(size=8.5, leading=11)).but(after=0)
        total = sum(widths)
        for number, row in enumerate(rows):
            bold = number == 0 or number in strong
            cells: list[tuple[Any, float]] = []
            for column, markup in enumerate(row):
                side: Align = {"r": "right", "c": "center"}.get(align[column : column + 1], "left")  # type: ignore[assignment]
                colour = (head or ink) if number == 0 else base.colour
                cell = base.but(align=side, colour=colour)
                markup = f"<b>{markup}</b>" if bold and markup else markup
                cells.append(_set(markup, widths[column] - 2 * gap, cell))
            height = max(tall for _, tall in cells) + 2 * pad
            if number == 0 and head_fill:
                self.rect(x, y, total, height, fill=head_fill)
            elif stripe and number % 2 == 0:
                self.rect(x, y, total, height, fill=stripe)
            left = x
            for (block, tall), width in zip(cells, widths, strict=True):
                block.drawOn(self._canvas, left + gap, self._up(y + pad + tall))
                left += width
            if number in strong:
                self.line((x, y), (x + total, y), stroke=ink, width=0.8)
            y += height
            if number == 0 and not head_fill:
                self.line((x, y), (x + total, y), stroke=ink, width=0.8)
            elif rule and 0 < number < len(rows) - 1 and number + 1 not in strong:
                self.line((x, y), (x + total, y), stroke=rule, width=0.4)
        self.line((x, y), (x + total, y), stroke=ink, width=0.8)
        return y

    def _up(self, y: float) -> float:
        return self.height - y

    def _outline(self, d: str) -> Any:
        path = self._canvas.beginPath()
        for command, n in shapes.steps(d):
            match command:
                case "M":
                    path.moveTo(n[0], self._up(n[1]))
                case "L":
                    path.lineTo(n[0], self._up(n[1]))
                case "C":
                    path.curveTo(n[0], self._up(n[1]), n[2], self._up(n[3]), n[4], self._up(n[5]))
                case "Z":
                    path.close()
        return path


def text_width(words: str, font: str, size: float, tracking: float = 0) -> float:
    """The width of one line in points."""
    _register_fonts()
    return float(pdfmetrics.stringWidth(words, font, size)) + tracking * max(0, len(words) - 1)


def text_height(markup: str, width: float, style: Style) -> float:
    """The height of running text in points, set in a column of this width."""
    _register_fonts()
    return _set(markup, width, style)[1]


def rasterise(pdf: bytes, page: int, dpi: float) -> Image.Image:
    """One page (numbered from 1) as an RGB picture."""
    import pypdfium2

    document = pypdfium2.PdfDocument(pdf)
    try:
        picture: Image.Image = document[page - 1].render(scale=dpi / 72).to_pil()
        return picture.convert("RGB")
    finally:
        document.close()


def _set(markup: str, width: float, style: Style) -> tuple[Any, float]:
    look = styles.ParagraphStyle(
        "sample",
        fontName=style.font,
        fontSize=style.size,
        leading=style.leading,
        textColor=HexColor(style.colour),
        alignment={
            "left": enums.TA_LEFT,
            "center": enums.TA_CENTER,
            "right": enums.TA_RIGHT,
            "justify": enums.TA_JUSTIFY,
        }[style.align],
        leftIndent=style.indent,
        bulletFontName=style.font,
        bulletFontSize=style.size,
        splitLongWords=0,
    )
    markup = markup.replace("<super>", '<super rise="35%" size="68%">')
    block = Paragraph(markup, look, bulletText=style.bullet or None)
    _, height = block.wrap(width, 10_000)
    return block, float(height)


def _register_fonts() -> None:
    """The fonts inside reportlab, beside those every PDF reader has: Vera, and a pen script."""
    if "Vera" in pdfmetrics.getRegisteredFontNames():
        return
    for name in ("Vera", "VeraBd", "VeraIt", "VeraBI"):
        pdfmetrics.registerFont(ttfonts.TTFont(name, f"{name}.ttf"))
    pdfmetrics.registerFontFamily("Vera", "Vera", "VeraBd", "VeraIt", "VeraBI")
    folder = Path(reportlab.__file__).parent / "fonts"
    script = pdfmetrics.EmbeddedType1Face(
        str(folder / "callig15.afm"), str(folder / "callig15.pfb")
    )
    pdfmetrics.registerTypeFace(script)
    pdfmetrics.registerFont(pdfmetrics.Font("Script", script.name, "WinAnsiEncoding"))
