"""The launch of an invented leak sensor, told in eight landscape slides."""

from __future__ import annotations

import math

from samples import charts, shapes
from samples.paper import Paper, Style, text_width

# Drawings and tables read better wrapped by hand.
# fmt: off

WIDE, HIGH = 960.0, 540.0
NIGHT, DEEP, AQUA, LIME, PAPER_WHITE, INK, MUTED = (
    "#0A1B2E", "#123A5A", "#23B5D3", "#C7F464", "#F7FAFB", "#10222F", "#667885",
)
BODY = Style("Vera", 19, 29, INK, after=10)


def slides() -> bytes:
    """The whole deck, eight slides of 16:9."""
    paper = Paper((WIDE, HIGH), "Pebble: product launch", "Tidewell Group")
    for number, (name, slide) in enumerate(
        [
            ("Meet Pebble", _opening),
            ("The problem", _problem),
            ("How it works", _diagram),
            ("What is new", _features),
            ("The pilot", _pilot),
            ("Road map", _timeline),
            ("Prices", _prices),
            ("Next steps", _closing),
        ],
        start=1,
    ):
        if number > 1:
            paper.turn()
        paper.bookmark(name)
        slide(paper)
        dark = slide in (_opening, _problem, _closing)
        paper.text(WIDE - 40, HIGH - 24, str(number), font="Vera", size=11, align="right",
                   colour="#8FB3C9" if dark else MUTED)
        paper.text(40, HIGH - 24, "Tidewell Pebble · product launch", font="Vera", size=11,
                   colour="#8FB3C9" if dark else MUTED)
    return paper.pdf()


def _title(paper: Paper, words: str, colour: str = INK) -> None:
    paper.text(56, 88, words, font="VeraBd", size=38, colour=colour, tracking=-0.8)
    paper.rect(58, 106, 64, 5, 2.5, fill=AQUA)


def _light(paper: Paper) -> None:
    paper.rect(0, 0, WIDE, HIGH, fill=PAPER_WHITE)


def _dark(paper: Paper) -> None:
    paper.shade(shapes.box(0, 0, WIDE, HIGH), (NIGHT, DEEP), (0, 0), (WIDE, HIGH))


def pebble(paper: Paper, x: float, y: float, size: float) -> None:
    """The sensor: a smooth stone with a lit ring; `size` is its width."""
    with paper.placed(x, y, scale=size / 200):
        paper.draw(shapes.oval(4, 74, 96, 14), fill="#000000", alpha=0.28)
        stone = shapes.spline(
            [(-100, 6), (-78, -48), (-10, -70), (66, -54), (100, 0), (78, 50), (0, 68), (-76, 54)],
            closed=True,
        )
        paper.glow(stone, ("#F4F8FA", "#B9C8D2", "#6F8796", "#4A6272"), (-34, -42), 170)
        ring = shapes.oval(2, -14, 52, 26)
        paper.draw(ring, stroke=AQUA, width=9, alpha=0.35)
        paper.draw(ring, stroke="#D8F7FF", width=3)
        paper.text(2, -9, "pebble", font="VeraBd", size=15, align="center", colour="#39505F")


def _opening(paper: Paper) -> None:
    _dark(paper)
    for ring in range(1, 9):
        paper.draw(shapes.oval(690, 300, 62 * ring, 40 * ring), stroke=AQUA, width=1.4,
                   alpha=0.55 / ring)
    pebble(paper, 690, 280, 300)
    paper.text(56, 70, "TIDEWELL", font="VeraBd", size=13, colour=AQUA, tracking=4)
    paper.text(52, 236, "Meet", font="Vera", size=68, colour="#FFFFFF", tracking=-2)
    paper.text(52, 312, "Pebble", font="VeraBd", size=84, colour=LIME, tracking=-3)
    paper.text(56, 366, "The leak sensor that listens.", font="Vera", size=21, colour="#D5E6F0")
    paper.text(56, 436, "Product launch · Verholm, 14 April 2026", font="Vera", size=14,
               colour="#8FB3C9")


