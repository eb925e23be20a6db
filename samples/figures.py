"""The drawings of the pump manual: views of the machine, wiring, pipes, a flow chart."""

from __future__ import annotations

import math
from collections.abc import Sequence

from samples import shapes
from samples.paper import Paper, Style
from samples.shapes import Point

# Drawings and tables read better wrapped by hand.
# fmt: off

INK, ORANGE, YELLOW, MUTED = "#1F2428", "#E8700A", "#FFC61A", "#6E767C"
METAL = ("#F7F9FA", "#DDE3E7", "#AEB8BF", "#8A959D")
BLUE = ("#BFD9EC", "#7FB0D3", "#3E7FAE", "#2A5E86")
BRASS = ("#FBEBC0", "#EBCB7A", "#C79A3C", "#8F6A1F")
RUBBER = ("#6B7177", "#4B5157", "#33383D", "#202427")

THIN, FIRM = 0.6, 1.1


def balloon(paper: Paper, number: int, at: Point, target: Point) -> None:
    """A numbered circle with a leader line to the part it names."""
    paper.line(at, target, stroke=INK, width=0.5)
    paper.circle(*target, 1.4, fill=INK)
    paper.circle(*at, 8.2, fill="#FFFFFF", stroke=INK, width=0.9)
    paper.text(at[0], at[1] + 3.1, str(number), font="Helvetica-Bold", size=8.6, align="center")


def drum(
    paper: Paper, x: float, y: float, length: float, radius: float,
    tones: Sequence[str] = METAL, bore: float = 0, tilt: float = 0.3,
) -> None:
    """A cylinder lying along x, seen a little from its left end; (x, y) is that end's centre."""
    flat = radius * tilt
    body = shapes.both(
        shapes.line((x, y - radius), (x + length, y - radius)),
        "L " + shapes.arc(x + length, y, flat, 0, 180, radius)[2:],
        f"L {x} {y + radius} Z",
    )
    paper.shade(body, tones, (x, y - radius), (x, y + radius), (0, 0.25, 0.75, 1))
    paper.draw(body, stroke=INK, width=THIN)
    face = shapes.oval(x, y, flat, radius)
    paper.draw(face, fill=tones[0], stroke=INK, width=THIN)
    if bore:
        paper.draw(shapes.oval(x, y, bore * tilt, bore), fill=tones[3], stroke=INK, width=THIN)


