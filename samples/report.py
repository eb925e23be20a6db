"""The annual report of an invented maker of pumps: prose, tables, charts, notes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from samples import charts, shapes
from samples.paper import Paper, Style

# Drawings and tables read better wrapped by hand.
# fmt: off

TEAL, SEA, SAND, CORAL, INK, MUTED = (
    "#0B3C49", "#13868E", "#F4ECDD", "#E4572E", "#1B2A33", "#6B7A83",
)
PALETTE = (TEAL, SEA, "#7FC4B8", CORAL, "#E9B44C")

LEFT, WIDTH, COLUMN, SECOND = 56.0, 483.0, 231.0, 308.0

BODY = Style("Times-Roman", 10.8, 15, INK, after=8)
NOTE = Style("Times-Roman", 8, 10.4, MUTED, after=2)
LEAD = Style("Times-Italic", 13.5, 19, TEAL, after=14)
CELL = Style("Helvetica", 8.6, 11, INK)

REGIONS = {  # revenue in millions of euro: 2025, 2024
    "Nordics": (118.4, 108.0),
    "Central Europe": (131.7, 127.3),
    "British Isles": (74.9, 71.2),
    "Southern Europe": (52.3, 47.9),
    "Overseas": (35.3, 27.5),
}
LINES = {"Pumps": 176.1, "Valves": 98.3, "Service": 76.5, "Sensors": 61.7}


def report() -> bytes:
    """The whole report, eight pages."""
    paper = Paper(title="Tidewell Group: Annual Report 2025", author="Tidewell Group")
    _cover(paper)
    for number, (title, page) in enumerate(
        [
            ("Letter from the chief executive", _letter),
            ("Markets and orders", _markets),
            ("Financial review", _review),
            ("Product lines", _products),
            ("People and safety", _people),
            ("Financial statements", _statements),
            ("Risks and outlook", _outlook),
        ],
        start=2,
    ):
        paper.turn()
        paper.bookmark(title)
        _furniture(paper, number, title)
        page(paper)
    return paper.pdf()


def _furniture(paper: Paper, number: int, title: str) -> None:
    paper.text(LEFT, 44, "TIDEWELL GROUP", size=7, font="Helvetica-Bold", colour=SEA, tracking=1.2)
    paper.text(LEFT + WIDTH, 44, title, size=7.5, colour=MUTED, align="right")
    paper.line((LEFT, 51), (LEFT + WIDTH, 51), stroke="#C9D2D6", width=0.5)
    paper.text(LEFT, 806, "Annual Report 2025", size=7.5, colour=MUTED)
    paper.text(
        LEFT + WIDTH, 806, str(number), size=9, font="Helvetica-Bold", colour=TEAL, align="right"
    )


def _title(paper: Paper, words: str, y: float = 98) -> float:
    paper.text(LEFT, y, words, font="Helvetica-Bold", size=25, colour=TEAL, tracking=-0.3)
    paper.rect(LEFT, y + 11, 34, 3, fill=CORAL)
    return y + 32


def _head(paper: Paper, x: float, y: float, words: str) -> float:
    paper.text(x, y + 10, words, font="Helvetica-Bold", size=11, colour=TEAL)
    return y + 17


def _caption(paper: Paper, x: float, y: float, number: str, words: str) -> None:
    wide = paper.text(x, y, number, font="Helvetica-Bold", size=8, colour=CORAL)
    paper.text(x + wide + 6, y, words, font="Helvetica-Bold", size=8, colour=TEAL)


def _prose(
    paper: Paper, x: float, y: float, texts: Sequence[str], width: float = COLUMN,
    style: Style = BODY,
) -> float:
    for text in texts:
        y = paper.paragraph(x, y, width, text, style)
    return y


def _notes(paper: Paper, y: float, *texts: str) -> None:
    paper.line((LEFT, y), (LEFT + 90, y), stroke=MUTED, width=0.5)
    y += 5
    for number, text in enumerate(texts, start=1):
        y = paper.paragraph(LEFT, y, WIDTH, f"<super>{number}</super>&nbsp;{text}", NOTE)


def _cover(paper: Paper) -> None:
    paper.bookmark("Cover")
    whole = shapes.box(0, 0, paper.width, paper.height)
    paper.shade(whole, ("#0B3C49", "#0E5563", "#13868E"), (0, 0), (0, 842), (0, 0.45, 1))
    paper.circle(430, 318, 74, fill="#F2C879", alpha=0.95)
    for ring in range(1, 5):
        paper.circle(430, 318, 74 + 26 * ring, stroke="#F2C879", width=0.8, alpha=0.4 / ring)
    tints = ("#1C93A0", "#157C8C", "#0F6577", "#0B4F60", "#083C4A")
    for row, tint in enumerate(tints):
        crest = 392 + row * 76.0
        points = [
            (x, crest + (26 - 3 * row) * math.sin(x / (88 + 13 * row) + row * 1.7))
            for x in (i * 19.9 - 1 for i in range(32))
        ]
        paper.draw(shapes.hills(points, paper.height + 2), fill=tint)
        edge = [(x, y + 8) for x, y in points]
        paper.draw(shapes.spline(edge), stroke="#FFFFFF", width=0.6, alpha=0.22)
    logo(paper, LEFT, 62, "#FFFFFF")
    paper.text(LEFT - 2, 176, "Annual", font="Helvetica", size=58, colour="#FFFFFF", tracking=-1.4)
    paper.text(LEFT - 2, 234, "Report", font="Helvetica", size=58, colour="#FFFFFF", tracking=-1.4)
    paper.text(
        LEFT - 2, 292, "2025", font="Helvetica-Bold", size=58, colour="#F2C879", tracking=-1.4
    )
    paper.text(LEFT, 770, "Moving water, wasting less.", font="Times-Italic", size=21,
               colour="#FFFFFF")
    paper.text(LEFT, 794, "Pumps, valves and sensors for 61 water utilities in 23 countries",
               size=9.5, colour="#CFE7E6")


def logo(paper: Paper, x: float, y: float, colour: str, size: float = 13) -> None:
    """The company's mark and name; `y` is the baseline of the name."""
    for row in range(3):
        top = y - size * (0.75 - 0.32 * row)
        wave = [(x + size * 0.12 * i, top + size * 0.13 * math.sin(i * 0.75)) for i in range(13)]
        paper.draw(shapes.spline(wave), stroke=colour, width=size * 0.13)
    paper.text(x + size * 1.85, y, "Tidewell", font="Helvetica-Bold", size=size * 1.25,
               colour=colour, tracking=-0.2)


