"""The manual of an invented centrifugal pump: steps, warnings, drawings, a parts table."""

from __future__ import annotations

from collections.abc import Sequence

from samples import figures
from samples.figures import INK, MUTED, ORANGE, YELLOW
from samples.paper import Paper, Style, text_height
from samples.report import logo

# Drawings and tables read better wrapped by hand.
# fmt: off

LEFT, WIDTH = 56.0, 483.0
BODY = Style("Helvetica", 9.6, 13.8, INK, after=6)
STEP = Style("Helvetica", 9.6, 13.4, INK, after=5, indent=20)
CELL = Style("Helvetica", 8.6, 11, INK)


def manual() -> bytes:
    """The whole manual, eight pages."""
    paper = Paper(title="CP-80 centrifugal pump: manual", author="Tidewell Group")
    _cover(paper)
    for number, (title, page) in enumerate(
        [
            ("Safety", _safety),
            ("Technical data", _data),
            ("Installation", _installation),
            ("Electrical connection", _electrical),
            ("Exploded view and spare parts", _parts),
            ("Replacing the impeller seal", _seal),
            ("Troubleshooting and maintenance", _trouble),
        ],
        start=1,
    ):
        paper.turn()
        paper.bookmark(title)
        _furniture(paper, number, title)
        page(paper)
    return paper.pdf()


def _furniture(paper: Paper, section: int, title: str) -> None:
    paper.rect(LEFT, 52, 30, 30, fill=INK)
    paper.text(LEFT + 15, 73.5, str(section), font="Helvetica-Bold", size=18, colour="#FFFFFF",
               align="center")
    paper.text(LEFT + 42, 75, title, font="Helvetica-Bold", size=21, tracking=-0.2)
    paper.line((LEFT, 92), (LEFT + WIDTH, 92), stroke=INK, width=1.2)
    paper.line((LEFT, 800), (LEFT + WIDTH, 800), stroke="#C9CFD3", width=0.5)
    paper.text(LEFT, 813, "CP-80 centrifugal pump", size=7.5, colour=MUTED)
    paper.text(LEFT + WIDTH / 2, 813, "TW-80-EN-07", size=7.5, colour=MUTED, align="center")
    paper.text(LEFT + WIDTH, 813, f"Page {section + 1} of 8", size=7.5, align="right")


def _head(paper: Paper, y: float, words: str, x: float = LEFT) -> float:
    paper.text(x, y + 10, words, font="Helvetica-Bold", size=11.5)
    return y + 19


def _caption(paper: Paper, y: float, words: str, x: float = LEFT) -> None:
    name, _, rest = words.partition(": ")
    wide = paper.text(x, y, name, font="Helvetica-Bold", size=8, colour=ORANGE)
    paper.text(x + wide + 6, y, rest, size=8, colour=INK)


def _steps(paper: Paper, x: float, y: float, width: float, texts: Sequence[str]) -> float:
    for number, text in enumerate(texts, start=1):
        paper.circle(x + 7, y + 6.6, 7, fill=INK)
        paper.text(x + 7, y + 9.6, str(number), font="Helvetica-Bold", size=8, colour="#FFFFFF",
                   align="center")
        y = paper.paragraph(x, y, width, text, STEP)
    return y


def _warning(
    paper: Paper, y: float, word: str, text: str, x: float = LEFT, width: float = WIDTH,
    sign: str = "!",
) -> float:
    """A framed warning; returns the y below it."""
    band = {"DANGER": "#D62828", "WARNING": ORANGE, "CAUTION": YELLOW, "NOTE": "#2A6FA8"}[word]
    light = INK if word == "CAUTION" else "#FFFFFF"
    look = BODY.but(size=9, leading=12.4, after=0)
    high = max(62, text_height(text, width - 74, look) + 38)
    paper.rect(x, y, width, high, fill="#FFFDF5" if word != "NOTE" else "#F2F7FB")
    paper.rect(x, y, width, 19, fill=band)
    paper.text(x + 62, y + 13.4, word, font="Helvetica-Bold", size=10, colour=light, tracking=0.8)
    paper.rect(x, y, width, high, stroke=band, width=1.4)
    if word == "NOTE":
        paper.circle(x + 31, y + 40, 14, fill=band)
        paper.text(x + 31, y + 47, "i", font="Times-Bold", size=20, colour="#FFFFFF",
                   align="center")
    else:
        figures.warning_sign(paper, x + 31, y + 24, 36, sign)
    paper.paragraph(x + 62, y + 26, width - 74, text, look)
    return y + high + 12