def pump(paper: Paper, x: float, y: float, scale: float = 1) -> None:
    """The pump set from the side, about 300 wide; (x, y) is the middle of its foot."""
    with paper.placed(x, y, scale=scale):
        foot = shapes.polygon((-150, 0), (150, 0), (144, -14), (-144, -14))
        paper.shade(foot, METAL, (0, -14), (0, 0), (0, 0.25, 0.75, 1))
        paper.draw(foot, stroke=INK, width=FIRM)
        for bolt in (-128, -20, 40, 128):
            paper.rect(bolt - 4, -19, 8, 5, fill="#8A959D", stroke=INK, width=THIN)
        # motor with cooling fins, fan cover and terminal box
        paper.rect(36, -24, 84, 10, fill="#2A5E86", stroke=INK, width=THIN)
        body = shapes.box(30, -96, 96, 74, 6)
        paper.shade(body, BLUE, (0, -96), (0, -22), (0, 0.25, 0.75, 1))
        paper.draw(body, stroke=INK, width=FIRM)
        for fin in range(11):
            level = -90 + fin * 6.2
            paper.line((36, level), (120, level), stroke="#2A5E86", width=1.1, alpha=0.75)
        cover = shapes.box(124, -92, 22, 66, 5)
        paper.shade(cover, BLUE, (0, -92), (0, -26), (0, 0.25, 0.75, 1))
        paper.draw(cover, stroke=INK, width=FIRM)
        for slot in range(5):
            paper.line((142, -82 + slot * 11.5), (142, -76 + slot * 11.5), stroke=INK, width=1.4)
        paper.rect(58, -116, 42, 22, 3, fill="#3E7FAE", stroke=INK, width=FIRM)
        paper.rect(63, -111, 32, 12, 2, fill="#EEF3F6", stroke=INK, width=0.4)
        paper.text(79, -102.3, "5.5 kW", font="Helvetica-Bold", size=6.5, align="center")
        paper.rect(8, -84, 24, 50, 2, fill="#7FB0D3", stroke=INK, width=FIRM)
        # coupling guard and bearing bracket
        guard = shapes.box(-26, -82, 36, 46, 5)
        paper.draw(guard, fill=YELLOW, stroke=INK, width=FIRM)
        for bar in range(5):
            paper.line((-20 + bar * 6, -74), (-20 + bar * 6, -44), stroke=INK, width=0.7)
        bracket = shapes.polygon((-62, -88), (-26, -78), (-26, -40), (-62, -30))
        paper.shade(bracket, METAL, (0, -88), (0, -30), (0, 0.25, 0.75, 1))
        paper.draw(bracket, stroke=INK, width=FIRM)
        paper.rect(-36, -32, 16, 18, fill="#AEB8BF", stroke=INK, width=THIN)
        # volute with its two flanges
        paper.rect(-128, -26, 60, 12, fill="#2A5E86", stroke=INK, width=THIN)
        neck = shapes.polygon((-120, -150), (-76, -150), (-70, -96), (-126, -96))
        paper.shade(neck, BLUE, (-126, 0), (-70, 0), (0, 0.25, 0.75, 1))
        paper.draw(neck, stroke=INK, width=FIRM)
        paper.rect(-132, -160, 68, 11, 1.5, fill="#3E7FAE", stroke=INK, width=FIRM)
        casing = shapes.oval(-98, -62, 50)
        paper.glow(casing, ("#BFD9EC", "#7FB0D3", "#2A5E86"), (-112, -80), 72)
        paper.draw(casing, stroke=INK, width=FIRM)
        for ring in (40, 27):
            paper.circle(-98, -62, ring, stroke="#1F4A6C", width=0.8)
        for turn in range(8):
            px, py = shapes.on_circle(-98, -62, 33.5, turn * 45 + 22)
            paper.circle(px, py, 2.6, fill="#DDE3E7", stroke=INK, width=0.5)
        paper.circle(-98, -62, 19, fill="#1D2B36", stroke=INK, width=FIRM)
        paper.circle(-98, -62, 19, stroke="#BFD9EC", width=2)
        paper.arrow((-98, -166), (-98, -196), head=9, stroke=ORANGE, width=2.4)