def _problem(paper: Paper) -> None:
    _dark(paper)
    _title(paper, "The problem runs underground", "#FFFFFF")
    paper.text(48, 318, "1 in 3", font="VeraBd", size=138, colour=LIME, tracking=-6)
    paper.text(60, 362, "litres of drinking water never reaches a tap", font="Vera", size=19,
               colour="#FFFFFF")
    paper.text(60, 388, "Survey of 61 utilities, Tidewell 2025", font="Vera", size=11.5,
               colour="#8FB3C9")
    for place in range(3):
        x, y = 636 + place * 104, 240.0
        lost = place == 2
        drop = (
            f"M {x} {y - 74} C {x + 8} {y - 46} {x + 38} {y - 18} {x + 38} {y + 16} "
            f"C {x + 38} {y + 39} {x + 20} {y + 54} {x} {y + 54} "
            f"C {x - 20} {y + 54} {x - 38} {y + 39} {x - 38} {y + 16} "
            f"C {x - 38} {y - 18} {x - 8} {y - 46} {x} {y - 74} Z"
        )
        if lost:
            paper.draw(drop, stroke=LIME, width=3, dash=(6, 6))
        else:
            paper.shade(drop, ("#8FE3F2", AQUA, "#1380A8"), (x, y - 70), (x, y + 54))
            paper.draw(shapes.arc(x, y + 14, 20, 190, 250, 22), stroke="#FFFFFF", width=4,
                       alpha=0.6)
    paper.text(636 + 208, 340, "lost", font="VeraBd", size=17, colour=LIME, align="center")
    paper.text(636 + 52, 340, "used", font="VeraBd", size=17, colour=AQUA, align="center")
    paper.text(60, 452, "A burst is found in a day. A small leak is found after seven months.",
               font="VeraIt", size=19, colour="#D5E6F0")


def _diagram(paper: Paper) -> None:
    _light(paper)
    _title(paper, "How it works")
    # the street, cut open
    ground = 360.0
    paper.rect(0, ground, WIDE, 128, fill="#E9E1D2")
    for stone in range(60):
        x, y = (stone * 137.5) % WIDE, ground + 14 + (stone * 61.8) % 104
        paper.draw(shapes.oval(x, y, 3 + stone % 4, 2 + stone % 3), fill="#D5C8B0")
    paper.rect(0, ground - 7, WIDE, 7, fill="#8A9199")
    paper.rect(0, 432, WIDE, 34, fill="#54748A")
    paper.rect(0, 437, WIDE, 9, fill="#7FA1B7")
    for joint in range(5):
        paper.rect(70 + joint * 200, 427, 12, 44, 2, fill="#3E596B")
    for wave in range(3):
        paper.draw(shapes.arc(252, 448, 18 + wave * 13, 300, 420), stroke="#E4572E", width=2.6,
                   alpha=0.9 - wave * 0.25)
    for spray in (-16, 0, 16):
        paper.draw(shapes.spline([(252, 432), (252 + spray * 0.6, 414), (252 + spray * 1.5, 404)]),
                   stroke=AQUA, width=3)
    paper.text(252, 490, "leak", font="VeraBd", size=13, colour="#E4572E", align="center")
    pebble(paper, 150, 418, 58)
    pebble(paper, 420, 418, 58)
    nodes = [
        (150.0, "1  Sensor", "hears the leak at night"),
        (400.0, "2  Gateway", "on a lamp post"),
        (630.0, "3  Cloud", "compares the two sounds"),
        (840.0, "4  Fitter", "digs in the right place"),
    ]
    for x, head, text in nodes:
        paper.text(x, 152, head, font="VeraBd", size=17, align="center")
        paper.text(x, 174, text, font="Vera", size=12.5, align="center", colour=MUTED)
    # lamp post with gateway
    paper.rect(397, 226, 6, 128, fill="#4A5A66")
    paper.draw(shapes.spline([(400, 228), (408, 212), (440, 208)]), stroke="#4A5A66", width=5)
    paper.rect(434, 206, 30, 8, 3, fill="#F2C14E")
    paper.rect(386, 262, 28, 38, 4, fill=AQUA)
    for wave in range(3):
        paper.draw(shapes.arc(400, 262, 14 + wave * 9, -50, 50), stroke=AQUA, width=2,
                   alpha=0.9 - wave * 0.25)
    for cx, cy, r in ((600, 266, 28), (632, 248, 36), (664, 268, 26)):
        paper.circle(cx, cy, r, fill="#CFE8F3")
    paper.rect(598, 264, 70, 30, 14, fill="#CFE8F3")
    pulse = [(594 + i * 4, 270 - 13 * math.sin(i * 0.9) * math.exp(-((i - 9) ** 2) / 22))
             for i in range(20)]
    paper.draw(shapes.spline(pulse), stroke=DEEP, width=2.2)
    paper.rect(812, 212, 56, 104, 9, fill=NIGHT)
    paper.rect(817, 222, 46, 82, 3, fill="#E9F6FA")
    for row in range(4):
        paper.line((817, 234 + row * 18), (863, 240 + row * 16), stroke="#BFD9E4", width=3)
    paper.line((838, 222), (830, 304), stroke="#BFD9E4", width=3)
    paper.draw(shapes.both(shapes.oval(842, 256, 9)), fill="#E4572E")
    paper.draw(shapes.polygon((834.5, 261), (849.5, 261), (842, 276)), fill="#E4572E")
    paper.circle(842, 256, 3.4, fill="#FFFFFF")
    paper.arrow((168, 392), (168, 322), (372, 284), head=11, stroke=INK, width=1.8, dash=(5, 4))
    paper.arrow((438, 392), (438, 322), (424, 300), head=11, stroke=INK, width=1.8, dash=(5, 4))
    paper.arrow((430, 268), (566, 268), head=11, stroke=INK, width=1.8)
    paper.arrow((696, 268), (800, 268), head=11, stroke=INK, width=1.8)


