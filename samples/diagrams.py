"""Drawn diagrams with labels: maps, plans, circuits, charts to be found by the words in them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from samples import shapes
from samples.paper import Paper
from samples.shapes import Point

# Drawings and tables read better wrapped by hand.
# fmt: off

INK, WHITE = "#1D2733", "#FFFFFF"


def solar_system(paper: Paper) -> None:
    """The sun and its planets on their orbits."""
    wide, high = paper.width, paper.height
    paper.glow(shapes.box(0, 0, wide, high), ("#182248", "#0A0F26", "#05070F"), (0, high / 2), wide)
    for star in range(170):
        x, y = (star * 251.7) % wide, (star * 137.3 + star * star * 0.91) % high
        paper.circle(x, y, 0.5 + (star % 5) * 0.22, fill=WHITE, alpha=0.25 + (star % 7) * 0.09)
    middle = high / 2 + 10
    for ring in range(6, 0, -1):
        paper.circle(-60, middle, 150 + ring * 11, fill="#FFB238", alpha=0.05)
    paper.glow(shapes.oval(-60, middle, 150), ("#FFF6C8", "#FFD25A", "#F08A1D"), (-20, middle), 170)
    paper.text(26, middle + 6, "Sun", font="VeraBd", size=17, colour="#8A3E00")
    planets = [
        ("Mercury", 142, 7, ("#D9D2C8", "#9A8F84", "#4B443D"), -24),
        ("Venus", 200, 12, ("#FFF2C9", "#E6BD6E", "#8F6527"), 16),
        ("Earth", 266, 13, ("#BFE6FF", "#2F7FD0", "#0D2F66"), -12),
        ("Mars", 330, 9, ("#FFC2A0", "#D0542C", "#662010"), 20),
        ("Jupiter", 438, 40, ("#FBE8CF", "#D8A878", "#7A4E2C"), -7),
        ("Saturn", 574, 32, ("#FFF3CF", "#E0C383", "#86683A"), 11),
        ("Uranus", 684, 20, ("#E6FFFF", "#93DCE3", "#3C7F8C"), -9),
        ("Neptune", 768, 19, ("#BFD2FF", "#4667D8", "#172A7A"), 7),
    ]
    for name, distance, radius, tones, angle in planets:
        orbit = distance + 60
        paper.circle(-60, middle, orbit, stroke="#8FA3D6", width=0.8, alpha=0.4)
        x, y = shapes.on_circle(-60, middle, orbit, 90 + angle)
        if name == "Saturn":
            with paper.placed(x, y, angle=-18):
                paper.draw(shapes.arc(0, 0, 56, 270, 450, 15), stroke="#CDB58A", width=7, alpha=0.9)
        paper.glow(shapes.oval(x, y, radius), tones, (x - radius * 0.4, y - radius * 0.2),
                   radius * 1.5)
        if name == "Jupiter":
            with paper.clipped(shapes.oval(x, y, radius)):
                for band, alpha in ((-22, 0.35), (-8, 0.5), (8, 0.3), (20, 0.45)):
                    paper.rect(x - 42, y + band, 84, 6, fill="#9C6238", alpha=alpha)
                paper.draw(shapes.oval(x + 12, y + 14, 9, 5), fill="#B5482A")
        if name == "Earth":
            with paper.clipped(shapes.oval(x, y, radius)):
                paper.draw(shapes.oval(x - 4, y - 3, 5, 6), fill="#4FA35A")
                paper.draw(shapes.oval(x + 6, y + 5, 4, 5), fill="#4FA35A")
        if name == "Saturn":
            with paper.placed(x, y, angle=-18):
                paper.draw(shapes.arc(0, 0, 56, 90, 270, 15), stroke="#E8D6AE", width=7)
        paper.text(x, y + radius + 20, name, font="VeraBd", size=13, colour="#E8EDFF",
                   align="center")
    paper.text(wide - 36, 54, "The solar system", font="VeraBd", size=30, colour=WHITE,
               align="right")
    paper.text(wide - 36, 78, "not to scale", font="VeraIt", size=14, colour="#A9B6DD",
               align="right")


def network(paper: Paper) -> None:
    """An office network: internet, firewall, switches, servers, desks."""
    paper.rect(0, 0, paper.width, paper.height, fill="#F5F8FA")
    paper.text(40, 52, "Office network, second floor", font="VeraBd", size=24)
    paper.text(40, 74, "Pier 4, Verholm · drawn 3 March 2025", font="Vera", size=12,
               colour="#6A7885")

    def box(x: float, y: float, name: str, address: str, kind: str, colour: str) -> None:
        paper.rect(x - 62, y - 26, 124, 66, 8, fill=WHITE, stroke="#C6D1DA", width=1)
        with paper.placed(x - 40, y + 6):
            _device(paper, kind, colour)
        paper.text(x - 16, y + 3, name, font="VeraBd", size=10.5)
        paper.text(x - 16, y + 19, address, font="Vera", size=9, colour="#6A7885")

    def cable(*points: Point, tone: str = "#5E7386", width: float = 2.2) -> None:
        paper.line(*points, stroke=tone, width=width)

    cable((400, 130), (400, 330), width=3.4)
    cable((400, 334), (170, 334), (170, 400), width=3.4, tone="#2F80C2")
    cable((400, 334), (630, 334), (630, 400), width=3.4, tone="#2F80C2")
    cable((462, 234), (640, 234))
    cable((400, 334), (400, 470), tone="#2F80C2")
    for switch, desks in ((170, (70, 170, 270)), (630, (530, 630, 730))):
        for desk in desks:
            cable((switch, 430), (switch, 476), (desk, 476), (desk, 520))
    for x, y, r in ((360, 112, 28), (392, 96, 36), (430, 110, 30), (400, 120, 30)):
        paper.circle(x, y, r, fill="#DCE9F3")
    paper.rect(352, 112, 96, 32, 14, fill="#DCE9F3")
    paper.text(398, 122, "Internet", font="VeraBd", size=13, align="center", colour="#2F5F86")
    box(400, 220, "Firewall", "192.0.2.1", "wall", "#D1495B")
    box(400, 326, "Core switch", "10.0.0.1", "switch", "#2F80C2")
    box(700, 226, "Web server", "192.0.2.10", "server", "#3A9D7C")
    box(170, 412, "Switch A", "10.0.1.1", "switch", "#2F80C2")
    box(630, 412, "Switch B", "10.0.2.1", "switch", "#2F80C2")
    box(400, 474, "File server", "10.0.0.20", "server", "#3A9D7C")
    desks_ = [(70, "Desk 1", "laptop"), (170, "Desk 2", "laptop"), (270, "Printer", "printer"),
              (530, "Desk 3", "laptop"), (630, "Desk 4", "laptop"), (730, "Wi-Fi", "radio")]
    for place, (x, name, kind) in enumerate(desks_):
        paper.rect(x - 42, 516, 84, 74, 8, fill=WHITE, stroke="#C6D1DA", width=1)
        with paper.placed(x, 541, scale=1.1):
            _device(paper, kind, "#54657A")
        paper.text(x, 571, name, font="VeraBd", size=10.5, align="center")
        net = 1 if place < 3 else 2
        paper.text(x, 583, f"10.0.{net}.{11 + place}", font="Vera", size=8.5, align="center",
                   colour="#6A7885")


def _device(paper: Paper, kind: str, colour: str) -> None:
    """A small sign of a network device, centred on the origin, about 30 wide."""
    if kind == "wall":
        for row in range(4):
            for place in range(3):
                left = -14 + place * 10 - (5 if row % 2 else 0)
                with paper.clipped(shapes.box(-14, -14, 28, 28)):
                    paper.rect(left, -14 + row * 7, 9, 6, 1, fill=colour)
    elif kind == "switch":
        paper.rect(-15, -8, 30, 16, 3, fill=colour)
        for port in range(4):
            paper.rect(-11.5 + port * 6.2, -3, 4.4, 5, fill=WHITE)
    elif kind == "server":
        for row in range(3):
            paper.rect(-11, -16 + row * 11, 22, 9.4, 2, fill=colour)
            paper.circle(7, -11.3 + row * 11, 1.6, fill=WHITE)
    elif kind == "laptop":
        paper.rect(-12, -11, 24, 16, 2, fill=colour)
        paper.rect(-10, -9, 20, 12, fill="#DCE9F3")
        paper.draw(shapes.polygon((-17, 9), (17, 9), (13, 5), (-13, 5)), fill=colour)
    elif kind == "printer":
        paper.rect(-9, -13, 18, 8, fill="#DCE9F3", stroke=colour, width=1)
        paper.rect(-14, -6, 28, 12, 2, fill=colour)
        paper.rect(-9, 2, 18, 8, fill=WHITE, stroke=colour, width=1)
    else:
        for ring in range(3):
            paper.draw(shapes.arc(0, 8, 6 + ring * 6, -50, 50), stroke=colour, width=2.4)
        paper.circle(0, 7, 2.6, fill=colour)


def metro(paper: Paper) -> None:
    """A map of five underground lines."""
    wide, high = paper.width, paper.height
    paper.rect(0, 0, wide, high, fill="#FDFDFB")
    river = [(-20.0, 420.0), (120, 424), (230, 384), (350, 384), (470, 424), (620, 424), (720, 372),
             (840, 360)]
    paper.draw(shapes.spline(river), stroke="#CFE6F2", width=46)
    paper.text(24, 426, "River Idun", font="VeraIt", size=12, colour="#5F97B4")
    red, blue, green, yellow, violet = "#D7263D", "#1B6FB8", "#2E9E5B", "#F0A202", "#7B3FA0"
    lines: Sequence[tuple[str, Sequence[Point]]] = [
        (yellow, ((90, 200), (240, 200), (300, 260), (520, 260), (600, 340), (600, 540))),
        (green, ((60, 340), (220, 340), (300, 260), (390, 170), (390, 110))),
        (violet, ((180, 540), (180, 470), (300, 350), (430, 350), (520, 260), (620, 160),
                  (730, 160))),
        (blue, ((430, 560), (430, 350), (430, 260), (500, 190), (500, 110))),
        (red, ((60, 480), (180, 480), (310, 480), (430, 480), (600, 480), (740, 480))),
    ]
    for colour, points in lines:
        paper.line(*points, stroke=colour, width=11)
    stations: Sequence[tuple[float, float, str, str]] = [  # x, y, name, where the name stands
        (90, 200, "Airport", "above"), (190, 200, "Fairground", "above"),
        (60, 340, "Botanic Garden", "below"), (160, 340, "Orchard", "above"),
        (390, 110, "North Gate", "right"), (345, 215, "Museum", "left"),
        (430, 260, "Town Hall", "corner left"), (500, 190, "Opera", "left"),
        (500, 110, "Zoo", "right"),
        (620, 160, "Hospital", "above"), (730, 160, "Stadium", "above"),
        (570, 310, "Library", "right"),
        (240, 410, "Old Mill", "left"), (180, 540, "Brewery", "right"),
        (365, 350, "Arcades", "above"),
        (600, 400, "Customs House", "right"), (430, 416, "Pier", "left"),
        (60, 480, "Foundry", "below"),
        (310, 480, "Fish Market", "above"), (740, 480, "Lantern Quay", "below"),
        (670, 480, "Docks", "above"), (430, 560, "Ferry", "right"), (600, 540, "Ropewalk", "right"),
    ]
    for x, y, name, side in stations:
        paper.circle(x, y, 6.4, fill=WHITE, stroke=INK, width=2.4)
        _station(paper, x, y, name, side)
    hubs: Sequence[tuple[float, float, str, str]] = [
        (300, 260, "Cathedral", "corner right"), (520, 260, "University", "right"),
        (430, 350, "Central", "right"),
        (180, 480, "West Station", "corner right"), (430, 480, "Harbour", "corner right"),
        (600, 480, "East Station", "corner right"),
    ]
    for x, y, name, side in hubs:
        paper.circle(x, y, 10, fill=WHITE, stroke=INK, width=3.6)
        _station(paper, x, y, name, side, bold=True)
    paper.rect(0, 0, wide, 66, fill=INK)
    paper.circle(46, 33, 20, fill=WHITE)
    paper.text(46, 43, "M", font="VeraBd", size=27, align="center", colour="#D7263D")
    paper.text(80, 43, "Verholm Metro", font="VeraBd", size=26, colour=WHITE)
    for place, (colour, name) in enumerate(
        ((red, "1 Harbour line"), (blue, "2 Zoo line"), (green, "3 Garden line"),
         (yellow, "4 Airport line"), (violet, "5 Stadium line"))
    ):
        x = 60 + place * 148
        paper.line((x, high - 24), (x + 24, high - 24), stroke=colour, width=8)
        paper.text(x + 36, high - 20, name, font="Vera", size=11.5)


def _station(paper: Paper, x: float, y: float, name: str, side: str, bold: bool = False) -> None:
    font = "VeraBd" if bold else "Vera"
    if side == "above":
        paper.text(x, y - 16, name, font=font, size=11.5, align="center")
    elif side == "below":
        paper.text(x, y + 25, name, font=font, size=11.5, align="center")
    elif side == "corner left":
        paper.text(x - 8, y - 14, name, font=font, size=11.5, align="right")
    elif side == "corner right":
        paper.text(x + 12, y + 26, name, font=font, size=11.5)
    elif side == "right":
        paper.text(x + 17, y + 4.5, name, font=font, size=11.5)
    else:
        paper.text(x - 17, y + 4.5, name, font=font, size=11.5, align="right")


def floor_plan(paper: Paper) -> None:
    """The ground floor of a cottage with its furniture."""
    wide = paper.width
    paper.rect(0, 0, wide, paper.height, fill="#FBFAF6")
    paper.text(wide / 2, 48, "Miller’s Cottage, ground floor", font="Times-Bold", size=27,
               align="center")
    wall = "#2B2F36"
    left, top, right, bottom = 90.0, 92.0, 710.0, 532.0
    rooms = [
        (90, 92, 260, 230, "#EFE3CF"), (350, 92, 360, 230, "#F3EAD8"),
        (90, 322, 170, 210, "#DCE8EE"),
        (260, 322, 150, 210, "#F1EEE6"), (410, 322, 300, 210, "#E6EBDD"),
    ]
    for x, y, w, h, tone in rooms:
        paper.rect(x, y, w, h, fill=tone)
    for board in range(17):
        paper.line((350, 105 + board * 13), (710, 105 + board * 13), stroke="#E2D5BA", width=0.6)
    for tile in range(11):
        paper.line((90, 337 + tile * 19), (260, 337 + tile * 19), stroke="#C3D5DE", width=0.6)
        if tile < 9:
            paper.line((107 + tile * 19, 322), (107 + tile * 19, 532), stroke="#C3D5DE", width=0.6)
    paper.rect(left, top, right - left, bottom - top, stroke=wall, width=10, round=False)
    for a, b in (((350, 92), (350, 322)), ((90, 322), (710, 322)), ((260, 322), (260, 532)),
                 ((410, 322), (410, 532))):
        paper.line(a, b, stroke=wall, width=6, round=False)

    def window(x0: float, y0: float, x1: float, y1: float) -> None:
        paper.line((x0, y0), (x1, y1), stroke=WHITE, width=11, round=False)
        for shift in (-4, 0, 4):
            dx, dy = (0, shift) if y0 == y1 else (shift, 0)
            paper.line((x0 + dx, y0 + dy), (x1 + dx, y1 + dy), stroke=wall, width=0.9)

    def door(hinge: Point, angle: float, size: float, start: float,
             gap: tuple[Point, Point]) -> None:
        paper.line(*gap, stroke="#FBFAF6", width=12, round=False)
        paper.line(hinge, shapes.on_circle(*hinge, size, angle), stroke=wall, width=2)
        paper.draw(shapes.arc(*hinge, size, min(start, angle), max(start, angle)), stroke=wall,
                   width=0.7, dash=(3, 3))

    for ends in ((150, 92, 250, 92), (430, 92, 520, 92), (570, 92, 660, 92), (90, 170, 90, 250),
                 (710, 160, 710, 260), (710, 380, 710, 470), (140, 532, 200, 532),
                 (500, 532, 620, 532)):
        window(*ends)
    door((310, 532), 0, 56, 90, ((310, 532), (366, 532)))
    door((350, 318), 270, 50, 360, ((350, 266), (350, 316)))
    door((276, 322), 180, 52, 90, ((276, 322), (328, 322)))
    door((260, 386), 270, 46, 180, ((260, 388), (260, 432)))
    door((410, 386), 90, 48, 180, ((410, 388), (410, 434)))
    sofa = "#C98F6B"
    paper.rect(372, 108, 40, 134, 8, fill=sofa, stroke=wall, width=1)
    paper.rect(386, 116, 24, 56, 5, fill="#DDA987")
    paper.rect(386, 178, 24, 56, 5, fill="#DDA987")
    paper.draw(shapes.oval(472, 178, 34, 24), fill="#B98A55", stroke=wall, width=1)
    paper.rect(600, 296, 76, 20, 2, fill="#8C5A3C", stroke=wall, width=1)
    paper.circle(598, 170, 34, fill="#D9B98C", stroke=wall, width=1)
    for turn in range(4):
        cx, cy = shapes.on_circle(598, 170, 48, 45 + turn * 90)
        paper.circle(cx, cy, 11, fill="#B98A55", stroke=wall, width=1)
    paper.rect(98, 100, 44, 64, fill="#D5D9DC", stroke=wall, width=1)
    for cx, cy in ((110, 116), (130, 116), (110, 146), (130, 146)):
        paper.circle(cx, cy, 7.5, stroke=wall, width=1)
    paper.rect(98, 258, 120, 40, fill="#D5D9DC", stroke=wall, width=1)
    paper.rect(108, 264, 40, 27, 6, fill=WHITE, stroke=wall, width=1)
    paper.rect(228, 180, 62, 92, 3, fill="#B98A55", stroke=wall, width=1)
    for cx in (216, 302):
        for cy in (204, 248):
            paper.circle(cx, cy, 9, fill="#D9B98C", stroke=wall, width=1)
    paper.rect(100, 332, 60, 116, 14, fill=WHITE, stroke=wall, width=1.2)
    paper.rect(107, 340, 46, 100, 20, stroke="#9FB6C3", width=1)
    paper.draw(shapes.oval(126, 500, 15, 19), fill=WHITE, stroke=wall, width=1.2)
    paper.rect(108, 516, 36, 10, 2, fill=WHITE, stroke=wall, width=1.2)
    paper.rect(206, 492, 42, 32, 4, fill=WHITE, stroke=wall, width=1.2)
    paper.draw(shapes.oval(227, 508, 14, 10), stroke="#9FB6C3", width=1)
    paper.rect(582, 344, 112, 150, 4, fill="#B7C7D9", stroke=wall, width=1)
    paper.rect(582, 344, 112, 40, 4, fill="#F3F1EA", stroke=wall, width=1)
    for pillow in (588, 641):
        paper.rect(pillow, 350, 48, 26, 6, fill=WHITE, stroke="#A9A69C", width=0.8)
    paper.rect(422, 486, 60, 38, fill="#B98A55", stroke=wall, width=1)
    names = [(270, 140, "Kitchen", "13.9 m²"), (520, 258, "Living room", "19.3 m²"),
             (205, 462, "Bathroom", "8.3 m²"), (335, 440, "Hall", "7.3 m²"),
             (500, 410, "Bedroom", "14.7 m²")]
    for x, y, name, area in names:
        paper.text(x, y, name, font="Times-Bold", size=17, align="center")
        paper.text(x, y + 16, area, font="Times-Roman", size=12, align="center")
    for a, b, words, at in (((90, 562), (710, 562), "10.33 m", (400, 566)),):
        paper.arrow(((a[0] + b[0]) / 2, a[1]), b, head=8, stroke=wall, width=0.9)
        paper.arrow(((a[0] + b[0]) / 2, a[1]), a, head=8, stroke=wall, width=0.9)
        paper.rect(at[0] - 32, at[1] - 14, 64, 20, fill="#FBFAF6")
        paper.text(at[0], at[1], words, font="Times-Roman", size=13, align="center")
    paper.circle(752, 128, 22, stroke=wall, width=1)
    paper.draw(shapes.polygon((752, 98), (760, 130), (752, 124), (744, 130)), fill=wall)
    paper.text(752, 92, "N", font="Times-Bold", size=15, align="center")


def circuit(paper: Paper) -> None:
    """Two transistors that blink two lamps in turn."""
    wide = paper.width
    paper.rect(0, 0, wide, paper.height, fill="#FCFCF7")
    for step in range(0, int(wide), 20):
        paper.line((step, 0), (step, paper.height), stroke="#E6EEE6", width=0.5)
        paper.line((0, step), (wide, step), stroke="#E6EEE6", width=0.5)
    paper.text(44, 56, "Blinker with two transistors", font="VeraBd", size=25)
    paper.text(44, 78, "astable multivibrator, about 1.4 flashes a second", font="Vera", size=13,
               colour="#5B6670")
    wire = {"stroke": INK, "width": 2.0}

    def resistor(x: float, y: float, name: str, value: str, side: int) -> None:
        paper.rect(x - 10, y, 20, 52, fill=WHITE, stroke=INK, width=2)
        at = x + 18 * side
        align = "left" if side > 0 else "right"
        paper.text(at, y + 24, name, font="VeraBd", size=13, align=align)  # type: ignore[arg-type]
        paper.text(at, y + 41, value, font="Vera", size=12, align=align)  # type: ignore[arg-type]

    top, base = 140.0, 520.0
    paper.line((110, top), (690, top), **wire)  # type: ignore[arg-type]
    paper.line((110, base), (690, base), **wire)  # type: ignore[arg-type]
    columns = (180.0, 320.0, 480.0, 620.0)
    for place, x in enumerate(columns):
        paper.line((x, top), (x, 178), **wire)  # type: ignore[arg-type]
        paper.circle(x, top, 4, fill=INK)
        outer = place in (0, 3)
        resistor(x, 178, f"R{place + 1}", "470 Ω" if outer else "47 kΩ",
                 1 if place % 2 == 0 else -1)
        paper.line((x, 230), (x, 330 if outer else 318), **wire)  # type: ignore[arg-type]
    for place, x in ((1, 180.0), (2, 620.0)):
        lamp = shapes.polygon((x - 13, 254), (x + 13, 254), (x, 277))
        paper.draw(lamp, fill="#E63946" if place == 1 else "#2A9D5C", stroke=INK, width=2)
        paper.line((x - 13, 278), (x + 13, 278), stroke=INK, width=2.6)
        side = -1 if place == 1 else 1
        for ray in (0, 9):
            paper.arrow((x + side * 16, 258 + ray), (x + side * 31, 246 + ray), head=6, stroke=INK,
                        width=1.5)
        paper.text(x + side * 24, 290, f"LED {place}", font="VeraBd", size=13,
                   align="right" if side < 0 else "left")
    for place, (plate, x0, x1) in enumerate(((250.0, 180.0, 320.0), (550.0, 620.0, 480.0)),
                                            start=1):
        side = 1 if x1 > x0 else -1
        paper.line((x0, 318), (plate - side * 5, 318), **wire)  # type: ignore[arg-type]
        paper.line((plate + side * 5, 318), (x1, 318), **wire)  # type: ignore[arg-type]
        for shift in (-5, 5):
            paper.line((plate + shift, 302), (plate + shift, 334), stroke=INK, width=3.4)
        paper.text(plate - side * 14, 298, "+", font="VeraBd", size=13, align="center")
        paper.text(plate, 354, f"C{place}", font="VeraBd", size=13, align="center")
        paper.text(plate, 370, "22 µF", font="Vera", size=12, align="center")
        paper.circle(x0, 318, 4, fill=INK)
        paper.circle(x1, 318, 4, fill=INK)
    # the bases are crossed: each capacitor drives the transistor of the other side
    paper.line((320, 318), (320, 352), (560, 426), **wire)  # type: ignore[arg-type]
    paper.line((480, 318), (480, 352), (240, 426), **wire)  # type: ignore[arg-type]
    for name, x, side in (("Q1", 180.0, 1), ("Q2", 620.0, -1)):
        paper.circle(x + side * 12, 426, 34, fill=WHITE, stroke=INK, width=2)
        bar = x + side * 18
        paper.line((x + side * 60, 426), (bar, 426), **wire)  # type: ignore[arg-type]
        paper.line((bar, 406), (bar, 446), stroke=INK, width=4)
        paper.line((x, 330), (x, 402), (bar, 416), **wire)  # type: ignore[arg-type]
        paper.arrow((bar, 436), (x, 450), head=10, stroke=INK, width=2)
        paper.line((x, 450), (x, base), **wire)  # type: ignore[arg-type]
        paper.circle(x, base, 4, fill=INK)
        align = "right" if side > 0 else "left"
        paper.text(x - side * 30, 424, name, font="VeraBd", size=14,
                   align=align)  # type: ignore[arg-type]
        paper.text(x - side * 30, 441, "BC547", font="Vera", size=12,
                   align=align)  # type: ignore[arg-type]
    for x, sign, colour in ((110.0, "+ 9 V", "#C0392B"), (110.0, "0 V", "#1B6FB8")):
        y = top if sign != "0 V" else base
        paper.circle(x, y, 7, fill=WHITE, stroke=colour, width=3)
        paper.text(x - 16, y + 5, sign, font="VeraBd", size=14, align="right", colour=colour)


def weather(paper: Paper) -> None:
    """A weather map with isobars and fronts."""
    wide, high = paper.width, paper.height
    paper.shade(shapes.box(0, 0, wide, high), ("#BFDDEE", "#9CC7E0"), (0, 0), (0, high))
    land: list[Point] = [(240, 640), (250, 560), (300, 520), (290, 460), (340, 420), (400, 430),
                         (420, 370),
                         (390, 320), (430, 250), (500, 240), (520, 180), (600, 150), (690, 170),
                         (730, 120),
                         (850, 110), (850, 660)]
    paper.draw(shapes.spline(land, closed=True), fill="#DDE6C5", stroke="#8FA37A", width=1.6)
    for isle in ([(170, 300), (210, 280), (232, 310), (214, 352), (176, 346)],
                 [(96, 420), (118, 404), (136, 424), (112, 444)]):
        paper.draw(shapes.spline(isle, closed=True), fill="#DDE6C5", stroke="#8FA37A", width=1.6)
    paper.draw(shapes.spline([(560, 640), (570, 560), (530, 500), (560, 430), (620, 400),
                              (640, 330)]),
               stroke="#86B4D0", width=2.4)
    for centre, first, step, count in (((180.0, 200.0), 988, 4, 5), ((650.0, 470.0), 1032, -4, 4)):
        for ring in range(count):
            rx = 56 + ring * 46.0
            points = []
            for corner in range(12):
                wobble = 1 + 0.07 * math.sin(corner * 1.9 + ring)
                px, py = shapes.on_circle(*centre, rx * wobble, corner * 30)
                points.append((px, centre[1] + (py - centre[1]) * 0.78))
            paper.draw(shapes.spline(points, closed=True), stroke="#4A5A70", width=1.1, alpha=0.75)
            spot = points[8 if first < 1000 else 10]
            paper.rect(spot[0] - 15, spot[1] - 7, 30, 13, 3, fill="#F4F8FA", alpha=0.9)
            paper.text(spot[0], spot[1] + 3.4, str(first + ring * step), font="Vera", size=9.5,
                       align="center")
    front = [(190.0, 210.0), (280, 240), (350, 300), (380, 364), (388, 416)]
    paper.draw(shapes.spline(front), stroke="#1B5FB8", width=4)
    for place in range(len(front) - 1):
        (ax, ay), (bx, by) = front[place], front[place + 1]
        for part in (0.3, 0.72):
            mx, my = ax + (bx - ax) * part, ay + (by - ay) * part
            turn = math.degrees(math.atan2(by - ay, bx - ax))
            with paper.placed(mx, my, angle=turn):
                paper.draw(shapes.polygon((-9, 0), (9, 0), (0, -15)), fill="#1B5FB8")
    warm = [(190.0, 210.0), (300, 190), (400, 160), (500, 96)]
    paper.draw(shapes.spline(warm), stroke="#D1303A", width=4)
    for place in range(len(warm) - 1):
        (ax, ay), (bx, by) = warm[place], warm[place + 1]
        for part in (0.3, 0.72):
            mx, my = ax + (bx - ax) * part, ay + (by - ay) * part - 2
            turn = math.degrees(math.atan2(by - ay, bx - ax))
            with paper.placed(mx, my, angle=turn):
                paper.draw(shapes.wedge(0, 0, 9.5, -90, 90), fill="#D1303A")
    for letter, (x, y), colour in (("L", (180, 216), "#D1303A"), ("H", (650, 486), "#1B5FB8")):
        paper.text(x, y, letter, font="VeraBd", size=44, align="center", colour=colour)
    cities = [("Verholm", 470, 290, "11°", "rain"), ("Lindhamn", 610, 250, "13°", "cloud"),
              ("Aldersea", 372, 466, "12°", "rain"), ("Port Amsel", 420, 572, "18°", "sun"),
              ("Brenz", 700, 318, "16°", "sun"), ("Corran Point", 196, 330, "9°", "rain")]
    for name, x, y, degrees, sky in cities:
        paper.circle(x, y, 3.2, fill=INK)
        paper.text(x + 8, y + 4.5, name, font="VeraBd", size=11.5)
        paper.text(x + 44, y - 19, degrees, font="VeraBd", size=18, colour="#B3261E")
        with paper.placed(x + 22, y - 27):
            _sky(paper, sky)
    paper.rect(0, 0, wide, 62, fill="#123A5A")
    paper.text(28, 39, "Weather for Thursday, 9 October", font="VeraBd", size=22, colour=WHITE)
    paper.text(wide - 28, 39, "pressure in hPa", font="Vera", size=12, colour="#BFD9EA",
               align="right")


def _sky(paper: Paper, kind: str) -> None:
    """A small sign for the weather, centred on the origin."""
    if kind != "rain":
        for ray in range(8):
            paper.line(shapes.on_circle(0, 0, 10, ray * 45), shapes.on_circle(0, 0, 15, ray * 45),
                       stroke="#F2A516", width=2.4)
        paper.circle(0, 0, 8, fill="#FFC83A", stroke="#F2A516", width=1)
    if kind != "sun":
        for x, y, r in ((-8, 4, 7), (0, 0, 9), (9, 4, 7)):
            paper.circle(x, y, r, fill="#F7FAFC", stroke="#6E8296", width=1)
        paper.rect(-13, 2, 27, 9, 4.5, fill="#F7FAFC")
    if kind == "rain":
        for drop in (-7, 0, 7):
            paper.line((drop, 13), (drop - 3, 20), stroke="#1B6FB8", width=2.2)


def household(paper: Paper) -> None:
    """A bar chart: what the water of a household is used for."""
    wide, high = paper.width, paper.height
    paper.rect(0, 0, wide, high, fill="#EAF6F9")
    paper.rect(0, 0, wide, 128, fill="#0B4F6C")
    paper.text(44, 62, "How a household uses water", font="VeraBd", size=31, colour=WHITE)
    paper.text(44, 94, "Litres for each person on an average day", font="Vera", size=16,
               colour="#BFE3EE")
    uses = [("Shower and bath", 38, "#01BAEF"), ("Toilet", 34, "#0B8FB8"),
            ("Washing machine", 16, "#20BF9B"),
            ("Garden", 14, "#7BC74D"), ("Washing up", 9, "#F4B942"),
            ("Cooking, drinking", 6, "#F26A4B")]
    left, scale = 232.0, 11.6
    for line in range(0, 41, 10):
        x = left + line * scale
        paper.line((x, 158), (x, 546), stroke="#C4DEE6", width=1)
        paper.text(x, 566, str(line), font="Vera", size=12, align="center", colour="#4F7482")
    for place, (name, litres, colour) in enumerate(uses):
        y = 168.0 + place * 64
        paper.text(left - 16, y + 27, name, font="VeraBd", size=14.5, align="right")
        long = litres * scale
        paper.rect(left, y, long, 42, 6, fill=colour)
        for drop in range(max(1, litres // 4)):
            x = left + 18 + drop * 34.0
            if x > left + long - 14:
                break
            shape = (f"M {x} {y + 9} C {x + 2} {y + 15} {x + 8} {y + 20} {x + 8} {y + 26} "
                     f"C {x + 8} {y + 36} {x - 8} {y + 36} {x - 8} {y + 26} "
                     f"C {x - 8} {y + 20} {x - 2} {y + 15} {x} {y + 9} Z")
            paper.draw(shape, fill=WHITE, alpha=0.4)
        paper.text(left + long + 12, y + 29, str(litres), font="VeraBd", size=21, colour=colour)
    total = sum(litres for _, litres, _ in uses)
    paper.circle(wide - 108, 446, 74, fill="#0B4F6C")
    paper.text(wide - 108, 450, str(total), font="VeraBd", size=42, colour=WHITE, align="center")
    paper.text(wide - 108, 474, "litres a day", font="Vera", size=13, colour="#BFE3EE",
               align="center")
    note = "Invented figures, for practice only"
    paper.text(wide - 30, high - 14, note, font="VeraIt", size=10.5, align="right",
               colour="#4F7482")