def _cover(paper: Paper) -> None:
    paper.bookmark("Cover")
    paper.rect(0, 0, paper.width, 300, fill=YELLOW)
    paper.rect(0, 300, paper.width, 7, fill=INK)
    logo(paper, LEFT, 64, INK)
    paper.text(LEFT + WIDTH, 64, "TW-80-EN-07", size=9, align="right")
    paper.text(LEFT - 4, 182, "CP-80", font="Helvetica-Bold", size=84, tracking=-3)
    paper.text(LEFT, 220, "Centrifugal pump", size=27)
    paper.text(LEFT, 256, "Installation, operation and maintenance manual", size=13)
    figures.pump(paper, 304, 640, 1.5)
    paper.line((60, 640), (535, 640), stroke=INK, width=1.2)
    paper.text(LEFT, 718, "Read this manual before you install or open the pump.",
               font="Helvetica-Bold", size=11)
    paper.text(LEFT, 735, "Keep it near the machine.", size=11)
    paper.line((LEFT, 766), (LEFT + WIDTH, 766), stroke=INK, width=0.6)
    for place, (what, value) in enumerate(
        [("Type", "CP-80/209"), ("Power", "5.5 kW"), ("Speed", "2,900 rpm"), ("Weight", "118 kg")]
    ):
        x = LEFT + place * 121
        paper.text(x, 782, what, size=7.5, colour=MUTED)
        paper.text(x, 797, value, font="Helvetica-Bold", size=11)


def _safety(paper: Paper) -> None:
    y = paper.paragraph(
        LEFT, 106, WIDTH,
        "The pump is built to the state of the art, but it turns fast, it holds water under "
        "pressure, and it is driven by dangerous voltage. Only people who have been trained for "
        "it may install, open or repair it. The signal words mean:", BODY,
    )
    y = paper.table(
        LEFT, y + 2, (110, 373),
        [
            ("Signal word", "Meaning"),
            ("DANGER", "Death or severe injury will follow if the instruction is ignored."),
            ("WARNING", "Death or severe injury may follow."),
            ("CAUTION", "Light injury or damage to the machine may follow."),
            ("NOTE", "Useful advice; nobody is in danger."),
        ],
        style=CELL, head="#FFFFFF", head_fill=INK, ink=INK,
    )
    y = _warning(paper, y + 16, "DANGER",
                 "<b>Electric shock.</b> Before you open the terminal box, switch off main switch "
                 "Q1, lock it with a padlock and check that all three phases are dead. Wait five "
                 "minutes if a frequency converter is fitted.", sign="bolt")
    y = _warning(paper, y, "WARNING",
                 "<b>Rotating parts.</b> Never run the pump without the yellow coupling guard. "
                 "Loose clothes, hair and gloves can be drawn in.")
    y = _warning(paper, y, "WARNING",
                 "<b>Hot surface.</b> When pumping hot water the casing reaches 110 °C. Let it "
                 "cool below 40 °C before you touch it.", sign="heat")
    y = _warning(paper, y, "CAUTION",
                 "<b>Dry running destroys the seal within a minute.</b> Fill casing and suction "
                 "pipe completely before the first start, and never start against a closed suction "
                 "valve.")
    y = _warning(paper, y, "NOTE",
                 "Use original spare parts. The guarantee ends when parts of other makers are "
                 "fitted to the wetted side of the pump.")
    _head(paper, y, "Intended use")
    paper.paragraph(LEFT, y + 19, WIDTH,
                    "Clean or slightly dirty water without fibres, up to 110 °C and 10 bar. The "
                    "pump is not meant for fuels, acids, sea water or food.", BODY)