def _features(paper: Paper) -> None:
    _light(paper)
    _title(paper, "What is new")
    points = [
        "<b>Small.</b> 58 mm across, fits every hydrant",
        "<b>Patient.</b> Ten years on one battery",
        "<b>Precise.</b> Finds a leak to within 40 centimetres",
        "<b>Simple.</b> A magnet holds it; nobody digs",
        "<b>Private.</b> It hears pipes, never people",
    ]
    y = 158.0
    for point in points:
        paper.circle(68, y + 14, 6, fill=AQUA)
        y = paper.paragraph(92, y, 480, point, BODY) + 18
    paper.glow(shapes.box(628, 0, 332, HIGH), ("#1C5D86", NIGHT), (794, 250), 320)
    pebble(paper, 794, 236, 210)
    paper.line((689, 338), (899, 338), stroke="#FFFFFF", width=1.4)
    for end in (689, 899):
        paper.line((end, 330), (end, 346), stroke="#FFFFFF", width=1.4)
    paper.text(794, 366, "58 mm", font="VeraBd", size=18, colour="#FFFFFF", align="center")
    for place, (value, what) in enumerate((("94 g", "weight"), ("IP 68", "sealed"),
                                           ("10 y", "battery"))):
        x = 694 + place * 100
        paper.text(x, 424, value, font="VeraBd", size=21, colour=LIME, align="center")
        paper.text(x, 446, what, font="Vera", size=12, colour="#BFD5E2", align="center")


def _pilot(paper: Paper) -> None:
    _light(paper)
    _title(paper, "The pilot in Lindhamn")
    paper.text(58, 148, "Days until a leak was found, before and with Pebble", font="Vera", size=15,
               colour=MUTED)
    charts.bars(
        paper, 90, 168, 500, 300, ["Old town", "Harbour", "Station", "Hillside"],
        {"before": [212, 187, 164, 236], "with Pebble": [9, 6, 11, 14]}, ("#B8C6CF", AQUA),
        top=250, step=50, size=12,
    )
    charts.legend(paper, 474, 148, {"before": "#B8C6CF", "with Pebble": AQUA}, size=13)
    results = [
        ("420", "sensors along 31 km of pipe"),
        ("57", "leaks found in six months"),
        ("18 %", "less water pumped into town"),
        ("0", "streets dug up for nothing"),
    ]
    for place, (value, what) in enumerate(results):
        y = 192 + place * 76.0
        paper.text(640, y + 8, value, font="VeraBd", size=40, colour=DEEP, tracking=-1)
        paper.text(642, y + 32, what, font="Vera", size=14, colour=MUTED)


