"""The archive of an invented harbour: typed letters of 1962, a handwritten ledger of 1931."""

from __future__ import annotations

import random
from io import BytesIO

from samples import scan, shapes
from samples.paper import A4, Paper, rasterise, text_width

# Drawings and tables read better wrapped by hand.
# fmt: off

INK = "#14141C"
LETTER_DPI, LEDGER_DPI = 150, 200

FERRY = """\
                                            14th March 1962


Messrs. Gale & Thorne
Shipwrights
Aldersea

Dear Sirs,

                    P.S. "Marigold"

On Tuesday night, in a full south-westerly gale, the after
hawser parted and our ferry "Marigold" swung against the
stone quay.  Nobody was hurt, but I regret to say that the
starboard paddle-box is stove in for a length of nine feet,
that two of the floats are gone altogether, and that the
brass bell, which had hung there since 1897, now lies
somewhere on the bottom of the harbour.

The summer service begins on Whit Saturday.  Kindly send a
man to look at the damage before the end of the week, and
let us have your estimate for the following:

     1.  New paddle-box of larch, painted
     2.  Two floats of Canadian elm, with their bolts
     3.  A new hawser, four-inch manila, 40 fathoms

You will remember that in 1958 your bill came to almost
twice your estimate.  My directors remember it too.

                         Yours faithfully,



                         A. J. Penrose
                         Manager
"""

SHIPYARD = """\
Our ref. GT/318                              2nd April 1962


A. J. Penrose, Esq.
Aldersea Ferry Company
Pier Head

Dear Mr. Penrose,

Thank you for your letter of the 14th ult.  Our Mr. Thorne
has been aboard the "Marigold" with a lamp and a hammer.
The paddle-box is as you say; but he also found shipworm
in the sponson beam below it, which no coat of paint would
have hidden until the autumn.  We estimate:

                                              L.  s.  d.

     Paddle-box, larch, fitted and painted    86  10   0
     Two floats, elm, with bolts              14   5   6
     Sponson beam, English oak                41   0   0
     Manila hawser, four inches, 40 fathoms   19  12   6
     Slipway, eleven days at 35s.             19   5   0
                                            ------------
                                             180  13   0
                                            ------------

We can take her on the slip on the 16th inst. if you will
have her boiler drained.  As to 1958, you may recall that
it was the discovery of a third funnel stay, ordered by
your late chairman, that made the difference.

A diver has been asked about the bell.

                         Yours truly,



                         R. Thorne
"""

SCHOOL = """\
                                  The Schoolhouse
                                  Corran Point
                                  Sunday, 27th May 1962


Dear Mr. Penrose,

My class of thirty-one children will long remember last
Thursday.  You were good enough to let us cross on the very
first trip of the mended "Marigold", and I promised that
we should tell you what we saw.

Wilfred counted fourteen cormorants drying their wings on
the breakwater.  Jean, who is seven, steered for almost a
minute under the eye of your mate and has talked of nothing
else.  Peter was sick, but only a little, and to leeward.

The children ask me to put three questions to you:

     Why are the funnels yellow?
     How deep is the water under the red buoy?
     Has the diver found the bell yet?

We have begun a picture of the ferry on the long wall of
the schoolroom, fourteen feet of it, in distemper.  If you
should pass on a weekday, you would find the door open and
the kettle on.

                         Yours sincerely,



                         (Miss) H. Tregarth
"""


def letters() -> bytes:
    """Three typed letters as a PDF of pictures only, without a text layer."""
    sheets = Paper(A4)
    _letterhead(sheets, "ALDERSEA FERRY COMPANY", "Pier Head, Aldersea", "Telephone 41")
    end = _typed(sheets, FERRY, 150, seed=1)
    _signature(sheets, 268, end - 44, 1)
    _stamp(sheets, 470, 236, "RECEIVED", "16 MAR 1962", -8)
    sheets.turn()
    _letterhead(sheets, "GALE & THORNE", "Shipwrights since 1843", "The Slip, Aldersea")
    end = _typed(sheets, SHIPYARD, 150, seed=2)
    _signature(sheets, 268, end - 26, 2)
    _pen(sheets, random.Random(2), 82, end + 10, "agreed, A. J. P.", 24)
    sheets.turn()
    end = _typed(sheets, SCHOOL, 96, seed=3)
    _signature(sheets, 268, end - 26, 3)
    clean = sheets.pdf()

    scans = Paper(A4, "Letters, 1962", "Aldersea harbour archive")
    looks = [(1, 0.9, 208.0, (0.335, 0.667)), (2, -0.6, 214.0, (0.5,)),
             (3, 1.4, 202.0, (0.34, 0.66))]
    for number, angle, tone, folds in looks:
        if number > 1:
            scans.turn()
        page = rasterise(clean, number, LETTER_DPI)
        grey = scan.aged(page, 620 + number, angle=angle, tone=tone, folds=folds, holes=number < 3)
        scans.image(scan.jpeg(grey, 58), 0, 0, *A4)
    return scans.pdf()