def exploded(paper: Paper, x: float, y: float) -> None:
    """The parts of the pump along their axis; 480 wide, (x, y) is the left end of the axis."""
    with paper.placed(x, y, angle=-9):
        paper.line((-6, 0), (486, 0), stroke=MUTED, width=0.6, dash=(9, 3, 2, 3))
        drum(paper, 448, 0, 26, 30, BLUE)
        for fin in range(4):
            paper.line((455 + fin * 6, -26), (455 + fin * 6, 26), stroke="#2A5E86", width=0.8)
        drum(paper, 436, 0, 12, 34, BLUE, bore=8)
        drum(paper, 406, 0, 11, 19, METAL, bore=6)
        for turn in range(6):
            _, py = shapes.on_circle(406, 0, 13, turn * 60)
            px = 406 + 13 * 0.3 * math.sin(math.radians(turn * 60))
            paper.circle(px, py, 1.6, fill=INK)
        drum(paper, 391, 0, 7, 19, RUBBER, bore=6)
        for start, length, radius in ((316, 60, 5), (332, 18, 7.5), (302, 14, 3.6)):
            drum(paper, start, 0, length, radius)
        drum(paper, 244, 0, 34, 34, BLUE, bore=21)
        drum(paper, 236, 0, 8, 42, BLUE, bore=21)
        for turn in range(8):
            _, py = shapes.on_circle(236, 0, 32, turn * 45 + 22)
            px = 236 + 32 * 0.3 * math.sin(math.radians(turn * 45 + 22))
            paper.circle(px, py, 1.9, fill="#2A5E86", stroke=INK, width=0.4)
        drum(paper, 206, 0, 6, 15, BRASS, bore=7)
        coil = [(184 + i * 1.1, 9.5 * math.sin(i * 1.15)) for i in range(17)]
        paper.draw(shapes.spline(coil), stroke=INK, width=1.4)
        drum(paper, 172, 0, 8, 13, RUBBER, bore=6)
        drum(paper, 122, 0, 9, 37, BRASS)
        for turn in range(7):  # vanes on the face of the impeller, flattened like the face
            vane = []
            for step in range(9):
                radius = 9 + step * 3.3
                angle = math.radians(turn * 360 / 7 + step * 9)
                vane.append((122 + 0.3 * radius * math.sin(angle), -radius * math.cos(angle)))
            paper.draw(shapes.spline(vane), stroke="#8F6A1F", width=1.1)
        paper.draw(shapes.oval(122, 0, 2.7, 9), fill=RUBBER[2], stroke=INK, width=THIN)
        drum(paper, 92, 0, 8, 8, METAL, bore=3.4)
        paper.draw(shapes.oval(70, 0, 13, 44), stroke=ORANGE, width=2.2)
        neck = shapes.polygon((8, -86), (34, -86), (36, -40), (6, -40))
        paper.shade(neck, BLUE, (6, 0), (36, 0), (0, 0.25, 0.75, 1))
        paper.draw(neck, stroke=INK, width=THIN)
        paper.rect(2, -93, 38, 8, 1.5, fill="#3E7FAE", stroke=INK, width=THIN)
        drum(paper, 8, 0, 28, 47, BLUE, bore=33)
        drum(paper, -6, 0, 14, 25, BLUE, bore=17)
    spots = [  # number, balloon, part; in page points relative to (x, y)
        (1, (30, -128), (26, -62)), (2, (82, -96), (63, -54)), (3, (100, 48), (96, -9)),
        (4, (132, -96), (131, -54)), (5, (176, 40), (176, -22)), (6, (204, 30), (209, -24)),
        (7, (258, -118), (256, -78)), (8, (336, 6), (334, -48)), (9, (392, -128), (390, -76)),
        (10, (418, 8), (412, -50)), (11, (462, -152), (462, -102)),
    ]
    for number, at, target in spots:
        balloon(paper, number, (x + at[0], y + at[1]), (x + target[0], y + target[1]))


def section(paper: Paper, x: float, y: float, stage: int) -> None:
    """A small cut through seal and impeller, 130 by 84, for each stage of the seal's renewal."""
    paper.rect(x, y, 130, 84, 3, fill="#F3F5F6", stroke="#C9CFD3", width=0.6)
    mid = y + 44

    def impeller(at: float) -> None:
        for side in (-1, 1):
            blade = shapes.polygon(
                (at, mid + side * 6), (at + 5, mid + side * 6), (at + 9, mid + side * 32),
                (at - 4, mid + side * 32), (at - 1, mid + side * 16),
            )
            paper.draw(blade, fill=BRASS[1], stroke=INK, width=THIN)

    def seal(at: float, tone: str = ORANGE) -> None:
        for side in (-1, 1):
            top = mid + side * 10.5
            paper.rect(at, top - 3.5, 9, 7, fill=tone, stroke=INK, width=THIN)
            paper.rect(at + 9, top - 2.5, 8, 5, fill="#D7DDE1", stroke=INK, width=THIN)

    def nut(at: float) -> None:
        paper.rect(at, mid - 6, 9, 12, 1.5, fill=METAL[2], stroke=INK, width=THIN)

    for side in (-1, 1):  # the cover stays in place
        paper.rect(x + 92, mid - 15 + (-23 if side < 0 else 30), 13, 23, fill=BLUE[1], stroke=INK,
                   width=THIN)
    paper.rect(x + 46, mid - 4, 84, 8, fill=METAL[1], stroke=INK, width=THIN)
    paper.line((x + 4, mid), (x + 126, mid), stroke=MUTED, width=0.5, dash=(8, 2, 1.5, 2))
    if stage == 1:
        seal(x + 72)
        impeller(x + 57)
        nut(x + 26)
        paper.draw(shapes.arc(x + 30, mid, 15, 300, 420), stroke=ORANGE, width=1.6)
        paper.arrow((x + 42, mid - 9), (x + 44, mid - 5), head=6, stroke=ORANGE, width=1.6)
    elif stage == 2:
        seal(x + 72)
        impeller(x + 32)
        paper.arrow((x + 24, mid - 22), (x + 8, mid - 22), head=6, stroke=ORANGE, width=1.8)
        paper.arrow((x + 24, mid + 22), (x + 8, mid + 22), head=6, stroke=ORANGE, width=1.8)
    elif stage == 3:
        seal(x + 18)
        paper.arrow((x + 62, mid - 20), (x + 42, mid - 20), head=6, stroke=ORANGE, width=1.8)
    else:
        seal(x + 72, "#4E9A5B")
        impeller(x + 57)
        nut(x + 46)
        paper.arrow((x + 18, mid), (x + 38, mid), head=6, stroke="#4E9A5B", width=1.8)