def _letter(paper: Paper) -> None:
    y = _title(paper, "A year of quiet pumps")
    y = paper.paragraph(
        LEFT, y, WIDTH,
        "In 2025 our customers moved more water with less electricity than in any year since the "
        "company was founded. The best news is what did not happen: fewer bursts, fewer call-outs "
        "at night, and not one major accident.", LEAD,
    )
    _prose(paper, LEFT, y, [
        "Dear shareholders,",
        "Water companies rarely make the front page, and when they do, it is seldom for a good "
        "reason. Ours is a trade in which success is silent. This year it was very silent indeed. "
        "Revenue rose by eight per cent to €412.6 million, orders passed €430 million for the "
        "first time, and the operating margin reached 12.7 per cent.",
        "Two decisions from earlier years bore fruit. The foundry in Lindhamn, rebuilt in 2023, "
        "now casts a pump housing in half the time and with a third less energy. And the small "
        "sensor team that we started with four people has become a business of its own: one euro "
        "in seven now comes from sensors that listen for leaks.",
        "Not everything went well. Copper and castings stayed expensive, the valve plant in "
        "Brenz lost three weeks to a flood, and we were late with spare parts in the spring. We "
        "have since doubled the stock of the forty parts that customers wait for most.",
    ])
    y = _prose(paper, SECOND, y, [
        "Next year we shall open a repair shop in Port Amsel, so that pumps from the southern "
        "islands no longer travel two thousand kilometres for a new seal. We shall also bring "
        "out <i>Pebble</i>, a battery-powered leak sensor no larger than its name suggests.",
        "People ask me whether a maker of cast iron has a future in a world of software. My answer "
        "is that the two have met. A pump that reports its own vibration is repaired on a Tuesday "
        "morning instead of a Sunday night; a valve that knows the pressure on both sides closes "
        "gently and spares the old pipe behind it. We shall go on pouring iron, and we shall go on "
        "listening to it.",
        "I thank our 2,184 colleagues. A pump is only as good as the people who pour, turn, "
        "balance, test and mend it, and ours are very good.",
    ])
    sign = [(312, 476), (322, 452), (326, 478), (336, 460), (342, 476), (352, 462), (358, 475),
            (372, 458), (376, 476), (392, 466), (430, 470)]
    shift = y + 26 - 470
    paper.draw(shapes.spline([(x, p + shift) for x, p in sign]), stroke="#1D3F8A", width=1.3)
    paper.text(SECOND, y + 50, "Ingrid Solvang", font="Helvetica-Bold", size=9.5, colour=TEAL)
    paper.text(SECOND, y + 62, "Chief executive", size=8.5, colour=MUTED)

    top = 630.0
    paper.rect(LEFT, top, WIDTH, 136, fill=SAND)
    paper.text(LEFT + 18, top + 26, "The year at a glance", font="Helvetica-Bold", size=12,
               colour=TEAL)
    figures = [
        ("€412.6 m", "revenue", "2024: €381.9 m"),
        ("€431 m", "orders received", "2024: €388 m"),
        ("12.7 %", "operating margin", "2024: 11.5 %"),
        ("2,184", "employees", "2024: 2,071"),
    ]
    for place, (big, what, before) in enumerate(figures):
        x = LEFT + (18, 148, 262, 374)[place]
        paper.text(x, top + 74, big, font="Helvetica-Bold", size=23, colour=CORAL, tracking=-0.5)
        paper.text(x, top + 93, what, font="Helvetica-Bold", size=9)
        paper.text(x, top + 106, before, size=8.5, colour=MUTED)