def _data(paper: Paper) -> None:
    y = paper.table(
        LEFT, 106, (203, 140, 140),
        [
            ("Quantity", "CP-80/190", "CP-80/209"),
            ("Rated flow", "38 m³/h", "45 m³/h"),
            ("Rated head", "37 m", "45 m"),
            ("Motor power", "4.0 kW", "5.5 kW"),
            ("Speed", "2,890 rpm", "2,900 rpm"),
            ("Voltage, frequency", "400 V, 50 Hz", "400 V, 50 Hz"),
            ("Rated current", "7.9 A", "10.6 A"),
            ("Suction / discharge flange", "DN 80 / DN 65", "DN 80 / DN 65"),
            ("Largest working pressure", "10 bar", "10 bar"),
            ("Temperature of the water", "–10 to +110 °C", "–10 to +110 °C"),
            ("Sound pressure at 1 m", "66 dB(A)", "68 dB(A)"),
            ("Oil in bearing bracket", "0.35 litres ISO VG 46", "0.35 litres ISO VG 46"),
            ("Weight with motor", "104 kg", "118 kg"),
        ],
        align="lcc", style=CELL, head="#FFFFFF", head_fill=INK, stripe="#F1F3F5", ink=INK,
    )
    y = _head(paper, y + 22, "Pump curves")
    paper.paragraph(
        LEFT, y, WIDTH,
        "The curves hold for water of 20 °C at the rated speed. Choose the working point between "
        "the dashed lines; outside them the pump runs rough and wastes energy.", BODY,
    )
    figures.curve(paper, LEFT + 32, y + 62, 420, 244)
    _caption(paper, y + 356, "Figure 1: Head and efficiency over flow for three impeller diameters")
    figures_y = y + 372
    _warning(paper, figures_y, "NOTE", "The pump needs a net positive suction head of at least "
             "2.8 m at 45 m³/h. Shorten the suction pipe if the pump rattles as if full of "
             "gravel.")


def _installation(paper: Paper) -> None:
    y = paper.paragraph(
        LEFT, 106, WIDTH,
        "Place the pump as near to the suction tank as possible, on a level foundation of at least "
        "150 mm of concrete. Leave 600 mm free behind the motor so that it can be drawn out.", BODY,
    )
    figures.piping(paper, LEFT + 6, y + 12)
    _caption(paper, y + 240, "Figure 2: Pump between suction tank and mains")
    paper.table(
        LEFT, y + 250, (24, 137, 24, 137, 24, 137),
        [
            ("", "Part", "", "Part", "", "Part"),
            ("1", "Gate valve, suction", "2", "Eccentric reducer", "3", "Vacuum gauge"),
            ("4", "Pressure gauge", "5", "Check valve", "6", "Gate valve, discharge"),
        ],
        align="rlrlrl", style=CELL, ink=INK, pad=3,
    )
    y = _head(paper, y + 322, "Setting up and first start")
    y = _steps(paper, LEFT, y + 2, WIDTH, [
        "Set the base plate on wedges next to the anchor bolts and level it to 0.2 mm per metre.",
        "Grout the base plate with non-shrinking mortar. Wait 48 hours, then tighten the anchor "
        "bolts with 65 Nm.",
        "Connect the pipes without strain: with loose flange bolts the holes must meet by "
        "themselves. The eccentric reducer (2) goes in with its flat side up.",
        "Check the coupling with a dial gauge. Offset no more than 0.05 mm, gap 3 mm.",
        "Open gate valve (1) fully. Fill the pump through the plug on the casing until no more "
        "bubbles rise.",
        "Start the motor for one second and compare its direction with the arrow on the casing.",
        "Start again with gate valve (6) closed, then open it slowly until the rated pressure is "
        "reached.",
    ])
    _warning(paper, y + 8, "CAUTION", "Do not let the pump run for more than two minutes against "
             "the closed discharge valve: the water inside begins to boil.")


