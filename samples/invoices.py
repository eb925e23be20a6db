"""Invoices of six invented firms, each with its own layout, language and way to write numbers."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from samples import shapes
from samples.paper import Paper, Style

# Drawings and tables read better wrapped by hand.
# fmt: off

INK, MUTED = "#20262B", "#737C84"


@dataclass(frozen=True)
class Item:
    """One line of an invoice; the price is for one unit, before tax."""

    words: str
    count: str
    price: str
    unit: str = ""
    code: str = ""

    @property
    def amount(self) -> Decimal:
        return _cents(Decimal(self.count) * Decimal(self.price))


@dataclass(frozen=True)
class Sums:
    """Net, tax and total of an invoice."""

    net: Decimal
    tax: Decimal

    @property
    def total(self) -> Decimal:
        return self.net + self.tax


def add_up(items: list[Item], rate: int) -> Sums:
    """The sums of an invoice at a tax rate in per cent."""
    net = sum((item.amount for item in items), Decimal(0))
    return Sums(net, _cents(net * rate / 100))


def english(amount: Decimal) -> str:
    """1,234.56"""
    return f"{amount:,.2f}"


def german(amount: Decimal) -> str:
    """1.234,56"""
    return english(amount).translate(str.maketrans(",.", ".,"))


def french(amount: Decimal) -> str:
    """1 234,56 (with a no-break space)"""
    return english(amount).replace(",", "\N{NO-BREAK SPACE}").replace(".", ",")


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def _lines(paper: Paper, x: float, y: float, texts: list[str], leading: float = 13,
           **look: object) -> float:
    for text in texts:
        paper.text(x, y, text, **look)  # type: ignore[arg-type]
        y += leading
    return y


def office() -> bytes:
    """Stationery; classic, in Times."""
    paper = Paper(title="Invoice INV-2024/0013", author="Brightwater Office Supply")
    paper.text(60, 84, "Brightwater", font="Times-Bold", size=30, colour="#7A1F2B")
    paper.text(60, 101, "OFFICE SUPPLY", font="Times-Roman", size=9.5, tracking=3.4)
    _lines(paper, 535, 72, ["14 Quayside Row, Aldersea", "orders@brightwater.example",
                            "01632 960 114", "VAT reg. GB 000 0013 62"],
           12.5, font="Times-Roman", size=9.5, align="right", colour=MUTED)
    paper.line((60, 126), (535, 126), stroke="#7A1F2B", width=1.2)
    paper.line((60, 129), (535, 129), stroke="#7A1F2B", width=0.4)
    paper.text(60, 172, "Invoice", font="Times-Italic", size=26)
    _lines(paper, 60, 204, ["Corran Point Sailing School", "Ms. Edith Farrow", "2 Slipway Lane",
                            "Corran Point"], font="Times-Roman", size=11)
    facts = [("Invoice number", "INV-2024/0013"), ("Date", "18 January 2024"),
             ("Your order", "CPS-771"), ("Due", "17 February 2024")]
    for place, (what, value) in enumerate(facts):
        paper.text(350, 204 + 14 * place, what, font="Times-Roman", size=10.5, colour=MUTED)
        paper.text(535, 204 + 14 * place, value, font="Times-Bold", size=10.5, align="right")
    items = [
        Item("Copy paper A4, 80 g, box of 5 reams", "12", "21.40"),
        Item("Waterproof notebooks, squared", "40", "6.85"),
        Item("Chart tubes, 60 mm", "15", "4.20"),
        Item("Whiteboard 120 × 90 cm, enamelled", "2", "148.00"),
        Item("Markers, assorted, set of 8", "10", "9.95"),
        Item("Delivery by van", "1", "39.50"),
    ]
    sums = add_up(items, 20)
    rows = [("Description", "Quantity", "Unit price", "Amount")]
    rows += [(i.words, i.count, english(Decimal(i.price)), english(i.amount)) for i in items]
    y = paper.table(60, 288, (255, 60, 80, 80), rows, align="lrrr", pad=5, ink="#7A1F2B",
                    style=Style("Times-Roman", 10.5, 13, INK))
    for what, amount, bold in (("Net", sums.net, False), ("VAT 20 %", sums.tax, False),
                               ("Total to pay", sums.total, True)):
        y += 18
        font = "Times-Bold" if bold else "Times-Roman"
        size = 13 if bold else 10.5
        paper.text(375, y, what, font=font, size=size)
        paper.text(531, y, f"£ {english(amount)}", font=font, size=size, align="right")
    paper.line((375, y + 6), (535, y + 6), stroke="#7A1F2B", width=0.8)
    paper.paragraph(60, y + 44, 300, "Please pay within thirty days to account 00012345, sort code "
                    "00-00-13, Harbour Bank, Aldersea, and quote the invoice number. Thank you for "
                    "your custom.", Style("Times-Italic", 10.5, 14.5, INK))
    with paper.placed(452, 668, angle=-11):
        paper.rect(-70, -26, 140, 48, 5, stroke="#2B6CB0", width=2.4, alpha=0.75)
        paper.text(0, 2, "PAID", font="Helvetica-Bold", size=26, colour="#2B6CB0", align="center",
                   tracking=5, alpha=0.75)
        paper.text(0, 15, "6 FEB 2024", font="Helvetica-Bold", size=8.5, colour="#2B6CB0",
                   align="center", tracking=1, alpha=0.75)
    paper.text(297, 800, "Brightwater Office Supply, proprietor J. Marsh. Goods remain ours until "
               "paid for.", font="Times-Roman", size=8.5, align="center", colour=MUTED)
    return paper.pdf()


def studio() -> bytes:
    """A design studio; modern, with a coloured side."""
    paper = Paper(title="Invoice INV-2024/0027", author="Fernwell Studio")
    side = shapes.box(0, 0, 182, paper.height)
    paper.shade(side, ("#2E1A47", "#5B2A6B"), (0, 0), (0, 842))
    for ring in range(5):
        paper.circle(30, 790, 60 + ring * 34, stroke="#F2A65A", width=1, alpha=0.5 - ring * 0.09)
    paper.circle(50, 66, 15, fill="#F2A65A")
    paper.circle(62, 66, 15, fill="#E4572E", alpha=0.8)
    paper.text(34, 112, "Fernwell", font="Helvetica-Bold", size=20, colour="#FFFFFF")
    paper.text(34, 130, "Studio", size=20, colour="#FFFFFF")
    blocks = [
        ("Billed to", ["Tidewell Group", "Marketing", "Pier 4, Verholm"]),
        ("Project", ["Pebble: launch film", "and product pictures"]),
        ("Issued", ["3 May 2024"]),
        ("Due", ["2 June 2024"]),
        ("Questions", ["hello@fernwell.example", "+1 555 0127"]),
    ]
    y = 190.0
    for head, texts in blocks:
        paper.text(34, y, head.upper(), font="Helvetica-Bold", size=7, colour="#F2A65A",
                   tracking=1.2)
        y = _lines(paper, 34, y + 15, texts, 13.5, size=9.5, colour="#FFFFFF") + 16
    x, wide = 218.0, 330.0
    paper.text(x, 82, "Invoice", font="Helvetica-Bold", size=34, colour="#2E1A47", tracking=-0.8)
    paper.text(x, 102, "INV-2024/0027", size=12, colour=MUTED)
    items = [
        Item("Storyboard and script", "3", "620.00", "days"),
        Item("Filming with two cameras", "2", "1480.00", "days"),
        Item("Editing and colour", "4.5", "620.00", "days"),
        Item("Product pictures, retouched", "24", "86.50", "pictures"),
        Item("Music, licence for two years", "1", "350.00", ""),
    ]
    sums = add_up(items, 0)
    y = 156.0
    for item in items:
        paper.text(x, y, item.words, font="Helvetica-Bold", size=10.5)
        unit = f"{item.count} {item.unit} at ${english(Decimal(item.price))}".replace("  ", " ")
        paper.text(x, y + 15, unit, size=9, colour=MUTED)
        paper.text(x + wide, y + 7, f"${english(item.amount)}", size=11, align="right")
        paper.line((x, y + 29), (x + wide, y + 29), stroke="#E3DDE8", width=0.8)
        y += 50
    paper.rect(x, y + 4, wide, 74, 8, fill="#F6F0F8")
    paper.text(x + 18, y + 46, "Total", font="Helvetica-Bold", size=13, colour="#2E1A47")
    paper.text(x + wide - 18, y + 50, f"${english(sums.total)}", font="Helvetica-Bold", size=25,
               colour="#2E1A47", align="right", tracking=-0.4)
    paper.paragraph(x, y + 108, wide, "<b>How to pay.</b> By bank transfer within thirty days. "
                    "Please give the invoice number as the reference. A late fee of one per cent a "
                    "month applies after the due date.", Style("Helvetica", 9, 13.5, INK))
    paper.paragraph(x, y + 166, wide, "<b>Rights.</b> With payment in full the client may use film "
                    "and pictures without limit of time or place. The studio may show them in its "
                    "portfolio.", Style("Helvetica", 9, 13.5, INK))
    paper.text(x, 800, "Fernwell Studio, a partnership of K. Okafor and L. Brandt", size=8,
               colour=MUTED)
    return paper.pdf()


def rechnung() -> bytes:
    """Machine parts; a German business letter with folding marks."""
    paper = Paper(title="Rechnung RE-2024-0418", author="Schröder & Söhne Maschinenbau GmbH")
    paper.rect(57, 44, 26, 26, fill="#1F3A5F")
    paper.draw(shapes.gear(70, 57, 10, 10, 2.6), fill="#FFFFFF")
    paper.circle(70, 57, 3.6, fill="#1F3A5F")
    paper.text(92, 60, "Schröder & Söhne", font="Helvetica-Bold", size=17, colour="#1F3A5F")
    paper.text(92, 73, "Maschinenbau GmbH · seit 1921", size=9, colour=MUTED)
    for fold in (297.6, 595.3):
        paper.line((12, fold), (24, fold), stroke=MUTED, width=0.5)
    paper.text(57, 138, "Schröder & Söhne GmbH · Mühlgäßchen 7 · 00418 Grünbach", size=6.5,
               colour=MUTED)
    paper.line((57, 141), (262, 141), stroke=MUTED, width=0.4)
    _lines(paper, 57, 158, ["Wasserwerk Höhenried", "Frau Jäger", "Brückenstraße 12",
                            "00977 Höhenried"], 14, size=10.5)
    facts = [("Rechnungsnummer", "RE-2024-0418"), ("Rechnungsdatum", "12.09.2024"),
             ("Kundennummer", "10 447"), ("Lieferdatum", "05.09.2024"),
             ("Bearbeiter", "Jürgen Groß")]
    for place, (what, value) in enumerate(facts):
        paper.text(370, 144 + 14.5 * place, what, size=9, colour=MUTED)
        paper.text(538, 144 + 14.5 * place, value, font="Helvetica-Bold", size=9, align="right")
    paper.text(57, 270, "Rechnung", font="Helvetica-Bold", size=20, colour="#1F3A5F")
    letter = Style("Helvetica", 10, 14, INK)
    y = paper.paragraph(57, 286, 481, "Sehr geehrte Frau Jäger,<br/>für die Überholung der "
                        "Förderpumpe im Schöpfwerk berechnen wir Ihnen wie vereinbart:", letter)
    items = [
        Item("Laufrad Ø 209 mm, Bronze, ausgewuchtet", "1", "864.00", "Stk."),
        Item("Gleitringdichtung, doppeltwirkend", "2", "217.35", "Stk."),
        Item("Wälzlager 6309, geschlossen", "4", "48.90", "Stk."),
        Item("Spaltringe, Edelstahl, Satz", "1", "312.50", "Satz"),
        Item("Arbeitszeit Monteur einschließlich Rüsten", "18.5", "74.00", "Std."),
        Item("Prüfstandslauf mit Messprotokoll", "1", "420.00", "psch."),
        Item("Anfahrt (Höhenried und zurück)", "146", "0.62", "km"),
    ]
    sums = add_up(items, 19)
    rows = [("Pos.", "Bezeichnung", "Menge", "Einheit", "Einzelpreis €", "Betrag €")]
    for place, item in enumerate(items, start=1):
        count = item.count.replace(".", ",")
        rows.append((str(place), item.words, count, item.unit, german(Decimal(item.price)),
                     german(item.amount)))
    rows += [
        ("", "Nettobetrag", "", "", "", german(sums.net)),
        ("", "Umsatzsteuer 19 %", "", "", "", german(sums.tax)),
        ("", "Rechnungsbetrag", "", "", "", german(sums.total)),
    ]
    y = paper.table(57, y + 8, (30, 219, 46, 46, 72, 68), rows, align="clrlrr", pad=4.2,
                    style=Style("Helvetica", 9, 11.5, INK), head="#FFFFFF", head_fill="#1F3A5F",
                    strong=(8, 10), ink="#1F3A5F")
    paper.paragraph(57, y + 18, 481, f"Bitte überweisen Sie <b>{german(sums.total)} €</b> bis zum "
                    "12.10.2024 ohne Abzug unter Angabe der Rechnungsnummer. Bei Zahlung binnen "
                    "zehn Tagen gewähren wir zwei Prozent Skonto. Auf die Überholung geben wir "
                    "vierundzwanzig Monate Gewähr.<br/><br/>Mit freundlichen Grüßen", letter)
    sign = [(0, 0), (7, -22), (12, 2), (20, -10), (27, 2), (36, -8), (44, 2), (60, -14), (58, 6),
            (84, -4), (112, -6)]
    paper.draw(shapes.spline([(62 + px, y + 124 + py) for px, py in sign]), stroke="#23479A",
               width=1.2)
    paper.text(57, y + 148, "Jürgen Groß", size=10)
    paper.line((57, 768), (538, 768), stroke="#1F3A5F", width=0.6)
    for place, texts in enumerate([
        ["Schröder & Söhne Maschinenbau GmbH", "Mühlgäßchen 7", "00418 Grünbach"],
        ["Geschäftsführer: Käthe Schröder", "Amtsgericht Grünbach HRB 000",
         "USt-IdNr. DE000000418"],
        ["Sparkasse Grünbach", "IBAN DE00 0000 0000 0004 18", "BIC MUSTERXXXX"],
    ]):
        _lines(paper, 57 + 172 * place, 780, texts, 10, size=7.5, colour=MUTED)
    return paper.pdf()


def facture() -> bytes:
    """A lighting workshop; French, airy."""
    paper = Paper(title="Facture FA-2024-0092", author="Atelier Lumière")
    gold = "#B8862B"
    for ray in range(13):
        near = shapes.on_circle(297.6, 84, 24, -90 + ray * 15)
        far = shapes.on_circle(297.6, 84, 33 if ray % 2 else 38, -90 + ray * 15)
        paper.line(near, far, stroke=gold, width=1.1)
    paper.draw(shapes.wedge(297.6, 84, 18, -90, 90), fill=gold)
    paper.text(297.6, 112, "ATELIER LUMIÈRE", font="Times-Roman", size=20, align="center",
               tracking=5)
    paper.text(297.6, 128, "luminaires d’art – création et restauration", font="Times-Italic",
               size=11, align="center", colour=MUTED)
    paper.line((60, 148), (535, 148), stroke=gold, width=0.7)
    paper.text(60, 190, "Facture n° FA-2024-0092", font="Times-Bold", size=17)
    paper.text(60, 208, "Émise le 7 octobre 2024 – échéance le 6 novembre 2024",
               font="Times-Italic", size=11)
    look = {"font": "Times-Roman", "size": 11}
    paper.text(60, 246, "ÉMETTEUR", font="Times-Roman", size=8, tracking=1.5, colour=gold)
    _lines(paper, 60, 262, ["Atelier Lumière SARL", "3, allée des Tilleuls", "00092 Saint-Évran",
                            "atelier@lumiere.example"], 14, **look)
    paper.text(320, 246, "CLIENT", font="Times-Roman", size=8, tracking=1.5, colour=gold)
    _lines(paper, 320, 262, ["Théâtre municipal de Valbrède", "Mme Hélène Garçon, régisseuse",
                             "Place de l’Hôtel-de-Ville", "00210 Valbrède"], 14, **look)
    items = [
        Item("Restauration d’un lustre à vingt-quatre branches, nettoyage des pampilles", "1",
             "1350.00"),
        Item("Douilles en laiton, façon ancienne", "24", "11.80"),
        Item("Câble torsadé sous gaine de soie, le mètre", "32", "4.65"),
        Item("Réflecteurs de scène, argentés à neuf", "6", "57.50"),
        Item("Dépose, repose et réglage sur place", "9", "48.00"),
    ]
    sums = add_up(items, 20)
    rows = [("Désignation", "Qté", "Prix unitaire HT", "Montant HT")]
    for item in items:
        price = french(Decimal(item.price))
        rows.append((item.words, item.count, f"{price} €", f"{french(item.amount)} €"))
    y = paper.table(60, 340, (245, 40, 95, 95), rows, align="lrrr", pad=6, rule="#E6D9BD", ink=gold,
                    style=Style("Times-Roman", 11, 14, INK))
    for what, amount in (("Total HT", sums.net), ("TVA 20 %", sums.tax)):
        y += 19
        paper.text(345, y, what, **look)  # type: ignore[arg-type]
        paper.text(531, y, f"{french(amount)} €", align="right", **look)  # type: ignore[arg-type]
    paper.rect(335, y + 11, 200, 30, fill=gold)
    paper.text(345, y + 30, "Total TTC", font="Times-Bold", size=12.5, colour="#FFFFFF")
    paper.text(528, y + 30, f"{french(sums.total)} €", font="Times-Bold", size=13.5, align="right",
               colour="#FFFFFF")
    paper.paragraph(60, y + 66, 475, "Règlement par virement à trente jours. En cas de retard, une "
                    "indemnité forfaitaire de 40 € pour frais de recouvrement est due, ainsi que "
                    "des pénalités au taux légal. Pas d’escompte pour paiement anticipé. Les "
                    "pièces déposées sont tenues à votre disposition pendant deux mois chez nous.",
                    Style("Times-Italic", 10.5, 14.5, INK))
    paper.text(297.6, 796, "SARL au capital de 8 000 € – RCS Saint-Évran 000 000 092 – TVA FR 00 "
               "000 000 092", font="Times-Roman", size=8.5, align="center", colour=MUTED)
    return paper.pdf()


def wholesale() -> bytes:
    """Electrical goods; two dense pages with an amount carried forward."""
    paper = Paper(title="Tax invoice HEW-88213", author="Harbour Electrical Wholesale")
    stock = [
        ("Cable 3 × 1.5 mm², 100 m drum", "drum", 64.20),
        ("Cable 5 × 2.5 mm², 50 m drum", "drum", 98.75),
        ("Conduit 20 mm, 3 m", "pcs", 2.35), ("Conduit bend 20 mm", "pcs", 0.92),
        ("Junction box IP 65", "pcs", 4.18), ("Socket outlet, double", "pcs", 7.44),
        ("Switch, two-way, white", "pcs", 5.12), ("Circuit breaker B16", "pcs", 6.90),
        ("Circuit breaker C25", "pcs", 8.35), ("Residual current device 40 A, 30 mA", "pcs", 31.60),
        ("Distribution board, 36 modules", "pcs", 112.40),
        ("Terminal blocks 4 mm², strip of 12", "strip", 3.05),
        ("Cable ties 200 mm, 100 pieces", "bag", 2.80), ("Cable gland M20, brass", "pcs", 1.95),
        ("LED tube 150 cm, 4000 K", "pcs", 9.60), ("LED floodlight 50 W", "pcs", 27.30),
        ("Emergency light, three hours", "pcs", 44.90), ("Contactor 24 V DC, 12 A", "pcs", 22.15),
        ("Thermal overload relay 9 to 13 A", "pcs", 29.40), ("Push button, green", "pcs", 6.05),
    ]
    dice = random.Random(88213)
    items = [
        Item(words, str(dice.choice((2, 4, 6, 10, 12, 24))), f"{price:.2f}", unit,
             f"{20 + place % 20 * 3}-{4000 + place % 20 * 271}")
        for place, (words, unit, price) in enumerate(stock * 2) if place < 20 or place % 3 == 0
    ]
    items.append(Item("Pallet, deposit", "3", "15.00", "pcs", "00-0001"))
    sums = add_up(items, 20)
    pages = (items[:20], items[20:])
    carried = Decimal(0)
    for number, part in enumerate(pages, start=1):
        if number == 2:
            paper.turn()
        paper.rect(0, 0, paper.width, 12, fill="#0F7B4F")
        paper.text(40, 46, "HARBOUR", font="Helvetica-Bold", size=19, colour="#0F7B4F")
        paper.text(150, 46, "ELECTRICAL WHOLESALE", size=19, colour="#0F7B4F")
        paper.text(555, 46, f"Page {number} of 2", size=9, align="right")
        facts = [("Tax invoice", "HEW-88213"), ("Date", "28 Nov 2024"), ("Account", "A-2093"),
                 ("Order", "PO 5512"), ("Delivery note", "D-104 772")]
        for place, (what, value) in enumerate(facts):
            x = 40 + 103 * place
            paper.rect(x, 60, 103, 32, stroke="#9BB8AB", width=0.6)
            paper.text(x + 6, 71, what, size=7, colour=MUTED)
            paper.text(x + 6, 86, value, font="Helvetica-Bold", size=9.5)
        y = 108.0
        if number == 1:
            for place, (what, texts) in enumerate([
                ("Invoice to", ["Ferrand & Daughter, Electricians", "Unit 6, Old Ropewalk",
                                "Aldersea"]),
                ("Delivered to", ["Building site New Fish Market", "Dock Road, gate 2",
                                  "Aldersea"]),
            ]):
                paper.text(40 + 260 * place, y + 8, what, size=7, colour=MUTED)
                _lines(paper, 40 + 260 * place, y + 22, texts, 12.5, size=9.5)
            y += 62
        rows = [("Code", "Description", "Qty", "Unit", "Price £", "Amount £")]
        if number == 2:
            rows.append(("", "<i>Carried forward from page 1</i>", "", "", "", english(carried)))
        for item in part:
            rows.append((item.code, item.words, item.count, item.unit,
                         english(Decimal(item.price)), english(item.amount)))
        carried += sum((item.amount for item in part), Decimal(0))
        if number == 1:
            rows.append(("", "Carried forward", "", "", "", english(carried)))
        y = paper.table(40, y, (60, 235, 45, 45, 62, 68), rows, align="llrlrr", pad=6.4,
                        style=Style("Helvetica", 9, 11, INK), head="#FFFFFF", head_fill="#0F7B4F",
                        stripe="#EFF6F2", rule=None, ink="#0F7B4F",
                        strong=(len(rows) - 1,) if number == 1 else ())
    tax = [("VAT analysis", "Net £", "VAT £"),
           ("Standard rate 20 %", english(sums.net), english(sums.tax))]
    paper.table(40, y + 24, (120, 70, 70), tax, align="lrr", style=Style("Helvetica", 9, 11, INK),
                ink="#0F7B4F")
    paper.rect(365, y + 24, 190, 76, fill="#EFF6F2")
    for place, (what, amount) in enumerate((("Net", sums.net), ("VAT", sums.tax),
                                            ("TOTAL", sums.total))):
        bold = place == 2
        font, size = ("Helvetica-Bold", 14) if bold else ("Helvetica", 10)
        level = y + 44 + place * 19 + (6 if bold else 0)
        paper.text(377, level, what, font=font, size=size)
        paper.text(545, level, f"£ {english(amount)}", font=font, size=size, align="right")
    paper.paragraph(40, y + 128, 515, "Goods may be returned within fourteen days in unopened "
                    "packing; cable cut to length is not taken back. Please note our new opening "
                    "hours from January: trade counter 6.30 to 17.00, Saturdays 7.00 to 12.00.",
                    Style("Helvetica", 9, 13, INK))
    return paper.pdf()


def plumber() -> bytes:
    """A plumber's invoice from a needle printer on fanfold paper."""
    paper = Paper((595.28, 620), "Invoice 3307", "Okonjo Plumbing")
    paper.rect(0, 0, 595.28, 620, fill="#FDFDF8")
    for band in range(0, 620, 48):
        paper.rect(34, band, 527, 24, fill="#E4F1E4")
    for side in (17, 578):
        for hole in range(16):
            paper.circle(side, 20 + hole * 39, 5.2, fill="#D9D9D2", stroke="#C4C4BC", width=0.6)
    for side in (34, 561):
        paper.line((side, 0), (side, 620), stroke="#C4C4BC", width=0.6, dash=(2, 3))
    items = [
        Item("CALL-OUT, SUNDAY NIGHT", "1", "95.00"),
        Item("HOURS, TWO FITTERS", "3.5", "68.00"),
        Item("BALL VALVE 1 INCH", "2", "18.40"),
        Item("COPPER PIPE 22 MM, METRE", "6", "9.15"),
        Item("ELBOWS AND FLUX", "1", "12.75"),
    ]
    sums = add_up(items, 20)
    text = [
        "OKONJO PLUMBING & HEATING              INVOICE  3307",
        "9 WELL STREET, ALDERSEA                DATE     02-12-2024",
        "PHONE 01632 960 733                    JOB      BURST PIPE",
        "",
        "TO: THE ANCHOR TEA ROOM, MRS. B. QUILL, 1 HARBOUR STEPS",
        "",
        f"{'ITEM':<30}{'QTY':>6}{'EACH':>10}{'AMOUNT':>12}",
        "-" * 58,
    ]
    for item in items:
        price = english(Decimal(item.price))
        text.append(f"{item.words:<30}{item.count:>6}{price:>10}{english(item.amount):>12}")
    text += [
        "-" * 58,
        f"{'NET':>46}{english(sums.net):>12}",
        f"{'VAT 20%':>46}{english(sums.tax):>12}",
        f"{'*** TO PAY POUNDS':>46}{english(sums.total):>12}",
        "",
        "PAYABLE WITHIN 14 DAYS. CASH OR BANK TRANSFER.",
        "THE OLD STOPCOCK CRACKED IN THE FROST: PLEASE LAG THE PIPE",
        "BEHIND THE OVEN BEFORE THE NEXT COLD SPELL.",
    ]
    for row, line in enumerate(text):
        font = "Courier-Bold" if row == 0 or "***" in line else "Courier"
        paper.text(56, 64 + row * 24, line, font=font, size=13, colour="#2B2F55")
    return paper.pdf()


INVOICES: dict[str, Callable[[], bytes]] = {
    "brightwater-INV-2024-0013.pdf": office,
    "fernwell-INV-2024-0027.pdf": studio,
    "schroeder-RE-2024-0418.pdf": rechnung,
    "lumiere-FA-2024-0092.pdf": facture,
    "harbour-HEW-88213.pdf": wholesale,
    "okonjo-3307.pdf": plumber,
}
