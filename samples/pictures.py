"""Drawn pictures in the manner of travel posters: bridge, lighthouse, boat, fruit and others."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from samples import shapes
from samples.paper import Paper
from samples.shapes import Point

# Drawings and tables read better wrapped by hand.
# fmt: off

WHITE = "#FFFFFF"


def bridge(paper: Paper) -> None:
    """A suspension bridge at dusk."""
    wide, high, sea = paper.width, paper.height, 400.0
    sky = ("#2B2D5B", "#7A4A86", "#E0736B", "#F9B36B", "#FCD99B")
    paper.shade(shapes.box(0, 0, wide, sea), sky, (0, 0), (0, sea), (0, 0.35, 0.65, 0.88, 1))
    for ring in range(6, 0, -1):
        paper.circle(446, 346, 42 + ring * 15, fill="#FFE7B0", alpha=0.07)
    paper.circle(446, 346, 42, fill="#FFF3CF")
    for x, y, length in ((90.0, 96.0, 150.0), (180, 108, 120), (610, 74, 170), (560, 86, 90),
                         (340, 150, 110)):
        paper.rect(x, y, length, 7, 3.5, fill="#F4A988", alpha=0.45)
    far = [(i * 100.0 - 20, 372 + 20 * math.sin(i * 1.3) - (i % 3) * 9) for i in range(10)]
    paper.draw(shapes.hills(far, sea), fill="#7D5585")
    near = [(i * 90.0 - 20, 388 + 13 * math.sin(i * 2.1 + 1)) for i in range(11)]
    paper.draw(shapes.hills(near, sea), fill="#553B6E")
    water = ("#E9936F", "#8D5580", "#36305F", "#232450")
    paper.shade(shapes.box(0, sea, wide, high - sea), water, (0, sea), (0, high), (0, 0.25, 0.7, 1))
    dice = random.Random(5)
    for _ in range(120):
        y = sea + 4 + (high - sea) * dice.random() ** 1.6
        length = 12 + (y - sea) * 0.35 * dice.random()
        x = dice.gauss(446, 60) if dice.random() < 0.5 else dice.uniform(0, wide)
        paper.rect(x - length / 2, y, length, 1.6, 0.8, fill="#FFDDA0", alpha=0.35)

    steel, deck = "#1C1B3A", 340.0
    towers = (212.0, 588.0)

    def cable(x: float) -> float:
        left, right = towers
        if x < left:
            return 130 + math.pow(left - x, 1.25) * 0.252
        if x > right:
            return 130 + math.pow(x - right, 1.25) * 0.252
        part = (x - left) / (right - left)
        return 130 + 4 * 186 * part * (1 - part)

    for x in range(8, int(wide), 14):
        paper.line((x, cable(x)), (x, deck), stroke=steel, width=0.9)
    for lift in (0, 4):
        paper.line(*((float(x), cable(x) - lift) for x in range(0, int(wide) + 1, 6)), stroke=steel,
                   width=2.4)
    paper.rect(0, deck, wide, 10, fill=steel)
    for x in range(0, int(wide), 16):
        paper.line((x, deck + 10), (x + 8, deck + 20), (x + 16, deck + 10), stroke=steel, width=1.4)
    paper.rect(0, deck + 19, wide, 3, fill=steel)
    for tower in towers:
        for leg in (-17, 9):
            paper.rect(tower + leg, 118, 8, 330, fill=steel)
        for level in (128, 186, 244, 302, 372):
            paper.rect(tower - 17, level, 34, 7, fill=steel)
        for level in (135, 193, 251):
            paper.line((tower - 10, level), (tower + 10, level + 51), stroke=steel, width=2)
            paper.line((tower + 10, level), (tower - 10, level + 51), stroke=steel, width=2)
        paper.rect(tower - 30, 430, 60, 24, 4, fill=steel)
        paper.circle(tower, 112, 4, fill="#FF5A4F")
        paper.circle(tower, 112, 10, fill="#FF5A4F", alpha=0.25)
    for x in range(30, int(wide), 62):
        paper.line((x, deck), (x, deck - 15), stroke=steel, width=1.4)
        paper.circle(x, deck - 16, 2.6, fill="#FFF1B8")
        paper.circle(x, deck - 16, 7, fill="#FFF1B8", alpha=0.25)
    for x, tone in ((98, "#FFF6D0"), (322, "#FF6B57"), (402, "#FFF6D0"), (668, "#FF6B57")):
        paper.rect(x, deck - 7, 22, 7, 2, fill="#11112A")
        paper.rect(x + 4, deck - 12, 12, 6, 2, fill="#11112A")
        paper.circle(x + (22 if tone == "#FFF6D0" else 0), deck - 4, 2, fill=tone)
    paper.text(34, high - 46, "Tamsin Sound Bridge", font="Times-Italic", size=30, colour="#FFE9C4")
    paper.text(35, high - 26, "OPENED 1934  ·  SPAN 1,106 METRES", size=9.5, tracking=2,
               colour="#FFE9C4")


def lighthouse(paper: Paper) -> None:
    """A lighthouse at night, its beam over the sea."""
    wide, high, sea = paper.width, paper.height, 560.0
    paper.shade(shapes.box(0, 0, wide, sea), ("#050B24", "#0C1F4A", "#1F4272"), (0, 0), (0, sea))
    dice = random.Random(7)
    for _ in range(190):
        paper.circle(dice.uniform(0, wide), dice.uniform(0, sea - 60), dice.uniform(0.5, 1.6),
                     fill=WHITE, alpha=dice.uniform(0.3, 0.95))
    for ring in range(5):
        paper.circle(112, 118, 44 + ring * 12, fill="#F5EFD0", alpha=0.06)
    paper.circle(112, 118, 40, fill="#F5EFD0")
    for x, y, r in ((98.0, 108.0, 8), (124, 130, 10), (118, 98, 5), (94, 134, 5)):
        paper.circle(x, y, r, fill="#DDD4AC")
    paper.shade(shapes.box(0, sea, wide, high - sea), ("#17375F", "#081530"), (0, sea), (0, high))
    for _ in range(90):
        y = sea + 6 + 130 * dice.random()
        length = dice.uniform(10, 50)
        tone = "#F5EFD0" if dice.random() < 0.3 else "#5B86B5"
        x = dice.gauss(112, 30) if tone == "#F5EFD0" else dice.uniform(0, wide)
        paper.rect(x, y, length, 1.5, 0.7, fill=tone, alpha=0.45)
    lamp: Point = (398.0, 232.0)
    for spread, alpha in ((30, 0.1), (20, 0.12), (11, 0.16)):
        for end in (-60.0, wide + 40):
            far = lamp[1] + (40 if end < 0 else -22)
            beam = shapes.polygon(lamp, (end, far - spread * 2.6), (end, far + spread * 2.6))
            paper.draw(beam, fill="#FFF3B8", alpha=alpha)
    rocks = [(96.0, 810.0), (170, 690), (226, 622), (300, 584), (360, 552), (440, 548), (496, 572),
             (560, 580),
             (wide + 10, 612)]
    paper.draw(shapes.hills(rocks, high), fill="#0B1222")
    ridge = [(x, y + 26) for x, y in rocks]
    paper.draw(shapes.spline(ridge), stroke="#22304A", width=3)
    tower = shapes.polygon((368, 272), (428, 272), (446, 556), (350, 556))
    with paper.clipped(tower):
        paper.rect(340, 260, 120, 300, fill="#E9E6DC")
        for band in range(3):
            paper.rect(340, 318 + band * 96, 120, 48, fill="#C2372E")
        shadow = shapes.polygon((402, 262), (470, 262), (470, 560), (408, 560))
        paper.draw(shadow, fill="#0A1430", alpha=0.35)
    for y in (300, 384, 470):
        paper.rect(388, y, 12, 19, 6, fill="#FFD773")
    paper.rect(386, 520, 24, 36, 11, fill="#3A2418")
    paper.rect(356, 262, 84, 11, 2, fill="#1B2233")
    for rail in range(9):
        paper.line((359 + rail * 9.8, 262), (359 + rail * 9.8, 248), stroke="#1B2233", width=1.6)
    paper.line((357, 248), (439, 248), stroke="#1B2233", width=2.4)
    paper.rect(376, 206, 44, 56, fill="#FFE999")
    for post in (376, 390.5, 405, 419):
        paper.rect(post, 206, 2.4, 56, fill="#1B2233")
    for ring, alpha in ((46, 0.14), (32, 0.2), (20, 0.4)):
        paper.circle(*lamp, ring, fill="#FFF7D0", alpha=alpha)
    paper.circle(*lamp, 9, fill=WHITE)
    paper.draw(shapes.polygon((368, 207), (428, 207), (398, 172)), fill="#8E2620")
    paper.circle(398, 168, 5, fill="#8E2620")
    paper.line((398, 165), (398, 148), stroke="#8E2620", width=2)
    paper.rect(484, 522, 92, 56, fill="#CFCBC0")
    paper.draw(shapes.polygon((474, 524), (498, 490), (562, 490), (586, 524)), fill="#5A2A24")
    paper.rect(548, 470, 14, 26, fill="#5A2A24")
    for x in (496, 546):
        paper.rect(x, 538, 18, 18, fill="#FFD773")
        paper.line((x + 9, 538), (x + 9, 556), stroke="#7A5A20", width=1)
    for x, y, size in ((196, 250, 1.0), (232, 226, 0.8)):
        wing = [(x - 16 * size, y - 4), (x - 7 * size, y - 8), (x, y), (x + 7 * size, y - 8),
                (x + 16 * size, y - 4)]
        paper.draw(shapes.spline(wing), stroke="#C9D6E8", width=1.6)
    paper.text(wide / 2, high - 66, "CORRAN POINT", font="Helvetica-Bold", size=40,
               colour="#F5EFD0",
               align="center", tracking=6)
    paper.text(wide / 2, high - 38, "the lighthouse at night", font="Times-Italic", size=23,
               colour="#F5EFD0", align="center")


def bicycle(paper: Paper) -> None:
    """A bicycle from the side, its parts named."""
    wide, high = paper.width, paper.height
    paper.rect(0, 0, wide, high, fill="#FBF6EA")
    paper.text(44, 62, "The bicycle and its parts", font="Times-Bold", size=32, colour="#223")
    paper.line((44, 76), (wide - 44, 76), stroke="#222233", width=1)
    rear, front, radius = (250.0, 400.0), (570.0, 400.0), 112.0
    crank, seat, head, bars = (392.0, 404.0), (346.0, 238.0), (520.0, 232.0), (508.0, 190.0)
    for cx, cy in (rear, front):
        paper.circle(cx, cy, radius, stroke="#26282C", width=10)
        paper.circle(cx, cy, radius - 9, stroke="#B9C0C6", width=5)
        for spoke in range(28):
            lean = 14 if spoke % 2 else -14
            hub = shapes.on_circle(cx, cy, 9, spoke * 360 / 28 + lean * 4)
            rim = shapes.on_circle(cx, cy, radius - 11, spoke * 360 / 28)
            paper.line(hub, rim, stroke="#8C949B", width=0.9)
        paper.circle(cx, cy, 10, fill="#C9CFD4", stroke="#333740", width=1.4)
    # chain behind, frame before it
    paper.line((crank[0], crank[1] - 30), (rear[0], rear[1] - 17), stroke="#3B3E44", width=3,
               dash=(4, 2))
    paper.line((crank[0], crank[1] + 30), (rear[0], rear[1] + 17), stroke="#3B3E44", width=3,
               dash=(4, 2))
    paper.draw(shapes.gear(*rear, 19, 14, 3), fill="#8C949B", stroke="#333740", width=0.8)
    red = "#C8322B"
    for a, b in ((rear, seat), (rear, crank), (seat, crank), (seat, head), (crank, (526.0, 256.0))):
        paper.line(a, b, stroke=red, width=10)
        paper.line((a[0] - 1, a[1] - 2), (b[0] - 1, b[1] - 2), stroke="#E8776F", width=2)
    paper.line((514, 212), (536, 284), stroke=red, width=12)
    paper.draw(shapes.spline([(536, 284), (548, 330), (558, 368), front]), stroke=red, width=8)
    paper.line(seat, (337, 204), stroke="#B9C0C6", width=7)
    paper.draw(shapes.spline([(296, 196), (318, 190), (350, 196), (384, 200), (378, 208),
                              (340, 210),
                              (306, 212)], closed=True), fill="#4A2E1E", stroke="#26170E",
               width=1.4)
    paper.line((514, 212), bars, stroke="#B9C0C6", width=7)
    paper.draw(shapes.spline([bars, (530, 178), (558, 180), (566, 200), (552, 216)]),
               stroke="#B9C0C6",
               width=7)
    paper.draw(shapes.spline([(566, 200), (560, 212), (550, 217)]), stroke="#4A2E1E", width=9)
    paper.draw(shapes.spline([(546, 184), (576, 204), (582, 232)]), stroke="#55595F", width=3)
    paper.draw(shapes.gear(*crank, 33, 26, 3.4), fill="#D5DADD", stroke="#333740", width=1)
    paper.circle(*crank, 20, fill="#FBF6EA", stroke="#333740", width=1)
    for angle in (130, 310):
        end = shapes.on_circle(*crank, 52, angle)
        paper.line(crank, end, stroke="#55595F", width=7)
        paper.rect(end[0] - 17, end[1] - 4, 34, 9, 3, fill="#26282C")
    paper.circle(*crank, 8, fill="#8C949B", stroke="#333740", width=1)
    paper.circle(588, 226, 13, fill="#F4D35E", stroke="#333740", width=1.4)
    labels = [
        ("saddle", (232, 148), (322, 192)), ("seat post", (236, 208), (337, 216)),
        ("handlebar", (612, 132), (548, 178)), ("brake lever", (664, 176), (578, 210)),
        ("lamp", (668, 228), (602, 226)), ("top tube", (424, 166), (424, 232)),
        ("down tube", (427, 286), (459, 330)), ("front fork", (744, 306), (552, 338)),
        ("spokes", (742, 376), (640, 390)), ("tyre", (742, 446), (676, 436)),
        ("chain", (300, 536), (318, 428)), ("pedal", (470, 536), (432, 442)),
        ("crank", (388, 552), (412, 424)), ("hub", (92, 330), (244, 394)),
        ("rim", (78, 412), (150, 408)),
    ]
    for words, at, target in labels:
        paper.line((at[0], at[1]), target, stroke="#222233", width=0.8)
        paper.circle(*target, 2, fill="#222233")
        size = len(words) * 8.6 + 14
        paper.rect(at[0] - size / 2, at[1] - 12, size, 24, 4, fill="#FBF6EA")
        paper.text(at[0], at[1] + 5.5, words, font="Times-Italic", size=19, align="center",
                   colour="#223")


def mountain(paper: Paper) -> None:
    """A mountain above a lake, the sun just up."""
    wide, high, lake = paper.width, paper.height, 470.0
    sky = ("#F3A66B", "#F8CF8F", "#FBE9BF", "#FDF3DA")
    paper.shade(shapes.box(0, 0, wide, lake), sky, (0, 0), (0, lake), (0, 0.4, 0.75, 1))
    for ray in range(24):
        turn = ray * 15 + 7.5
        paper.draw(shapes.wedge(590, 250, 620, turn - 2.6, turn + 2.6), fill="#FFF6DA", alpha=0.28)
    paper.circle(590, 250, 66, fill="#FFFBEA")
    paper.circle(590, 250, 56, fill="#FFE08A")
    far = [(-10.0, 380.0), (90, 330), (160, 362), (300, 320), (520, 372), (650, 338), (760, 368),
           (830, 350)]
    paper.draw(shapes.hills(far, lake), fill="#D9A58B")
    peak: list[Point] = [(40, 470), (150, 360), (196, 318), (232, 272), (262, 226), (296, 170),
                         (318, 132),
                         (336, 160), (356, 178), (388, 232), (432, 272), (474, 330), (540, 384),
                         (640, 470)]
    paper.draw(shapes.polygon(*peak), fill="#6E6A8F")
    shade = [(318.0, 132.0), (330, 210), (310, 262), (340, 330), (322, 392), (352, 470), (40, 470),
             *peak[1:6]]
    paper.draw(shapes.polygon(*shade), fill="#4F4D78")
    snow = [(318.0, 132.0), (336, 160), (356, 178), (388, 232), (374, 240), (360, 226), (346, 252),
            (330, 224), (316, 262), (298, 232), (284, 250), (262, 226), (296, 170)]
    paper.draw(shapes.polygon(*snow), fill="#FDF8F0")
    cold = [(318.0, 132.0), (330, 210), (316, 262), (298, 232), (284, 250), (262, 226), (296, 170)]
    paper.draw(shapes.polygon(*cold), fill="#C9CBE3")
    slope = [(-10.0, 420.0), (120, 400), (260, 428), (420, 414), (560, 436), (700, 408), (830, 424)]
    paper.draw(shapes.hills(slope, lake + 4), fill="#3F6B5C")
    water = ("#F2C48D", "#9DAFB5", "#456E82")
    paper.shade(shapes.box(0, lake, wide, high - lake), water, (0, lake), (0, high))
    with paper.clipped(shapes.box(0, lake, wide, high - lake)):
        mirror = [(x, lake + (470 - y) * 0.42) for x, y in peak]
        paper.draw(shapes.polygon(*mirror), fill="#4F4D78", alpha=0.4)
        for row in range(16):
            paper.rect(540 - row * 4, lake + 8 + row * 9, 100 + row * 8, 2.4, 1.2, fill="#FFF6DA",
                       alpha=0.5)
    dice = random.Random(11)
    for _ in range(46):
        x = dice.uniform(-10, wide + 10)
        side = min(1.0, abs(x - wide / 2) / (wide / 2))
        if side < 0.35:
            continue
        foot, tall = high - 118 + 120 * side * dice.random(), 60 + 110 * side * dice.random()
        tone = dice.choice(("#1E4038", "#25493F", "#18342E"))
        paper.rect(x - 2, foot - 8, 4, 14, fill="#3A2A20")
        for tier in range(4):
            base = foot - tall * tier * 0.22
            half = tall * (0.24 - tier * 0.042)
            paper.draw(shapes.polygon((x - half, base), (x + half, base), (x, base - tall * 0.36)),
                       fill=tone)
    paper.text(wide / 2, 76, "MOUNT ANSGAR", font="Helvetica-Bold", size=50, colour="#3A2F4E",
               align="center", tracking=7)
    paper.text(wide / 2, 106, "2,914 metres · sunrise from Lake Idun", font="Times-Italic", size=21,
               colour="#3A2F4E", align="center")


def fruit(paper: Paper) -> None:
    """A bowl of fruit on a table; no words at all."""
    wide, high = paper.width, paper.height
    paper.shade(shapes.box(0, 0, wide, 400), ("#33535A", "#5B8486"), (0, 0), (wide, 400))
    for stripe in range(0, int(wide), 64):
        paper.rect(stripe, 0, 30, 400, fill="#FFFFFF", alpha=0.035)
    table = ("#A4683C", "#7B4524", "#5E3219")
    paper.shade(shapes.box(0, 400, wide, high - 400), table, (0, 400), (0, high))
    dice = random.Random(3)
    for _ in range(40):
        y, x = dice.uniform(412, high), dice.uniform(-60, wide)
        paper.rect(x, y, dice.uniform(60, 260), 1.3, fill="#3F1F0E", alpha=0.35)
    paper.draw(shapes.oval(400, 520, 240, 30), fill="#2A1408", alpha=0.5)

    def ball(x: float, y: float, r: float, tones: Sequence[str]) -> None:
        paper.glow(shapes.oval(x, y, r), tones, (x - r * 0.35, y - r * 0.4), r * 1.5)
        paper.draw(shapes.oval(x - r * 0.38, y - r * 0.46, r * 0.2, r * 0.12), fill=WHITE,
                   alpha=0.6)

    def leaf(x: float, y: float, angle: float) -> None:
        with paper.placed(x, y, angle=angle):
            blade = "M 0 0 C 14 -18 40 -18 54 0 C 40 14 14 14 0 0 Z"
            paper.draw(blade, fill="#4E8A3A")
            paper.line((2, 0), (50, 0), stroke="#2F5E22", width=1.4)

    grape = ("#C79BD8", "#7B3F98", "#3F1A57")
    for row, count in enumerate((5, 5, 4, 3, 2)):
        for place in range(count):
            ball(206 + place * 33 + row * 10, 282 + row * 27, 20, grape)
    banana = ("#FFF0A0", "#F6CF3C", "#C6921A")
    for turn in (-14.0, 0.0, 15.0):
        with paper.placed(452, 332, angle=turn):
            fruit_ = ("M -150 -74 C -130 20 20 70 128 -52 C 138 -64 132 -78 122 -76 "
                      "C 60 -10 -60 -14 -132 -92 C -142 -100 -152 -88 -150 -74 Z")
            paper.shade(fruit_, banana, (0, -70), (0, 40))
            paper.draw(fruit_, stroke="#A9781A", width=1)
            paper.draw("M -120 -60 C -70 10 50 20 112 -50", stroke="#D9A520", width=2)
            paper.circle(-143, -90, 7, fill="#5A4216")
    orange = ("#FFD08A", "#F58A1F", "#B8540A")
    ball(502, 342, 66, orange)
    for _ in range(60):
        turn, far = dice.uniform(0, 360), 60 * dice.random() ** 0.5
        px, py = shapes.on_circle(502, 342, far, turn)
        paper.circle(px, py, 0.9, fill="#B8540A", alpha=0.5)
    apple = ("#FF9A85", "#D2281F", "#6F0B0E")
    ball(378, 340, 68, apple)
    paper.draw(shapes.spline([(374, 282), (378, 262), (390, 248)]), stroke="#4A2A14", width=5)
    leaf(382, 264, -24)
    green = ("#F0FFB5", "#A9CB3C", "#5C7D16")
    pear = ("M 590 250 C 612 250 616 278 620 300 C 628 328 662 344 656 392 "
            "C 650 432 540 434 534 392 C 530 346 560 330 566 300 C 570 276 570 250 590 250 Z")
    paper.glow(pear, green, (574, 316), 120)
    paper.draw(shapes.spline([(590, 252), (592, 234), (602, 222)]), stroke="#4A2A14", width=5)
    ball(286, 392, 50, ("#FFD9A8", "#F08A5D", "#A63D2F"))
    bowl = "M 132 372 C 150 470 240 520 330 522 L 470 522 C 560 520 650 470 668 372 Z"
    paper.shade(bowl, ("#F4F1E8", "#D8DFE3", "#8FA3B0"), (140, 0), (660, 0), (0, 0.5, 1))
    for row in range(2):
        wave = [(150 + i * 20.0, 408 + row * 40 + 7 * math.sin(i * 1.57)) for i in range(26)]
        with paper.clipped(bowl):
            paper.draw(shapes.spline(wave), stroke="#2E5E8C", width=4)
    paper.rect(124, 364, 552, 16, 8, fill="#F8F6F0")
    paper.rect(124, 375, 552, 5, 2.5, fill="#B9C4CB")
    paper.rect(310, 518, 180, 13, 5, fill="#B4C2CB")
    ball(724, 500, 44, ("#FFE79A", "#F2C230", "#B3830F"))
    paper.draw("M 762 488 C 774 486 778 496 768 506 Z", fill="#D9A520")
    ball(66, 506, 38, apple)
    paper.draw(shapes.spline([(64, 474), (66, 460), (74, 452)]), stroke="#4A2A14", width=4)


def boat(paper: Paper) -> None:
    """A sailing boat under a blue sky, upright; it is stored lying on its side."""
    wide, high, sea = paper.width, paper.height, 560.0
    paper.shade(shapes.box(0, 0, wide, sea), ("#4FA3DA", "#A9D8F2", "#EAF7FC"), (0, 0), (0, sea))
    for x, y, r in ((90.0, 130.0, 30), (126, 116, 40), (166, 132, 30), (470, 214, 24),
                    (502, 202, 32), (536, 216, 22)):
        paper.circle(x, y, r, fill=WHITE, alpha=0.9)
    for x, y, length in ((66.0, 132.0, 130), (450, 214, 106)):
        paper.rect(x, y, length, 30, 15, fill=WHITE, alpha=0.9)
    shore = [(-10.0, 540.0), (80, 522), (170, 536), (300, 528), (430, 540), (520, 518), (620, 532)]
    paper.draw(shapes.hills(shore, sea), fill="#7FB08A")
    paper.shade(shapes.box(0, sea, wide, high - sea), ("#3C94C4", "#12537F"), (0, sea), (0, high))
    with paper.placed(300, 612, angle=5):
        paper.rect(-3, -470, 7, 470, fill="#7A4A22")
        main = "M 10 -460 C 90 -320 170 -160 196 -52 L 10 -44 Z"
        paper.shade(main, ("#FFFFFF", "#F3EEDD", "#D9D0B5"), (0, 0), (200, 0))
        for seam in range(1, 5):
            drop = -460 + seam * 84
            paper.line((10, drop), (30 + seam * 36, drop + 22), stroke="#C9BE9E", width=1.2)
        jib = "M -10 -430 C -60 -300 -120 -150 -176 -56 L -12 -62 Z"
        paper.shade(jib, ("#F2B5A5", "#D9483B"), (-176, 0), (0, 0))
        paper.text(56, -150, "K 217", font="Helvetica-Bold", size=34, colour="#1D3557")
        paper.draw(shapes.polygon((4, -470), (4, -492), (48, -481)), fill="#E9C46A")
        paper.line((6, -40), (204, -50), stroke="#7A4A22", width=6)
        paper.line((-3, -466), (-206, -24), stroke="#55595F", width=1.2)
        hull = ("M -214 -26 C -150 -8 140 -8 222 -34 C 206 26 150 46 90 46 L -110 46 "
                "C -160 44 -196 14 -214 -26 Z")
        paper.shade(hull, ("#24507A", "#143049"), (0, -30), (0, 46))
        paper.draw("M -214 -26 C -150 -8 140 -8 222 -34", stroke="#F6E7C1", width=5)
        paper.text(120, 17, "HALCYON", font="Times-Bold", size=20, colour="#F6E7C1", align="center",
                   tracking=2)
        for x, coat in ((-60, "#E9C46A"), (96, "#2A9D8F")):
            paper.rect(x - 13, -42, 26, 34, 8, fill=coat)
            paper.circle(x, -52, 11, fill="#E8B996")
            paper.draw(shapes.wedge(x, -54, 12, -90, 90), fill="#3B2A20")
    for row in range(5):
        y = 654 + row * 34.0
        crest = [(i * 26.0 - 20, y + 7 * math.sin(i * 1.1 + row)) for i in range(26)]
        paper.draw(shapes.hills(crest, high),
                   fill=("#2E86B8", "#267AAB", "#1F6E9E", "#196290", "#135681")[row])
        paper.draw(shapes.spline(crest), stroke="#BFE3F5", width=1.8, alpha=0.6)
    for x, y in ((110, 250), (148, 276), (440, 120)):
        paper.draw(shapes.spline([(x - 17, y - 3), (x - 8, y - 9), (x, y), (x + 8, y - 9),
                                  (x + 17, y - 3)]),
                   stroke="#2F4858", width=2)