def warning_sign(paper: Paper, x: float, y: float, size: float, sign: str = "!") -> None:
    """A yellow triangle, its tip at (x, y)."""
    high = size * 0.88
    triangle = shapes.polygon((x, y), (x + size / 2, y + high), (x - size / 2, y + high))
    paper.draw(triangle, fill=YELLOW, stroke=INK, width=size * 0.07)
    if sign == "bolt":
        s = size / 30
        bolt = [(1.5, 6), (-4.5, 16), (-0.5, 16), (-3, 24), (4.5, 13.5), (0.5, 13.5), (4, 7)]
        paper.draw(shapes.polygon(*((x + bx * s, y + by * s) for bx, by in bolt)), fill=INK)
    elif sign == "heat":
        for wave in (-5, 0, 5):
            s = size / 30
            points = [
                (x + wave * s + 1.3 * s * math.sin(i * 1.1), y + (12 + i * 1.15) * s)
                for i in range(9)
            ]
            paper.draw(shapes.spline(points), stroke=INK, width=1.6 * s)
    else:
        paper.text(x, y + high * 0.86, sign, font="Helvetica-Bold", size=size * 0.62,
                   align="center", colour=INK)


def curve(paper: Paper, x: float, y: float, width: float, height: float) -> None:
    """Head over flow for three impellers, with lines of equal efficiency."""
    floor, right = y + height, x + width
    for step in range(9):
        at = x + width * step / 8
        paper.line((at, y), (at, floor), stroke="#D9DFE3", width=0.5)
        paper.text(at, floor + 12, str(step * 10), size=7.5, align="center")
    for step in range(7):
        at = floor - height * step / 6
        paper.line((x, at), (right, at), stroke="#D9DFE3", width=0.5)
        paper.text(x - 6, at + 2.6, str(step * 10), size=7.5, align="right")
    paper.text(x + width / 2, floor + 26, "Flow Q in m³/h", font="Helvetica-Bold", size=8,
               align="center")
    paper.text(x - 6, y - 8, "Head H in m", font="Helvetica-Bold", size=8)
    for top, name, far, colour in (
        (52.0, "Ø 209", 72, "#2A5E86"), (43.0, "Ø 190", 64, "#3E7FAE"),
        (33.5, "Ø 170", 55, "#7FB0D3"),
    ):
        points: list[Point] = []
        for step in range(13):
            flow = far * step / 12
            head = top - 0.0048 * flow**2 + 0.06 * flow
            points.append((x + width * flow / 80, floor - height * head / 60))
        paper.draw(shapes.spline(points), stroke=colour, width=2)
        end = points[-1]
        paper.text(end[0] + 5, end[1] + 3, name, font="Helvetica-Bold", size=8, colour=colour)
    for radius, share in ((64, "60 %"), (42, "68 %"), (20, "74 %")):
        ring = shapes.oval(x + width * 0.56, floor - height * 0.55, radius * 1.15, radius * 0.72)
        paper.draw(ring, stroke=ORANGE, width=0.8, dash=(3, 2))
        paper.text(
            x + width * 0.56 - radius * 1.15 + 3, floor - height * 0.55 + 2.5, share, size=6.5,
            colour=ORANGE,
        )
    paper.rect(x, y, width, height, stroke=INK, width=0.9)