def ledger() -> bytes:
    """Three pages of harbour dues as a TIFF of one bit a pixel."""
    book = Paper(A4)
    for number, month in enumerate(MONTHS):
        if number:
            book.turn()
        _ledger_page(book, month, 47 + number)
    clean = book.pdf()
    pages = [
        scan.fax(rasterise(clean, number, LEDGER_DPI), 310 + number, angle=angle)
        for number, angle in ((1, -0.8), (2, 0.5), (3, 1.1))
    ]
    file = BytesIO()
    pages[0].save(
        file, "TIFF", save_all=True, append_images=pages[1:], compression="group4",
        dpi=(LEDGER_DPI, LEDGER_DPI),
    )
    return file.getvalue()


def _letterhead(paper: Paper, name: str, left: str, right: str) -> None:
    paper.text(297.6, 74, name, font="Times-Bold", size=21, align="center", tracking=3, colour=INK)
    paper.line((74, 86), (521, 86), stroke=INK, width=1.4)
    paper.line((74, 89), (521, 89), stroke=INK, width=0.5)
    paper.text(74, 102, left, font="Times-Italic", size=10.5, colour=INK)
    paper.text(521, 102, right, font="Times-Italic", size=10.5, align="right", colour=INK)


def _typed(paper: Paper, text: str, y: float, seed: int) -> float:
    """Typewritten, each letter struck a little differently; returns the last line's y."""
    dice = random.Random(seed)
    raised = {letter: dice.uniform(-0.5, 0.5) for letter in "abcdefghijklmnoprstuvwy"}
    row = 0
    for row, words in enumerate(text.splitlines()):
        for column, letter in enumerate(words):
            if letter == " ":
                continue
            x = 82 + column * 7.32 + dice.uniform(-0.22, 0.22)
            level = y + row * 16.2 + raised.get(letter, 0) + dice.uniform(-0.25, 0.25)
            strength = 0.95 if dice.random() < 0.2 else dice.uniform(0.68, 0.9)
            paper.text(x, level, letter, font="Courier-Bold" if dice.random() < 0.06 else "Courier",
                       size=12.2, colour=INK, alpha=strength, bold=0.34)
    return y + row * 16.2


def _signature(paper: Paper, x: float, y: float, seed: int) -> None:
    dice = random.Random(900 + seed)
    points = [(x, y)]
    for step in range(1, 13):
        rise = dice.uniform(4, 24) if step % 2 else dice.uniform(-7, 2)
        points.append((x + step * dice.uniform(8, 10.5), y - rise * (1 - step / 20)))
    points.append((x + 150, y - 6))
    paper.draw(shapes.spline(points), stroke="#22222C", width=1.5)


def _stamp(paper: Paper, x: float, y: float, word: str, day: str, angle: float) -> None:
    with paper.placed(x, y, angle=angle):
        paper.rect(-52, -20, 104, 40, 3, stroke="#3A3A44", width=1.8, alpha=0.7)
        paper.text(0, -3, word, font="Helvetica-Bold", size=13, align="center", tracking=2,
                   colour="#3A3A44", alpha=0.7)
        paper.text(0, 12, day, font="Helvetica-Bold", size=10, align="center", tracking=1,
                   colour="#3A3A44", alpha=0.7)


Entry = tuple[int, str, str, str, int, int]  # day, vessel, from, cargo, tons, dues in pence

MONTHS: tuple[tuple[str, str, tuple[Entry, ...]], ...] = (
    ("June 1931", "47", (
        (1, "Brig Marigold", "Port Amsel", "slate", 140, 1680),
        (2, "Ketch Two Sisters", "Verholm", "timber", 85, 1020),
        (4, "Smack Halcyon", "the Banks", "herring", 22, 198),
        (4, "Smack Dorcas", "the Banks", "herring", 19, 171),
        (6, "S.S. Lindhamn", "Lindhamn", "coal", 610, 7320),
        (9, "Schooner Petrel", "Oporto", "cork and wine", 120, 2160),
        (11, "Barge Patience", "Brenz", "bricks", 95, 855),
        (13, "Smack Halcyon", "the Banks", "mackerel", 17, 153),
        (16, "Ketch Ellen Vane", "Saltmere", "salt", 74, 888),
        (18, "Yacht Sylvia", "Cowrie Bay", "in ballast", 31, 372),
        (22, "Brig Marigold", "Port Amsel", "slate", 138, 1656),
        (25, "S.S. Gannet", "Verholm", "passengers", 240, 4320),
        (29, "Smack Dorcas", "the Banks", "pilchards", 24, 216),
    )),
    ("July 1931", "48", (
        (2, "S.S. Lindhamn", "Lindhamn", "coal", 598, 7176),
        (3, "Ketch Two Sisters", "Verholm", "timber", 88, 1056),
        (7, "Barque Aurora", "Valbrede", "guano", 410, 6150),
        (8, "Smack Halcyon", "the Banks", "mackerel", 20, 180),
        (10, "Barge Patience", "Brenz", "tiles", 90, 810),
        (14, "S.S. Gannet", "Verholm", "passengers", 240, 4320),
        (15, "Schooner Petrel", "Oporto", "oranges", 104, 1872),
        (17, "Lighter No. 3", "the Roads", "mails", 12, 72),
        (21, "Ketch Ellen Vane", "Saltmere", "salt", 76, 912),
        (24, "Brig Marigold", "Port Amsel", "slate", 141, 1692),
        (27, "Yawl Constance", "Corran Point", "lamp oil", 18, 216),
        (30, "S.S. Gannet", "Verholm", "passengers", 240, 4320),
    )),
    ("August 1931", "49", (
        (1, "Regatta fleet, 41 yachts", "sundry", "none", 0, 2460),
        (4, "S.S. Lindhamn", "Lindhamn", "coal", 605, 7260),
        (6, "Smack Dorcas", "the Banks", "pilchards", 27, 243),
        (8, "Schooner Petrel", "Oporto", "almonds", 98, 1764),
        (12, "Ketch Two Sisters", "Verholm", "pit props", 91, 1092),
        (13, "Barge Patience", "Brenz", "bricks", 96, 864),
        (18, "S.S. Gannet", "Verholm", "passengers", 240, 4320),
        (20, "Brig Marigold", "Port Amsel", "slate", 137, 1644),
        (24, "Yawl Constance", "Corran Point", "lamp oil", 16, 192),
        (26, "Ketch Ellen Vane", "Saltmere", "salt", 71, 852),
        (31, "Smack Halcyon", "the Banks", "herring", 25, 225),
    )),
)