def _markets(paper: Paper) -> None:
    y = _title(paper, "Markets and orders")
    _prose(paper, LEFT, y, [
        "Demand for water equipment follows two clocks. The slow one is the age of the pipes: in "
        "most of our markets the mains were laid between 1950 and 1975 and are due for renewal. "
        "The fast one is the weather. Three dry summers in a row have turned leakage from an "
        "engineer’s worry into a matter for mayors.",
        "Both clocks struck in 2025. Orders received grew by eleven per cent to €431 million, "
        "the fifth record in a row.<super>1</super>",
    ])
    _prose(paper, SECOND, y, [
        "Utilities ordered fewer but larger stations. The average order for a pumping station "
        "rose from €1.9 million to €2.3 million, and four out of five now include sensors and a "
        "service contract of at least five years.",
        "Industrial customers, mainly dairies, breweries and paper mills, were cautious in the "
        "first half and came back in the autumn. Shipyards remained quiet.",
    ])
    top = 336.0
    _caption(paper, LEFT, top, "Figure 1", "Orders received, 2019 to 2025, in millions of euro")
    charts.lines(
        paper, LEFT + 22, top + 18, WIDTH - 60, 188,
        [str(year) for year in range(2019, 2026)],
        {"Orders": [298, 276, 312, 341, 360, 388, 431]}, (SEA,), top=500, step=100, fill=True,
    )
    y = _head(paper, LEFT, 560, "Where the orders came from")
    paper.table(
        LEFT, y + 4, (183, 75, 75, 75, 75),
        [
            ("Customer group", "2023", "2024", "2025", "Change"),
            ("Municipal water utilities", "214", "236", "271", "+15 %"),
            ("Food, drink and paper", "71", "74", "79", "+7 %"),
            ("Irrigation and farming", "38", "41", "46", "+12 %"),
            ("Shipyards and ports", "37", "37", "35", "–5 %"),
            ("Total orders received", "360", "388", "431", "+11 %"),
        ],
        align="lrrrr", style=CELL, strong=(5,), head=TEAL, ink=TEAL,
    )
    _notes(paper, 760, "Orders are counted when the contract is signed, at the exchange rate of "
           "that day. Framework agreements count only once a delivery has been called off.")