def piping(paper: Paper, x: float, y: float) -> None:
    """The pump between tank and mains, with valves and gauges; about 480 by 220."""
    water = "#BFDDF0"
    paper.rect(x, y + 40, 84, 150, fill="#FFFFFF", stroke=INK, width=1.4)
    paper.rect(x + 1, y + 82, 82, 107, fill=water)
    crest = [(x + 1 + i * 8.2, y + 82 + 2.2 * math.sin(i * 1.6)) for i in range(11)]
    paper.draw(shapes.hills(crest, y + 96), fill=water)
    paper.draw(shapes.spline(crest), stroke="#3E7FAE", width=1)
    paper.text(x + 42, y + 30, "Suction tank", font="Helvetica-Bold", size=8, align="center")

    def pipe(*points: Point) -> None:
        paper.line(*points, stroke=INK, width=10, round=False)
        paper.line(*points, stroke=water, width=7.6, round=False)

    suction = y + 158
    pipe((x + 83, suction), (x + 236, suction))
    pipe((x + 262, y + 139), (x + 262, y + 52), (x + 474, y + 52))
    paper.rect(x + 257.5, y + 47.5, 9, 9, fill=water)
    paper.draw(shapes.arc(x + 262, y + 52, 5, 270, 360), stroke=INK, width=1.2)

    def valve(cx: float, cy: float, check: bool = False) -> None:
        wings = shapes.polygon((cx - 11, cy - 9), (cx - 11, cy + 9), (cx + 11, cy - 9),
                               (cx + 11, cy + 9))
        paper.draw(wings, fill="#FFFFFF", stroke=INK, width=1.2)
        if check:
            paper.draw(shapes.polygon((cx - 11, cy - 9), (cx - 11, cy + 9), (cx, cy)), fill=INK)
        else:
            paper.line((cx, cy), (cx, cy - 15), stroke=INK, width=1.2)
            paper.line((cx - 8, cy - 15), (cx + 8, cy - 15), stroke=INK, width=2)

    def gauge(cx: float, cy: float, turn: float) -> None:
        paper.line((cx, cy + 24), (cx, cy + 10), stroke=INK, width=1.4)
        paper.circle(cx, cy, 11, fill="#FFFFFF", stroke=INK, width=1.2)
        for tick in range(-120, 121, 40):
            paper.line(shapes.on_circle(cx, cy, 8, tick), shapes.on_circle(cx, cy, 10, tick),
                       stroke=INK, width=0.6)
        paper.line((cx, cy), shapes.on_circle(cx, cy, 7.5, turn), stroke=ORANGE, width=1.4)

    valve(x + 122, suction)
    paper.draw(shapes.polygon((x + 164, suction - 5), (x + 184, suction - 8),
                              (x + 184, suction + 5)),
               fill="#FFFFFF", stroke=INK, width=1)
    paper.draw(shapes.polygon((x + 164, suction - 5), (x + 184, suction - 5),
                              (x + 184, suction + 5),
                              (x + 164, suction + 5)), fill=water, stroke=INK, width=1)
    gauge(x + 212, suction - 29, -70)
    gauge(x + 300, y + 23, 60)
    valve(x + 342, y + 52, check=True)
    valve(x + 396, y + 52)
    paper.arrow((x + 430, y + 52), (x + 458, y + 52), head=8, stroke="#2A5E86", width=2)
    paper.text(x + 474, y + 38, "to the mains", size=7.5, align="right", colour=MUTED)
    pump(paper, x + 330, y + 196, 0.62)
    ground = y + 197
    paper.line((x - 6, ground), (x + 474, ground), stroke=INK, width=1.2)
    for hatch in range(40):
        left = x - 4 + hatch * 12
        paper.line((left + 6, ground + 1), (left, ground + 8), stroke=INK, width=0.5)
    spots = [
        (1, (x + 122, suction + 24), (x + 122, suction + 8)),
        (2, (x + 174, suction + 26), (x + 174, suction + 6)),
        (3, (x + 226, suction - 58), (x + 216, suction - 38)),
        (4, (x + 322, y + 2), (x + 307, y + 14)),
        (5, (x + 342, y + 84), (x + 342, y + 62)),
        (6, (x + 396, y + 84), (x + 396, y + 62)),
    ]
    for number, at, target in spots:
        balloon(paper, number, at, target)