def _ledger_page(paper: Paper, month: tuple[str, str, tuple[Entry, ...]], folio: int) -> None:
    title, number, entries = month
    dice = random.Random(folio)
    columns = (48.0, 92.0, 226.0, 316.0, 402.0, 446.0, 486.0, 516.0, 548.0)
    edges = ("left", "left", "left", "left", "right", "right", "right", "right")
    _pen(paper, dice, 297.6, 78, f"Harbour Dues, {title}", 33, "center")
    _pen(paper, dice, 546, 50, f"folio {number}", 17, "right")
    top, pitch = 140.0, 34.0
    heads = ("Date", "Vessel", "From", "Cargo", "Tons", "£", "s.", "d.")
    for column, head in enumerate(heads):
        middle = (columns[column] + columns[column + 1]) / 2
        paper.text(middle, top - 13, head, font="Times-Bold", size=11, align="center", colour=INK)
    rows = 17
    bottom = top + rows * pitch
    paper.line((48, top - 32), (548, top - 32), stroke=INK, width=1.6)
    paper.line((48, top - 5), (548, top - 5), stroke=INK, width=1)
    for row in range(1, rows + 1):
        paper.line((48, top + row * pitch), (548, top + row * pitch), stroke="#8A8A96", width=0.5)
    for column, x in enumerate(columns):
        heavy = column in (0, 5, 8)
        paper.line((x, top - 32), (x, bottom), stroke=INK, width=1.2 if heavy else 0.6)

    def write(row: int, cells: tuple[str, ...]) -> None:
        level = top + (row + 1) * pitch - 8
        for column, (words, edge) in enumerate(zip(cells, edges, strict=True)):
            x = columns[column] + 7 if edge == "left" else columns[column + 1] - 7
            _pen(paper, dice, x, level, words, 20.5, edge)

    for row, (day, vessel, home, cargo, tons, pence) in enumerate(entries):
        weight = str(tons) if tons else ""
        write(row, (str(day), vessel, home, cargo, weight, *_money(pence)))
    total = sum(entry[-1] for entry in entries)
    foot = top + (len(entries) + 1) * pitch
    paper.line((446, foot - 1), (548, foot - 1), stroke=INK, width=1.4)
    write(len(entries) + 1, ("", "Total for the month", "", "", "", *_money(total)))
    for double in (0, 3):
        paper.line((446, foot + pitch + double), (548, foot + pitch + double), stroke=INK,
                   width=1.2)
    _pen(paper, dice, 60, bottom + 44, "Examined and found correct,", 19.5)
    _pen(paper, dice, 300, bottom + 48, "Thos. Penrose, harbour master", 22)


def _money(pence: int) -> tuple[str, str, str]:
    """Pounds, shillings and pence: 12 pence a shilling, 20 shillings a pound."""
    return str(pence // 240), str(pence // 12 % 20), str(pence % 12)


def _pen(
    paper: Paper, dice: random.Random, x: float, y: float, words: str, size: float,
    align: str = "left",
) -> None:
    """Script, word by word (the font has no space), each a little off the line."""
    parts = words.split()
    gap = size * 0.3
    widths = [text_width(part, "Script", size) for part in parts]
    whole = sum(widths) + gap * (len(parts) - 1)
    x -= {"left": 0, "center": whole / 2, "right": whole}[align]
    for part, width in zip(parts, widths, strict=True):
        with paper.placed(x, y + dice.uniform(-1, 0.8), angle=dice.uniform(-1.3, 1)):
            paper.text(0, 0, part, font="Script", size=size * dice.uniform(0.97, 1.03),
                       bold=dice.uniform(0.22, 0.42), colour=INK)
        x += width + gap