def _electrical(paper: Paper) -> None:
    y = _warning(paper, 106, "DANGER",
                 "<b>Electric shock.</b> Only a qualified electrician may connect the motor. "
                 "Disconnect and lock the supply first.", sign="bolt")
    figures.wiring(paper, LEFT + 10, y + 4)
    figures.terminal_board(paper, LEFT + 348, y + 84)
    paper.text(LEFT + 414, y + 76, "Terminal box, star", font="Helvetica-Bold", size=8.5,
               align="center")
    paper.paragraph(LEFT + 348, y + 236, 134,
                    "Brass links join W2, U2 and V2. For 230 V supplies move them to delta.",
                    BODY.but(size=8.2, leading=10.6))
    _caption(paper, y + 340, "Figure 3: Wiring diagram of motor and starter")
    y = paper.table(
        LEFT, y + 352, (50, 170, 263),
        [
            ("Mark", "Device", "Setting"),
            ("Q1", "Main switch, lockable", "16 A"),
            ("K1", "Contactor with coil 24 V DC", "4 kW: size 9 A; 5.5 kW: size 12 A"),
            ("F2", "Thermal overload relay", "Rated current of the motor, reset by hand"),
            ("S1, S2", "Push buttons stop and start", "Stop is a break contact"),
            ("M1", "Motor", "Insulation class F, IP 55"),
        ],
        style=CELL, head="#FFFFFF", head_fill=INK, ink=INK,
    )
    y = _head(paper, y + 18, "Tightening torques at the terminals")
    paper.paragraph(LEFT, y, WIDTH,
                    "Phase terminals M5: 2.0 Nm. Earth terminal M6: 3.0 Nm. Cable gland M32: hand "
                    "tight plus half a turn. Use copper cable of at least 4 × 2.5 mm².", BODY)


def _parts(paper: Paper) -> None:
    paper.paragraph(
        LEFT, 106, WIDTH,
        "When you order, state the part number and the serial number from the name plate. Parts "
        "marked with a dot belong in every store room.", BODY,
    )
    figures.exploded(paper, LEFT + 8, 338)
    _caption(paper, 424, "Figure 4: Exploded view of the pump")
    paper.table(
        LEFT, 436, (34, 190, 116, 48, 95),
        [
            ("No.", "Part", "Part number", "Pieces", "Keep in store"),
            ("1", "Volute casing, DN 80/65", "TW-80-1001", "1", ""),
            ("2", "Casing gasket, 214 × 3", "TW-80-1102", "1", "•"),
            ("3", "Impeller nut, M20 left-hand", "TW-80-1203", "1", ""),
            ("4", "Impeller Ø 209, bronze", "TW-80-1304", "1", ""),
            ("5", "Mechanical seal, rotating ring", "TW-80-2105", "1", "•"),
            ("6", "Seal spring and seat", "TW-80-2106", "1", "•"),
            ("7", "Casing cover with bearing bracket", "TW-80-1407", "1", ""),
            ("8", "Pump shaft, stainless 1.4021", "TW-80-1508", "1", ""),
            ("9", "Coupling element, rubber", "TW-80-1609", "1", "•"),
            ("10", "Coupling half, motor side", "TW-80-1610", "1", ""),
            ("11", "Motor 5.5 kW, flange B5", "TW-90-0055", "1", ""),
            ("–", "Seal kit (gasket 2, seal 5 and 6)", "TW-80-2100", "1 set", "•"),
        ],
        align="clclc", style=CELL, pad=3.2, head="#FFFFFF", head_fill=INK, stripe="#F1F3F5",
        ink=INK,
    )
    _warning(paper, 712, "NOTE", "Spare parts for the older CP-60 do not fit. Its impeller nut has "
             "a right-hand thread.")