def wiring(paper: Paper, x: float, y: float) -> None:
    """The circuit of the motor with its starter, star-connected; about 480 by 330."""
    phases = (("L1", "#7A4A22"), ("L2", "#222222"), ("L3", "#8A8F94"))
    columns = (x + 60, x + 96, x + 132)
    for number, ((name, colour), at) in enumerate(zip(phases, columns, strict=True)):
        rail = y + 10 + number * 12
        paper.text(x - 4, rail + 3, name, font="Helvetica-Bold", size=8.5)
        paper.line((x + 14, rail), (x + 300, rail), stroke=colour, width=1.8)
        paper.circle(at, rail, 2.4, fill=colour)
        paper.line((at, rail), (at, y + 66), stroke=colour, width=1.8)
        # breaker, contactor, overload relay from top to bottom
        for top in (66, 128):
            paper.line((at, y + top + 20), (at - 9, y + top), stroke=INK, width=1.5)
            paper.circle(at, y + top - 1, 1.6, fill=INK)
            paper.circle(at, y + top + 20, 1.6, fill=INK)
        cross = 3.0
        for side in (-1, 1):
            paper.line((at - cross, y + 66 - 1 - side * cross), (at + cross, y + 65 + side * cross),
                       stroke=INK, width=0.9)
        paper.line((at, y + 86), (at, y + 127), stroke=colour, width=1.8)
        paper.line((at, y + 148), (at, y + 182), stroke=colour, width=1.8)
        paper.rect(at - 9, y + 182, 18, 20, fill="#FFFFFF", stroke=INK, width=1.2)
        paper.line((at, y + 182), (at, y + 187), (at + 5, y + 187), (at + 5, y + 197),
                   (at, y + 197), (at, y + 202), stroke=INK, width=1.1)
        paper.line((at, y + 202), (at, y + 246), stroke=colour, width=1.8)
        paper.circle(at, y + 246, 3, fill="#FFFFFF", stroke=INK, width=1.2)
        paper.text(at + 6, y + 243, ("U1", "V1", "W1")[number], size=7.5)
    for level, name in ((76, "Q1"), (138, "K1"), (192, "F2")):
        paper.line((x + 44, y + level), (x + 140, y + level), stroke=INK, width=0.7, dash=(3, 2))
        paper.text(x + 20, y + level + 3, name, font="Helvetica-Bold", size=9)
    paper.circle(x + 96, y + 282, 34, fill="#EAF2F8", stroke=INK, width=1.6)
    for at in columns:
        paper.line((at, y + 249), (x + 96 + (at - x - 96) * 0.6, y + 256), stroke=INK, width=1.2)
    paper.text(x + 96, y + 282, "M1", font="Helvetica-Bold", size=13, align="center")
    paper.text(x + 96, y + 295, "3~  5.5 kW", size=8, align="center")
    # protective earth
    earth = y + 46
    paper.text(x - 4, earth + 3, "PE", font="Helvetica-Bold", size=8.5)
    for colour, dash in (("#F2C300", None), ("#2F9E44", (5.0, 5.0))):
        paper.line((x + 14, earth), (x + 172, earth), (x + 172, y + 282), (x + 131, y + 282),
                   stroke=colour, width=1.8, dash=dash, round=False)
    paper.line((x + 172, earth), (x + 300, earth), stroke="#2F9E44", width=1.8, dash=(5, 5),
               round=False)
    # control circuit: stop, start with its holding contact, coil
    cx = x + 238
    paper.text(cx - 34, y + 82, "Control circuit 24 V", font="Helvetica-Bold", size=8.5)
    paper.line((cx, y + 92), (cx, y + 108), stroke="#C0392B", width=1.4)
    paper.text(cx + 6, y + 100, "+24 V", size=7.5, colour="#C0392B")
    parts = [("F2", "95–96", 108, True), ("S1", "Stop", 148, True), ("S2", "Start", 188, False)]
    for name, label, top, closed in parts:
        paper.circle(cx, y + top, 1.8, fill=INK)
        paper.circle(cx, y + top + 20, 1.8, fill=INK)
        shift = 4 if closed else -9
        paper.line((cx, y + top + 20), (cx + shift, y + top - 1), stroke=INK, width=1.5)
        if closed:
            paper.line((cx, y + top), (cx + 7, y + top), stroke=INK, width=1.2)
        paper.line((cx, y + top + 20), (cx, y + top + 40), stroke="#C0392B", width=1.4)
        paper.text(cx - 34, y + top + 9, name, font="Helvetica-Bold", size=9)
        paper.text(cx - 34, y + top + 19, label, size=7, colour=MUTED)
    hold = cx + 52
    paper.line((cx, y + 182), (hold, y + 182), (hold, y + 190), stroke="#C0392B", width=1.4)
    paper.line((hold, y + 210), (hold - 9, y + 190), stroke=INK, width=1.5)
    paper.line((hold, y + 210), (hold, y + 218), (cx, y + 218), stroke="#C0392B", width=1.4)
    paper.text(hold + 7, y + 203, "K1", font="Helvetica-Bold", size=9)
    paper.text(hold + 7, y + 213, "13–14", size=7, colour=MUTED)
    paper.circle(cx, y + 182, 2, fill="#C0392B")
    paper.circle(cx, y + 218, 2, fill="#C0392B")
    paper.rect(cx - 14, y + 228, 28, 18, fill="#FFFFFF", stroke=INK, width=1.4)
    paper.text(cx - 34, y + 240, "K1", font="Helvetica-Bold", size=9)
    paper.text(cx + 20, y + 240, "A1–A2", size=7, colour=MUTED)
    paper.line((cx, y + 246), (cx, y + 274), stroke="#2F5D9E", width=1.4)
    paper.text(cx + 6, y + 270, "0 V", size=7.5, colour="#2F5D9E")
    paper.line((cx - 14, y + 274), (cx + 14, y + 274), stroke="#2F5D9E", width=1.8)


