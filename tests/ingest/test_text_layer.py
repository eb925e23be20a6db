"""Words of a PDF's text layer, and whether to believe them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.text_layer import TextLayer, judge, read_text_layer
from tests import builders

SENTENCE = " ".join(builders.LOREM)


def layer_of(path: Path) -> TextLayer:
    import pypdfium2

    with pypdfium2.PdfDocument(path) as document:
        page = document[0]
        layer = read_text_layer(page)
        page.close()
    return layer


def test_text_and_lines(tmp_path: Path) -> None:
    layer = layer_of(builders.write_text_pdf(tmp_path / "a.pdf", ["two words\nnext line"]))
    assert layer.verdict == "sane"
    assert layer.text.text == "two words\nnext line"
    assert layer.text.source == "layer"
    assert [word.text for word in layer.text.words] == ["two", "words", "next", "line"]
    assert layer.text.confidence is None


def test_boxes_are_fractions_from_the_top_left(tmp_path: Path) -> None:
    layer = layer_of(builders.write_text_pdf(tmp_path / "a.pdf", ["corner"]))
    box = layer.text.words[0].box
    width, height = builders.A4
    assert box.x0 == pytest.approx(72 / width, abs=0.005)
    assert box.y0 == pytest.approx(72 / height, abs=0.01)
    assert box.x1 - box.x0 == pytest.approx(37 / width, abs=0.01)  # Helvetica 12
    assert box.y1 - box.y0 == pytest.approx(14 / height, abs=0.01)


@pytest.mark.parametrize(
    ("rotate", "corner"),
    [
        (90, lambda x, y: (1 - y, x)),
        (180, lambda x, y: (1 - x, 1 - y)),
        (270, lambda x, y: (y, 1 - x)),
    ],
)
def test_rotated_pages(tmp_path: Path, rotate: int, corner: object) -> None:
    plain = layer_of(builders.write_text_pdf(tmp_path / "a.pdf", ["corner"])).text.words[0].box
    path = builders.write_text_pdf(tmp_path / "b.pdf", ["corner"], rotate=rotate)
    turned = layer_of(path).text.words[0].box
    middle = ((plain.x0 + plain.x1) / 2, (plain.y0 + plain.y1) / 2)
    seen = ((turned.x0 + turned.x1) / 2, (turned.y0 + turned.y1) / 2)
    assert seen == pytest.approx(corner(*middle), abs=1e-3)


def test_what_the_crop_box_hides_is_left_out(tmp_path: Path) -> None:
    width, height = builders.A4
    path = builders.write_text_pdf(
        tmp_path / "a.pdf", ["seen\nhidden"], crop=(0, height - 90, width, height)
    )
    layer = layer_of(path)
    assert layer.text.text == "seen"
    assert 0.7 < layer.text.words[0].box.y0 < 0.85  # 72 of the 90 points that are left


def test_a_hyphenated_word_is_whole_in_the_text(tmp_path: Path) -> None:
    layer = layer_of(builders.write_text_pdf(tmp_path / "a.pdf", ["a fine exam-\nple of it"]))
    assert "example" in layer.text.text.split()
    first, second = [word for word in layer.text.words if word.text in ("exam-", "ple")]
    assert first.box.y1 <= second.box.y0 + 0.005


def test_a_page_without_text(tmp_path: Path) -> None:
    layer = layer_of(builders.write_empty_page_pdf(tmp_path / "a.pdf"))
    assert layer == TextLayer("absent", layer.text)
    assert layer.text.text == ""


def test_a_layer_of_shifted_letters_is_garbage(tmp_path: Path) -> None:
    shifted = "\n".join(builders.LOREM).translate({code: code - 29 for code in range(65, 123)})
    layer = layer_of(builders.write_text_pdf(tmp_path / "a.pdf", [shifted]))
    assert layer.verdict == "garbage"
    assert layer.text.words == ()


@pytest.mark.parametrize(
    "text",
    [
        SENTENCE,
        "1,024 2,048 3.5% (12) $ 99.00 - - 7",
        "Contents ............................................................ 7",
        "Съешь ещё этих мягких французских булок, да выпей чаю",
        "標準マーケットモデルは二次元で説明する",
        "ابجد هوز حطي كلمن سعفص قرشت",
        "7",
        "\uf0b7 a bullet from a symbol font and then some text",
    ],
)
def test_sane(text: str) -> None:
    assert judge(text) == "sane"


@pytest.mark.parametrize(
    "text",
    [
        "\ue001\ue002\ue003 \ue004\ue005",
        "\x01\x02\x03\x04 \x05\x06",
        "(cid:3)(cid:17)(cid:4) (cid:9)",
        "\ufffd\ufffd\ufffd \ufffd a",
        "$%& '()* +,-./ :;<=> ?@[]^ !!#$ %&'",
        " ".join(["OLJKWKRXVH", "NHHSHU", "FRXQWHG", "VHYHQ", "VKLSV", "EHIRUH", "HYHQLQJ"] * 3),
    ],
)
def test_garbage(text: str) -> None:
    assert judge(text) == "garbage"


def test_absent() -> None:
    assert judge(" \n\t ") == "absent"


def test_a_font_without_mapping_counts_unless_its_words_read_well() -> None:
    assert judge(SENTENCE, unmapped=1.0) == "sane"
    assert judge("#%x 4ab7 ~~ q9 zz", unmapped=1.0) == "garbage"
