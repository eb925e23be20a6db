"""Bar, line and pie charts, drawn as vectors with their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from samples import shapes
from samples.paper import Paper, text_width

INK = "#1B2A33"
MUTED = "#6B7A83"
GRID = "#DDE3E6"


def bars(
    paper: Paper,
    x: float,
    y: float,
    width: float,
    height: float,
    labels: Sequence[str],
    series: Mapping[str, Sequence[float]],
    colours: Sequence[str],
    *,
    top: float,
    step: float,
    form: str = "{:.0f}",
    size: float = 7.5,
) -> None:
    """Grouped upright bars with their values on top; `height` includes the labels below."""
    floor = y + height - 2.2 * size
    rise = (floor - y) / top
    _grid(paper, x, floor, width, top, step, rise, size)
    slot = width / len(labels)
    thick = slot * 0.7 / len(series)
    for place, label in enumerate(labels):
        left = x + slot * place + slot * 0.15
        for values, colour in zip(series.values(), colours, strict=False):
            tall = values[place] * rise
            paper.rect(left + 0.7, floor - tall, thick - 1.4, tall, fill=colour)
            paper.text(
                left + thick / 2,
                floor - tall - 0.4 * size,
                form.format(values[place]),
                size=size,
                align="center",
                colour=INK,
            )
            left += thick
        centre = x + slot * (place + 0.5)
        paper.text(centre, floor + 1.7 * size, label, size=size + 0.5, align="center")
    paper.line((x, floor), (x + width, floor), stroke=INK, width=0.8)


def lines(
    paper: Paper,
    x: float,
    y: float,
    width: float,
    height: float,
    labels: Sequence[str],
    series: Mapping[str, Sequence[float]],
    colours: Sequence[str],
    *,
    top: float,
    step: float,
    form: str = "{:.0f}",
    size: float = 7.5,
    fill: bool = False,
) -> None:
    """Lines over equal steps, values at every point, the name at the right end."""
    floor = y + height - 2.2 * size
    rise = (floor - y) / top
    _grid(paper, x, floor, width, top, step, rise, size)
    slot = width / len(labels)
    for (name, values), colour in zip(series.items(), colours, strict=False):
        points = [(x + slot * (i + 0.5), floor - value * rise) for i, value in enumerate(values)]
        if fill:
            area = shapes.polygon((points[0][0], floor), *points, (points[-1][0], floor))
            paper.draw(area, fill=colour, alpha=0.12)
        paper.line(*points, stroke=colour, width=1.8)
        for (px, py), value in zip(points, values, strict=True):
            paper.circle(px, py, 2.6, fill="#FFFFFF", stroke=colour, width=1.4)
            paper.text(px, py - size, form.format(value), size=size, align="center")
        end = points[-1]
        paper.text(
            end[0] + 8,
            end[1] + size * 0.35,
            name,
            size=size + 0.5,
            font="Helvetica-Bold",
            colour=colour,
        )
    for place, label in enumerate(labels):
        centre = x + slot * (place + 0.5)
        paper.text(centre, floor + 1.7 * size, label, size=size + 0.5, align="center")
    paper.line((x, floor), (x + width, floor), stroke=INK, width=0.8)


def pie(
    paper: Paper,
    x: float,
    y: float,
    radius: float,
    parts: Mapping[str, float],
    colours: Sequence[str],
    *,
    inner: float = 0.56,
    size: float = 8,
    middle: Sequence[str] = (),
) -> None:
    """A ring around (x, y); each part is named beside it with its share in per cent."""
    total = sum(parts.values())
    start = 0.0
    for (name, value), colour in zip(parts.items(), colours, strict=False):
        end = start + 360 * value / total
        slice_ = shapes.wedge(x, y, radius, start, end, radius * inner)
        paper.draw(slice_, fill=colour, stroke="#FFFFFF", width=1.2)
        half = (start + end) / 2
        near = shapes.on_circle(x, y, radius * 1.04, half)
        far = shapes.on_circle(x, y, radius * 1.16, half)
        right = far[0] >= x
        tip = (far[0] + (10 if right else -10), far[1])
        paper.line(near, far, tip, stroke=MUTED, width=0.6)
        at = tip[0] + (4 if right else -4)
        side = "left" if right else "right"
        paper.text(at, tip[1] - 1, name, size=size, font="Helvetica-Bold", align=side)  # type: ignore[arg-type]
        share = f"{100 * value / total:.0f} %"
        paper.text(at, tip[1] + size + 0.5, share, size=size, colour=MUTED, align=side)  # type: ignore[arg-type]
        start = end
    for number, words in enumerate(middle):
        font, points = ("Helvetica-Bold", size * 2) if number == 0 else ("Helvetica", size)
        paper.text(
            x,
            y + (0.25 if number == 0 else 1.6 * number) * size,
            words,
            font=font,
            size=points,
            align="center",
            colour=INK if number == 0 else MUTED,
        )


def legend(paper: Paper, x: float, y: float, entries: Mapping[str, str], size: float = 8) -> None:
    """Names with their colours in one row; `y` is the baseline."""
    for name, colour in entries.items():
        paper.rect(x, y - size * 0.75, size * 0.8, size * 0.8, fill=colour)
        paper.text(x + size * 1.25, y, name, size=size)
        x += size * 3 + text_width(name, "Helvetica", size)


def _grid(
    paper: Paper,
    x: float,
    floor: float,
    width: float,
    top: float,
    step: float,
    rise: float,
    size: float,
) -> None:
    value = 0.0
    while value <= top + 1e-9:
        level = floor - value * rise
        if value:
            paper.line((x, level), (x + width, level), stroke=GRID, width=0.5)
        paper.text(x - 5, level + 0.35 * size, f"{value:g}", size=size, colour=MUTED, align="right")
        value += step