def terminal_board(paper: Paper, x: float, y: float) -> None:
    """The motor's six terminals bridged in star; about 130 by 110."""
    paper.rect(x, y, 132, 112, 8, fill="#EEF1F3", stroke=INK, width=1.2)
    for row, names in enumerate((("W2", "U2", "V2"), ("U1", "V1", "W1"))):
        for place, name in enumerate(names):
            cx, cy = x + 28 + place * 38, y + 30 + row * 46
            if row == 0 and place < 2:
                paper.rect(cx, cy - 4.5, 38, 9, fill=BRASS[2], stroke=INK, width=0.8)
            paper.circle(cx, cy, 8, fill=BRASS[1], stroke=INK, width=1)
            paper.circle(cx, cy, 3.4, fill=BRASS[3])
            paper.text(cx, cy - 13, name, font="Helvetica-Bold", size=7.5, align="center")
    for place, (name, colour) in enumerate((("L1", "#7A4A22"), ("L2", "#222222"),
                                            ("L3", "#8A8F94"))):
        cx = x + 28 + place * 38
        paper.line((cx, y + 84), (cx, y + 124), stroke=colour, width=2.4)
        paper.text(cx, y + 134, name, font="Helvetica-Bold", size=8, align="center")


def flow_chart(paper: Paper, x: float, y: float) -> None:
    """What to check when the pump delivers no water; about 480 by 330."""
    small = Style("Helvetica", 8.2, 10, INK, align="center", after=0)

    def step(cx: float, top: float, words: str, wide: float = 124, high: float = 34,
             fill: str = "#EAF2F8", radius: float = 3) -> None:
        paper.rect(cx - wide / 2, top, wide, high, radius, fill=fill, stroke=INK, width=0.9)
        lines = 1 + words.count("<br/>")
        paper.paragraph(cx - wide / 2 + 4, top + high / 2 - 5 * lines - 0.5, wide - 8, words, small)

    def question(cx: float, cy: float, words: str, wide: float = 136, high: float = 60) -> None:
        diamond = shapes.polygon((cx, cy - high / 2), (cx + wide / 2, cy), (cx, cy + high / 2),
                                 (cx - wide / 2, cy))
        paper.draw(diamond, fill="#FFF4CF", stroke=INK, width=0.9)
        lines = 1 + words.count("<br/>")
        paper.paragraph(cx - wide / 2, cy - 5 * lines - 0.5, wide, words, small)

    def link(*points: Point, word: str = "", at: Point = (0, 0)) -> None:
        paper.arrow(*points, head=6, stroke=INK, width=1)
        paper.text(*at, word, font="Helvetica-Bold", size=8, colour=ORANGE)

    a, b, c = x + 78, x + 248, x + 414
    step(a, y, "<b>Pump delivers no water</b>", 140, 26, YELLOW, 13)
    link((a, y + 26), (a, y + 44))
    question(a, y + 74, "Does the motor<br/>turn?")
    link((a + 68, y + 74), (b - 66, y + 74), word="no", at=(a + 72, y + 70))
    question(b, y + 74, "Has overload relay<br/>F2 tripped?")
    link((b + 68, y + 74), (c - 62, y + 74), word="no", at=(b + 72, y + 70))
    step(c, y + 57, "Check fuses, Q1 and<br/>the 24 V supply")
    link((b, y + 104), (b, y + 128), word="yes", at=(b + 5, y + 119))
    step(b, y + 128, "Turn shaft by hand;<br/>reset F2 when it is free")
    link((a, y + 104), (a, y + 142), word="yes", at=(a + 5, y + 124))
    question(a, y + 172, "Does it turn in the<br/>direction of the arrow?", 150, 60)
    link((a + 75, y + 178), (b - 40, y + 178), (b - 40, y + 190), word="no", at=(a + 80, y + 174))
    step(b, y + 190, "Swap two phases<br/>at the terminals")
    link((a, y + 202), (a, y + 236), word="yes", at=(a + 5, y + 221))
    question(a, y + 266, "Does the suction<br/>gauge show vacuum?", 150, 60)
    link((a + 75, y + 266), (b - 62, y + 266), word="no", at=(a + 80, y + 262))
    step(b, y + 249, "Prime the pump;<br/>look for air leaks")
    link((a, y + 296), (a, y + 320), word="yes", at=(a + 5, y + 311))
    step(a, y + 320, "Clean the strainer", 140, 26)
    link((a + 70, y + 333), (b - 62, y + 333))
    question(b, y + 333, "Is there water<br/>now?", 124, 54)
    link((b + 62, y + 333), (c - 62, y + 333), word="no", at=(b + 66, y + 329))
    step(c, y + 316, "Inspect the impeller<br/>and its seal (section 6)")
    link((b, y + 306), (b + 92, y + 306), (b + 92, y + 240), (c, y + 240), (c, y + 226),
         word="yes", at=(b + 5, y + 302))
    step(c, y + 200, "<b>Back to service</b>", 124, 26, "#CBE8CF", 13)
    link((b + 62, y + 145), (c, y + 145), (c, y + 200))
    link((b + 62, y + 207), (b + 92, y + 207), (b + 92, y + 213), (c - 62, y + 213))
