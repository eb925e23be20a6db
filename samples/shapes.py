"""Outlines as SVG path strings (M L C Z, absolute), in points from the top left corner."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

Point = tuple[float, float]

_KAPPA = 0.5522847498  # a quarter circle as one Bezier curve


def line(*points: Point) -> str:
    """An open polyline through the points."""
    return "M " + " L ".join(f"{x:.3f} {y:.3f}" for x, y in points)


def polygon(*points: Point) -> str:
    """A closed polygon."""
    return line(*points) + " Z"


def box(x: float, y: float, width: float, height: float, radius: float = 0) -> str:
    """A rectangle, with round corners if a radius is given."""
    right, bottom = x + width, y + height
    if not radius:
        return polygon((x, y), (right, y), (right, bottom), (x, bottom))
    r = min(radius, width / 2, height / 2)
    k = r * (1 - _KAPPA)
    return (
        f"M {x + r} {y} L {right - r} {y} C {right - k} {y} {right} {y + k} {right} {y + r} "
        f"L {right} {bottom - r} C {right} {bottom - k} {right - k} {bottom} {right - r} {bottom} "
        f"L {x + r} {bottom} C {x + k} {bottom} {x} {bottom - k} {x} {bottom - r} "
        f"L {x} {y + r} C {x} {y + k} {x + k} {y} {x + r} {y} Z"
    )


def oval(x: float, y: float, rx: float, ry: float | None = None) -> str:
    """An ellipse around a centre; a circle if only one radius is given."""
    ry = rx if ry is None else ry
    kx, ky = rx * _KAPPA, ry * _KAPPA
    return (
        f"M {x} {y - ry} C {x + kx} {y - ry} {x + rx} {y - ky} {x + rx} {y} "
        f"C {x + rx} {y + ky} {x + kx} {y + ry} {x} {y + ry} "
        f"C {x - kx} {y + ry} {x - rx} {y + ky} {x - rx} {y} "
        f"C {x - rx} {y - ky} {x - kx} {y - ry} {x} {y - ry} Z"
    )


def arc(x: float, y: float, rx: float, start: float, end: float, ry: float | None = None) -> str:
    """An open arc; degrees run clockwise from twelve o'clock."""
    return line(*_arc_points(x, y, rx, rx if ry is None else ry, start, end))


def wedge(x: float, y: float, r: float, start: float, end: float, inner: float = 0) -> str:
    """A slice of a pie, or of a ring if `inner` is given; degrees as in `arc`."""
    outside = _arc_points(x, y, r, r, start, end)
    inside = _arc_points(x, y, inner, inner, end, start) if inner else [(x, y)]
    return polygon(*outside, *inside)


def spline(points: Sequence[Point], closed: bool = False, tension: float = 1.0) -> str:
    """A smooth curve through the points (Catmull-Rom)."""
    n = len(points)

    def at(i: int) -> Point:
        return points[i % n] if closed else points[max(0, min(n - 1, i))]

    parts = [f"M {points[0][0]:.3f} {points[0][1]:.3f}"]
    for i in range(n if closed else n - 1):
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = at(i - 1), at(i), at(i + 1), at(i + 2)
        k = tension / 6
        parts.append(
            f"C {bx + (cx - ax) * k:.3f} {by + (cy - ay) * k:.3f} "
            f"{cx - (dx - bx) * k:.3f} {cy - (dy - by) * k:.3f} {cx:.3f} {cy:.3f}"
        )
    return " ".join(parts) + (" Z" if closed else "")


def hills(points: Sequence[Point], floor: float) -> str:
    """The area under a smooth skyline, down to `floor`."""
    left, right = points[0][0], points[-1][0]
    return f"{spline(points)} L {right:.3f} {floor:.3f} L {left:.3f} {floor:.3f} Z"


def star(x: float, y: float, r: float, rays: int = 5, inner: float = 0.45) -> str:
    """A star, one ray upwards; `inner` is the depth of the notches as a part of `r`."""
    return polygon(
        *(on_circle(x, y, r if i % 2 == 0 else r * inner, 180 * i / rays) for i in range(2 * rays))
    )


def gear(x: float, y: float, r: float, teeth: int, depth: float) -> str:
    """A toothed wheel."""
    step = 360 / teeth
    points: list[Point] = []
    for i in range(teeth):
        for part, radius in ((-0.28, r - depth), (-0.2, r), (0.2, r), (0.28, r - depth)):
            points.append(on_circle(x, y, radius, (i + part) * step))
    return polygon(*points)


def on_circle(x: float, y: float, r: float, degrees: float) -> Point:
    """The point at a clock angle (clockwise from twelve)."""
    turn = math.radians(degrees)
    return x + r * math.sin(turn), y - r * math.cos(turn)


def both(*paths: str) -> str:
    """Several outlines as one; where two overlap, an even-odd fill leaves a hole."""
    return " ".join(paths)


def steps(d: str) -> Iterable[tuple[str, list[float]]]:
    """The commands of a path string with their numbers."""
    counts = {"M": 2, "L": 2, "C": 6, "Z": 0}
    tokens = d.split()
    at = 0
    while at < len(tokens):
        command = tokens[at]
        count = counts[command]
        yield command, [float(token) for token in tokens[at + 1 : at + 1 + count]]
        at += 1 + count


def _arc_points(x: float, y: float, rx: float, ry: float, start: float, end: float) -> list[Point]:
    count = max(2, int(abs(end - start) / 3) + 1)
    angles = (start + (end - start) * i / (count - 1) for i in range(count))
    turns = (math.radians(angle) for angle in angles)
    return [(x + rx * math.sin(turn), y - ry * math.cos(turn)) for turn in turns]