def _timeline(paper: Paper) -> None:
    _light(paper)
    _title(paper, "Road map to every street")
    level, left, right = 300.0, 90.0, 880.0
    paper.line((left - 30, level), (right, level), stroke="#C5D2DA", width=8)
    paper.line((left - 30, level), (left + 356, level), stroke=AQUA, width=8)
    paper.draw(shapes.polygon((right - 2, level - 13), (right + 24, level),
                              (right - 2, level + 13)),
               fill="#C5D2DA")
    stops = [
        ("Sept 2025", "Pilot ends", "57 leaks found<br/>in Lindhamn"),
        ("Jan 2026", "First series", "5,000 sensors<br/>from Verholm"),
        ("April 2026", "Launch", "Sales in the Nordics<br/>and British Isles"),
        ("Sept 2026", "Central Europe", "Second line,<br/>20,000 a month"),
        ("2027", "Overseas", "Port Amsel<br/>and the islands"),
    ]
    for place, (day, head, text) in enumerate(stops):
        x = left + place * 178
        now = place == 2
        above = place % 2 == 0
        done = place < 2
        edge = level - 84 if above else level + 84
        paper.line((x, level), (x, edge + (44 if above else -44)), stroke="#9FB4C0", width=1.4)
        if now:
            paper.circle(x, level, 24, fill=LIME, alpha=0.6)
        paper.circle(x, level, 13, fill=AQUA if done or now else "#FFFFFF",
                     stroke=AQUA if done or now else "#9FB4C0", width=4)
        top = level - 146 if above else level + 46
        paper.text(x, top + 16, day, font="VeraBd", size=13, colour="#1380A8", align="center")
        paper.text(x, top + 42, head, font="VeraBd", size=18, align="center")
        paper.paragraph(x - 90, top + 52, 180, text,
                        Style("Vera", 13, 18, MUTED, "center", after=0))
    paper.text(left + 2 * 178, level + 44, "we are here", font="VeraIt", size=13, align="center",
               colour=INK)


def _prices(paper: Paper) -> None:
    _light(paper)
    _title(paper, "Three plans, no surprises")
    plans = [
        ("Village", "€4", ["up to 200 sensors", "alarms by e-mail", "report every month"]),
        ("Town", "€3", ["up to 5,000 sensors", "alarms on the phone", "live map", "training day"]),
        ("City", "€2", ["any number of sensors", "own control room link", "live map",
                        "fitters on call"]),
    ]
    for place, (name, price, lines) in enumerate(plans):
        x, best = 58 + place * 286.0, place == 1
        top, tall = (136.0, 352.0) if best else (152.0, 320.0)
        paper.rect(x + 4, top + 6, 262, tall, 14, fill="#0A1B2E", alpha=0.08)
        paper.rect(x, top, 262, tall, 14, fill=DEEP if best else "#FFFFFF",
                   stroke=None if best else "#D3DEE5", width=1)
        main, soft = ("#FFFFFF", "#BFD5E2") if best else (INK, MUTED)
        paper.text(x + 28, top + 46, name, font="VeraBd", size=20,
                   colour=LIME if best else "#1380A8")
        paper.text(x + 26, top + 112, price, font="VeraBd", size=54, colour=main, tracking=-2)
        wide = text_width(price, "VeraBd", 54, -2)
        paper.text(x + 36 + wide, top + 92, "a sensor", font="Vera", size=13, colour=soft)
        paper.text(x + 36 + wide, top + 110, "a month", font="Vera", size=13, colour=soft)
        paper.line((x + 28, top + 134), (x + 234, top + 134), stroke=soft, width=0.6)
        for row, line in enumerate(lines):
            y = top + 168 + row * 34
            paper.line((x + 28, y - 5), (x + 33, y), (x + 42, y - 11), stroke=AQUA, width=2.6)
            paper.text(x + 54, y, line, font="Vera", size=15, colour=main)


def _closing(paper: Paper) -> None:
    _dark(paper)
    for ring in range(1, 9):
        paper.draw(shapes.oval(800, 540, 70 * ring, 48 * ring), stroke=AQUA, width=1.4,
                   alpha=0.5 / ring)
    pebble(paper, 800, 470, 180)
    _title(paper, "Put an ear to your pipes", "#FFFFFF")
    steps = [
        ("1", "Choose a street that worries you"),
        ("2", "Borrow twenty sensors, free for eight weeks"),
        ("3", "Compare the water bill"),
    ]
    for place, (number, text) in enumerate(steps):
        y = 190 + place * 68.0
        paper.circle(80, y, 22, fill=LIME)
        paper.text(80, y + 8, number, font="VeraBd", size=21, align="center", colour=NIGHT)
        paper.text(122, y + 7, text, font="Vera", size=21, colour="#FFFFFF")
    paper.text(58, 432, "pebble@tidewell.example", font="VeraBd", size=23, colour=AQUA)