def _seal(paper: Paper) -> None:
    y = paper.paragraph(
        LEFT, 106, WIDTH,
        "How to replace the impeller seal. Renew the mechanical seal when more than three drops a "
        "minute leave the drain hole, and at the latest after 16,000 hours. Two people need about "
        "ninety minutes.", BODY,
    )
    y = _warning(paper, y + 4, "WARNING", "<b>Scalding and pressure.</b> Close both gate valves, "
                 "lock the main switch, let the pump cool and open the drain plug before you "
                 "loosen a single bolt.", sign="heat")
    y = _head(paper, y, "You need")
    y = paper.paragraph(LEFT, y, WIDTH, "Seal kit TW-80-2100, socket wrench 30 mm, two levers, "
                        "torque wrench, soapy water, a clean rag. No grease.", BODY)
    y = _head(paper, y + 4, "Removing the old seal")
    y = _steps(paper, LEFT, y, 330, [
        "Remove the coupling guard and the rubber coupling element (9).",
        "Loosen the eight bolts of the casing cover and draw the bearing bracket with the impeller "
        "out of the casing.",
        "Hold the shaft and loosen the impeller nut (3) <b>clockwise</b>: it has a left-hand "
        "thread.",
        "Lever the impeller (4) off the shaft with two levers set opposite each other.",
        "Draw the rotating ring (5) and the spring (6) off the shaft. Press the seat out of the "
        "cover from behind.",
    ])
    y = _head(paper, y + 6, "Fitting the new seal")
    y = _steps(paper, LEFT, y, 330, [
        "Clean shaft and cover. The shaft must be free of scratches; polish it with fine emery "
        "cloth if needed.",
        "Moisten the new seat with soapy water and press it in with your thumbs. Never touch the "
        "sliding faces.",
        "Push the rotating ring with its spring onto the shaft until it meets the seat.",
        "Fit key, impeller and nut. Tighten the nut counter-clockwise with 80 Nm.",
        "Put in a new casing gasket (2), insert the bracket, tighten the eight bolts crosswise "
        "with 45 Nm.",
        "Turn the shaft by hand: it must move freely. Fill the pump and check for drops.",
    ])
    for stage, words in enumerate(
        ("Loosen the nut", "Lever off the impeller", "Draw off the seal", "Fit the new parts"), 1
    ):
        top = 284 + (stage - 1) * 118
        figures.section(paper, LEFT + 353, top, stage)
        _caption(paper, top + 97, f"{'ABCD'[stage - 1]}: {words}", LEFT + 353)
    _warning(paper, y + 8, "CAUTION", "A new seal that has run dry once is an old seal. Fill the "
             "pump before you try it.", width=330)


def _trouble(paper: Paper) -> None:
    figures.flow_chart(paper, LEFT + 2, 110)
    _caption(paper, 486, "Figure 5: What to do when the pump delivers no water")
    y = _head(paper, 504, "Other faults")
    y = paper.table(
        LEFT, y, (110, 180, 193),
        [
            ("Fault", "Likely cause", "Remedy"),
            ("Rattling noise", "Cavitation: suction pressure too low",
             "Shorten suction pipe, lower the pump"),
            ("Bearing above 80 °C", "Too much or too little oil",
             "Set oil to middle of sight glass"),
            ("Seal drips", "Sliding faces worn", "Replace the impeller seal (section 6)"),
            ("Vibration", "Coupling out of line", "Align coupling to 0.05 mm"),
        ],
        style=CELL, pad=2.8, head="#FFFFFF", head_fill=INK, ink=INK,
    )
    y = _head(paper, y + 16, "Maintenance schedule")
    paper.table(
        LEFT, y, (243, 60, 60, 60, 60),
        [
            ("Work", "Daily", "Monthly", "Yearly", "3 years"),
            ("Listen, read the gauges, look for drips", "•", "", "", ""),
            ("Check oil level in the bearing bracket", "", "•", "", ""),
            ("Change oil, align coupling, clean strainer", "", "", "•", ""),
            ("Renew bearings and mechanical seal", "", "", "", "•"),
        ],
        align="lcccc", style=CELL, pad=2.8, head="#FFFFFF", head_fill=INK, stripe="#F1F3F5",
        ink=INK,
    )
