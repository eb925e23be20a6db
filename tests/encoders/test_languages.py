"""What a page is written in."""

from __future__ import annotations

import time

import pytest

from mmsearch.encoders.languages import language_of

PAGES = {
    "english": "The pump was taken apart and the seal that had been leaking is shown in figure 3.",
    "german": "Die Pumpe wurde zerlegt, und die Dichtung ist in Bild 3 zu sehen, wie sie war.",
    "french": "La pompe a été démontée et le joint qui fuyait est dans la figure 3 avec les vis.",
    "spanish": "La bomba se ha desmontado y la junta que perdía agua es la de la figura 3.",
    "italian": "La pompa è stata smontata e la guarnizione che perdeva è nella figura 3.",
    "portuguese": "A bomba foi desmontada e a junta que não vedava é a da figura 3.",
    "dutch": "De pomp is uit elkaar gehaald en de pakking die lekte is te zien op plaat 3.",
    "swedish": "Pumpen har tagits isär och det är den tätning som var otät som kan ses på bild 3.",
    "polish": "Pompa została rozebrana, a na rysunku 3 jest uszczelka, która nie jest od nas.",
    "turkish": "Pompa söküldü ve su kaçıran bu conta bir şekil olarak çok eski.",
    "japanese": "ポンプを分解し、漏れていたシールを図3に示します。型番はABCです。",
    "chinese": "水泵已经拆开,漏水的密封件如图3所示。型号是ABC。",
    "korean": "펌프를 분해했으며 누수가 있던 씰은 그림 3에 있습니다.",
    "cyrillic": "Насос был разобран, и уплотнение показано на рисунке 3.",
    "greek": "Η αντλία αποσυναρμολογήθηκε και η τσιμούχα φαίνεται στο σχήμα 3.",
    "arabic": "تم تفكيك المضخة ويظهر الختم الذي كان يسرب في الشكل 3.",
    "hebrew": "המשאבה פורקה והאטם שדלף מוצג באיור 3.",
    "devanagari": "पंप को खोला गया और रिसने वाली सील चित्र 3 में दिखाई गई है।",
    "thai": "ปั๊มถูกถอดออกและซีลที่รั่วแสดงอยู่ในรูปที่ 3",
}


@pytest.mark.parametrize("language", PAGES)
def test_a_page_of_a_sentence_or_two_is_enough(language: str) -> None:
    assert language_of(PAGES[language]) == language


def test_capitals_and_letters_in_two_parts_do_not_matter() -> None:
    import unicodedata

    assert language_of(PAGES["german"].upper()) == "german"
    decomposed = unicodedata.normalize("NFD", "für Bücher über die Küste für Schüler")
    assert len(decomposed) > 40
    assert language_of(decomposed) == "german"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "INV-2024/0013",
        "Total 1,234.56 EUR",
        "in the",
        "漢字",
        "Ang bomba ay binuksan at ang selyo na may tagas ay nasa larawan.",  # Tagalog
        "Máy bơm đã được tháo ra và vòng đệm bị rò được thể hiện trong hình.",  # Vietnamese
    ],
)
def test_what_is_too_short_or_in_no_known_language_has_none(text: str) -> None:
    assert language_of(text) is None


def test_most_of_a_page_decides() -> None:
    assert language_of(PAGES["german"] * 3 + PAGES["cyrillic"]) == "german"
    assert language_of(PAGES["cyrillic"] * 5 + PAGES["german"]) == "cyrillic"
    assert language_of("Hercules AX-100 Pump Manual " + PAGES["chinese"] * 2) == "chinese"


def test_hostile_texts_take_no_time() -> None:
    started = time.perf_counter()
    for text in ("a" + "\u0316\u0301" * 500_000, "ü " * 500_000, "漢" * 10**6, "\ud800" * 10**6):
        language_of(text)
    assert time.perf_counter() - started < 1