def _review(paper: Paper) -> None:
    y = _title(paper, "Financial review")
    _prose(paper, LEFT, y, [
        "Revenue grew by 8.0 per cent to €412.6 million. At constant exchange rates growth was "
        "8.6 per cent. Every region contributed, but not equally: the two largest, Central Europe "
        "and the Nordics, still bring in six euros out of ten, while the business overseas grew "
        "fastest by far after the desalination contract in Port Amsel.<super>1</super>",
    ])
    _prose(paper, SECOND, y, [
        "Operating profit rose from €44.0 million to €52.4 million. Higher volumes brought "
        "€9.1 million, better prices €4.7 million; wages and castings took back €5.4 million. "
        "Free cash flow doubled to €39.1 million because stocks fell while sales rose.",
    ])
    y = _head(paper, LEFT, 250, "Revenue by region")
    total = [sum(pair[year] for pair in REGIONS.values()) for year in (0, 1)]
    rows = [("In millions of euro", "2025", "2024", "Change", "Share<super>2</super>")]
    for region, (now, before) in [*REGIONS.items(), ("Total revenue", (total[0], total[1]))]:
        change, share = 100 * (now / before - 1), 100 * now / total[0]
        rows.append((region, f"{now:.1f}", f"{before:.1f}", f"+{change:.1f} %", f"{share:.1f} %"))
    paper.table(LEFT, y + 4, (183, 75, 75, 75, 75), rows, align="lrrrr", style=CELL, strong=(6,),
                head=TEAL, ink=TEAL)
    top = 436.0
    _caption(paper, LEFT, top, "Figure 2",
             "Revenue by region, 2024 and 2025, in millions of euro")
    charts.legend(paper, LEFT + 395, top, {"2024": "#A9CFCB", "2025": TEAL})
    charts.bars(
        paper, LEFT + 22, top + 16, WIDTH - 22, 178, list(REGIONS),
        {"2024": [old for _, old in REGIONS.values()],
         "2025": [new for new, _ in REGIONS.values()]},
        ("#A9CFCB", TEAL), top=150, step=50, form="{:.1f}",
    )
    y = _head(paper, LEFT, 648, "Dividend")
    _prose(paper, LEFT, y + 2, [
        "The board proposes a dividend of €0.62 a share (2024: €0.50). That is a payout of 36 per "
        "cent of the profit for the year, within the range of 30 to 40 per cent that was promised "
        "at the general meeting of 2022.",
    ], width=WIDTH)
    _notes(
        paper, 752,
        "The contract covers 48 high-pressure pumps and ten years of maintenance; €11.2 million "
        "of it was recognised in 2025.",
        "Shares may not add up to 100 per cent because of rounding.",
    )


def _products(paper: Paper) -> None:
    y = _title(paper, "Product lines")
    _prose(paper, LEFT, y, [
        "Pumps remain the heart of the company. The CP series of centrifugal pumps, renewed in "
        "2024, accounts for half of all pumps sold. Its new impeller is cast in one piece and "
        "saves, over a year of continuous duty, as much electricity as eleven households use.",
    ])
    _prose(paper, SECOND, y, [
        "Sensors grew by 41 per cent. Most are sold together with valves, and most are rented: "
        "the utility pays by the metre of pipe under watch. Service, with its steady margin, "
        "carried the company through the weak first quarter.",
    ])
    top = 236.0
    _caption(paper, LEFT, top, "Figure 3", "Revenue by product line, 2025")
    charts.pie(paper, LEFT + WIDTH / 2, top + 122, 84, LINES, (TEAL, SEA, "#E9B44C", CORAL),
               middle=("412.6", "millions of euro"))
    y = _head(paper, LEFT, 474, "Four lines, four tasks")
    blocks = [
        (TEAL, "Pumps", "Centrifugal, borehole and dosing pumps from 0.5 to 400 kW. Foundry and "
         "assembly in Lindhamn."),
        (SEA, "Valves", "Gate, butterfly and pressure-reducing valves up to 1.2 metres in "
         "diameter. Made in Brenz."),
        ("#E9B44C", "Service", "Repair, balancing and spare parts. Nine workshops, each within "
         "four hours of its customers."),
        (CORAL, "Sensors", "Acoustic leak detection for mains and house connections. Designed in "
         "Verholm."),
    ]
    for place, (colour, name, text) in enumerate(blocks):
        x, row = (LEFT, SECOND)[place % 2], y + 6 + 70 * (place // 2)
        paper.rect(x, row, 4, 54, fill=colour)
        paper.text(x + 14, row + 9, name, font="Helvetica-Bold", size=10, colour=TEAL)
        paper.paragraph(x + 14, row + 15, COLUMN - 16, text, BODY.but(size=9.6, leading=12.6))
    _caption(paper, LEFT, 656, "Table 3", "Units delivered")
    paper.table(
        LEFT, 664, (183, 100, 100, 100),
        [
            ("Product line", "2023", "2024", "2025"),
            ("Pumps", "6,310", "6,482", "6,905"),
            ("Valves", "21,140", "20,970", "22,350"),
            ("Sensors<super>1</super>", "18,200", "33,700", "52,400"),
        ],
        align="lrrr", style=CELL, head=TEAL, ink=TEAL,
    )
    _notes(paper, 766, "Sensors are counted when they first report from the field, not when they "
           "leave the warehouse.")


def _people(paper: Paper) -> None:
    y = _title(paper, "People and safety")
    _prose(paper, LEFT, y, [
        "At the end of the year 2,184 people worked for the group, 113 more than a year before. "
        "Seventy-one of them are apprentices: moulders, machinists, electricians and, for the "
        "first time, data technicians.",
        "The number of accidents fell for the fifth year running. Lost-time injuries per million "
        "hours worked went from 2.2 to 1.7. The remedy was dull and effective: every shift now "
        "starts with five minutes at the machine, not in the canteen.",
    ])
    _caption(paper, SECOND, y + 9, "Figure 4", "Lost-time injuries per million hours")
    charts.lines(
        paper, SECOND + 16, y + 22, COLUMN - 16, 146, [str(year) for year in range(2020, 2026)],
        {"": [4.1, 3.8, 3.2, 2.9, 2.2, 1.7]}, (CORAL,), top=5, step=1, form="{:.1f}", fill=True,
    )
    top = 340.0
    _caption(paper, LEFT, top, "Figure 5", "Employees by function at 31 December")
    charts.legend(paper, LEFT + 395, top, {"2020": "#E8CFA6", "2025": CORAL})
    charts.bars(
        paper, LEFT + 22, top + 16, WIDTH - 22, 168,
        ["Foundry", "Assembly", "Service", "Engineering", "Sales", "Administration"],
        {"2020": [402, 611, 318, 164, 190, 155], "2025": [371, 655, 467, 312, 214, 165]},
        ("#E8CFA6", CORAL), top=800, step=200,
    )
    y = _head(paper, LEFT, 552, "Training")
    _prose(paper, LEFT, y + 2, [
        "Each employee spent 31 hours in training on average (2024: 26). The welding school in "
        "Lindhamn opened its doors to the apprentices of four neighbouring firms; the town pays "
        "for the gas, we pay for the teachers.",
    ])
    _head(paper, SECOND, 552, "Pay")
    _prose(paper, SECOND, y + 2, [
        "The gap between the median pay of women and men narrowed to 2.8 per cent (2024: 3.9). "
        "It persists mainly because few women work night shifts in the foundry, which are paid "
        "a supplement.",
    ])
    paper.rect(LEFT, 672, WIDTH, 84, fill=SAND)
    paper.text(LEFT + 20, 726, "“", font="Times-Bold", size=64, colour=CORAL)
    paper.paragraph(
        LEFT + 66, 689, WIDTH - 96,
        "You hear a bad bearing before you see it. I tell the young ones: put the phone away and "
        "listen to the pump for a minute.", LEAD.but(after=2),
    )
    paper.text(LEFT + 66, 746, "Mirko Adler, service fitter since 1989", size=8.5, colour=MUTED)


def _statements(paper: Paper) -> None:
    y = _title(paper, "Financial statements")
    widths = (275, 52, 78, 78)

    def statement(y: float, name: str, rows: list[tuple[str, ...]],
                  strong: tuple[int, ...]) -> float:
        y = _head(paper, LEFT, y, name)
        head = ("In millions of euro", "Note", "2025", "2024")
        return paper.table(LEFT, y + 2, widths, [head, *rows], align="lcrr", style=CELL, pad=2.6,
                           strong=strong, head=TEAL, ink=TEAL)

    y = statement(y - 4, "Consolidated income statement", [
        ("Revenue", "1", "412.6", "381.9"),
        ("Cost of sales", "2", "(247.1)", "(233.0)"),
        ("Gross profit", "", "165.5", "148.9"),
        ("Distribution", "", "(52.4)", "(49.1)"),
        ("Administration", "", "(38.8)", "(37.2)"),
        ("Research and development", "3", "(21.9)", "(18.6)"),
        ("Operating profit", "", "52.4", "44.0"),
        ("Finance costs", "", "(4.1)", "(4.6)"),
        ("Income tax", "4", "(11.1)", "(9.2)"),
        ("Profit for the year", "", "37.2", "30.2"),
    ], (3, 7, 10))
    y = statement(y + 20, "Consolidated balance sheet", [
        ("Property, plant and equipment", "5", "128.6", "121.0"),
        ("Intangible assets", "6", "46.2", "48.5"),
        ("Inventories", "7", "71.4", "76.8"),
        ("Trade receivables", "", "69.9", "64.1"),
        ("Cash and cash equivalents", "8", "58.3", "41.7"),
        ("Total assets", "", "374.4", "352.1"),
        ("Equity", "", "214.9", "191.4"),
        ("Borrowings", "9", "68.0", "79.5"),
        ("Provisions", "10", "18.7", "17.9"),
        ("Trade payables", "", "72.8", "63.3"),
        ("Total equity and liabilities", "", "374.4", "352.1"),
    ], (6, 11))
    statement(y + 20, "Consolidated cash flow", [
        ("Cash from operations", "", "63.9", "41.3"),
        ("Capital expenditure", "5", "(24.8)", "(21.7)"),
        ("Free cash flow", "", "39.1", "19.6"),
        ("Dividends paid", "", "(11.0)", "(9.4)"),
        ("Borrowings repaid", "9", "(11.5)", "(6.0)"),
        ("Change in cash", "", "16.6", "4.2"),
    ], (3, 6))


def _outlook(paper: Paper) -> None:
    y = _title(paper, "Risks and outlook")
    y = _head(paper, LEFT, y - 6, "What could go wrong, and what we do about it")
    y = paper.table(
        LEFT, y + 4, (104, 68, 311),
        [
            ("Risk", "Likelihood", "Answer"),
            ("Price of castings", "High", "Half of the iron is bought a year ahead; new contracts "
             "carry a price clause."),
            ("Flood at the Brenz plant", "Medium", "A dyke of 1.4 metres stands since October; the "
             "electrical rooms moved to the upper floor."),
            ("Attack on sensor network", "Medium",
             "Sensors accept only signed commands; an outside "
             "team tries to break in twice a year."),
            ("Loss of a large customer", "Low", "No customer brings more than six per cent of "
             "revenue."),
            ("Shortage of fitters", "High", "Apprenticeships doubled; retired fitters return as "
             "teachers."),
        ],
        align="lcl", style=CELL, head="#FFFFFF", head_fill=TEAL, ink=TEAL,
    )
    y = _head(paper, LEFT, y + 24, "Outlook for 2026")
    _prose(paper, LEFT, y + 2, [
        "We expect revenue between €435 and €450 million and an operating margin of about 13 per "
        "cent. Capital expenditure will rise to €32 million, most of it for the repair shop in "
        "Port Amsel and a second line for sensors in Verholm.",
        "The launch of <i>Pebble</i> in April will cost about €3 million before it earns its "
        "keep, which we expect within eighteen months.",
    ])
    _prose(paper, SECOND, y + 2, [
        "Beyond 2026 the direction is plain. A third of the water that is treated for drinking "
        "in our markets never reaches a tap. Whoever finds the leaks first will save more water "
        "than any new reservoir could store.",
    ])
    y = _head(paper, LEFT, 516, "Five years in figures")
    paper.table(
        LEFT, y + 4, (158, 65, 65, 65, 65, 65),
        [
            ("In millions of euro", "2021", "2022", "2023", "2024", "2025"),
            ("Revenue", "305.2", "330.8", "352.4", "381.9", "412.6"),
            ("Operating profit", "28.1", "33.5", "37.9", "44.0", "52.4"),
            ("Operating margin", "9.2 %", "10.1 %", "10.8 %", "11.5 %", "12.7 %"),
            ("Research and development", "12.0", "14.2", "16.3", "18.6", "21.9"),
            ("Dividend a share, in euro", "0.32", "0.38", "0.44", "0.50", "0.62"),
        ],
        align="lrrrrr", style=CELL, head=TEAL, ink=TEAL,
    )
    paper.rect(LEFT, 676, WIDTH, 96, fill=TEAL)
    paper.text(LEFT + 20, 700, "Calendar for shareholders", font="Helvetica-Bold", size=11,
               colour="#FFFFFF")
    dates = [
        ("12 March 2026", "Results for 2025"),
        ("23 April 2026", "General meeting, Verholm"),
        ("29 April 2026", "Dividend paid"),
        ("20 August 2026", "Half-year report"),
    ]
    for place, (day, event) in enumerate(dates):
        x = LEFT + 20 + 114 * place
        paper.text(x, 732, day, font="Helvetica-Bold", size=9.5, colour="#F2C879")
        paper.text(x, 746, event, size=8.5, colour="#FFFFFF")
