"""Text beside a scan: which file holds it, what the three formats say, and hostile ones."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from PIL import Image

from ingest import sidecars
from mmsearch import ocr
from mmsearch.errors import LimitExceeded, UnreadableFile
from mmsearch.types import Page, PageText
from tests import builders


def written(folder: Path, content: str, name: str = "scan.xml") -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def hocr(*pages: str) -> str:
    body = "".join(
        f"<div class='ocr_page' title='image \"a;bbox 9 9 9 9.png\"; bbox 0 0 200 100'>{page}</div>"
        for page in pages
    )
    return f"<html xmlns='http://www.w3.org/1999/xhtml'><body>{body}</body></html>"


def hocr_line(*words: str, top: int = 10) -> str:
    spans = "".join(
        f"<span class='ocrx_word' title='bbox {40 * at} {top} {40 * at + 30} {top + 10}; "
        f"x_wconf {80 + 10 * at}'><strong>{word}</strong></span>"
        for at, word in enumerate(words)
    )
    return f"<span class='ocr_line' title='bbox 0 {top} 200 {top + 10}'>{spans}</span>"


def alto(layout: str, *, version: int = 3, order: str = "") -> str:
    return (
        f"<?xml version='1.0'?><a:alto xmlns:a='http://www.loc.gov/standards/alto/ns-v{version}#'>"
        + f"{order}<Layout>{layout}</Layout></a:alto>"
    )


def alto_page(*blocks: tuple[str, str]) -> str:
    inner = "".join(f"<TextBlock ID='{id_}'>{lines}</TextBlock>" for id_, lines in blocks)
    return f"<Page WIDTH='2000' HEIGHT='1000'><PrintSpace>{inner}</PrintSpace></Page>"


def string(text: str, left: int = 100, more: str = "") -> str:
    return f"<String CONTENT='{text}' HPOS='{left}' VPOS='100' WIDTH='200' HEIGHT='50' {more}/>"


def page_xml(content: str, year: str = "2019-07-15") -> str:
    space = f"http://schema.primaresearch.org/PAGE/gts/pagecontent/{year}"
    return (
        f"<?xml version='1.0' encoding='UTF-8'?><pc:PcGts xmlns:pc='{space}'>"
        f"<pc:Page imageFilename='a.tif' imageWidth='200' imageHeight='100'>{content}</pc:Page>"
        "</pc:PcGts>"
    )


def region(id_: str, *lines: str, tag: str = "TextRegion", inner: str = "") -> str:
    return f"<pc:{tag} id='{id_}'>{''.join(lines)}{inner}</pc:{tag}>"


def page_line(text: str, words: str = "", conf: str = "") -> str:
    return (
        f"<pc:TextLine><pc:Coords points='20,10 180,10 180,30 20,30'/>{words}"
        f"<pc:TextEquiv {conf}><pc:Unicode>{text}</pc:Unicode></pc:TextEquiv></pc:TextLine>"
    )


def text_of(path: Path, number: int = 1, page_count: int = 1) -> str:
    found = sidecars.read(path, number, page_count)
    assert found is not None
    return found.text


# Which file it is


@pytest.mark.parametrize(
    ("name", "others", "chosen"),
    [
        ("a/scan.tif", ["a/scan.xml"], "a/scan.xml"),
        ("a/scan.tif", ["a/scan.xml", "a/scan.tif.xml"], "a/scan.tif.xml"),
        ("scan.tif", ["scan.xml", "scan.alto.xml", "scan.hocr"], "scan.hocr"),
        ("a/SCAN.TIF", ["a/scan.page.XML"], "a/scan.page.XML"),
        ("a/scan.tif", ["b/scan.xml", "scan.xml", "a/other.xml", "a/scan.html"], None),
        ("a/img/1.png", ["a/ALTO/1.xml"], "a/ALTO/1.xml"),
        ("a/1.png", ["a/page/1.xml", "page/1.xml"], "a/page/1.xml"),
        ("1.png", ["hocr/1.hocr"], "hocr/1.hocr"),
        (
            "w/OCR-D-IMG/p_1.tif",
            ["w/OCR-D-SEG/p_1.xml", "w/OCR-D-OCR-TESS/p_1.xml", "w/OCR-D-GT-SEG-LINE/p_1.xml"],
            "w/OCR-D-GT-SEG-LINE/p_1.xml",
        ),
        (
            "OCR-D-IMG/OCR-D-IMG_0001.tif",
            ["OCR-D-OCR-TESS/OCR-D-OCR-TESS_0001.xml", "OCR-D-OCR-TESS/OCR-D-OCR-TESS_0002.xml"],
            "OCR-D-OCR-TESS/OCR-D-OCR-TESS_0001.xml",
        ),
        ("w/images/p_1.tif", ["w/OCR-D-GT-SEG-LINE/p_1.xml"], None),
        ("scan.xml", ["scan.xml", "scan.xml.xml"], None),
    ],
)
def test_names_say_which_file_holds_the_text(
    tmp_path: Path, name: str, others: list[str], chosen: str | None
) -> None:
    for order in (others, others[::-1]):
        assert sidecars.beside(name, [name, *order]) == chosen
    for other in (name, *others):
        path = tmp_path / "root" / other
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = sidecars.find(tmp_path / "root" / name)
    assert found == (tmp_path / "root" / chosen if chosen else None)


def test_a_sidecar_that_comes_later_is_found(tmp_path: Path) -> None:
    scan = tmp_path / "scan.tif"
    scan.touch()
    assert sidecars.find(scan) is None
    os.utime(tmp_path, ns=(0, 0))  # clocks of file systems tick slowly
    assert sidecars.find(scan) is None
    sidecar = written(tmp_path, hocr())
    assert sidecars.find(scan) == sidecar


def test_thousands_of_names_are_matched_at_once() -> None:
    names = frozenset(f"w/{folder}/{n}.{end}" for n in range(5000) for folder, end in
                      (("img", "tif"), ("page", "xml")))  # fmt: skip
    began = time.perf_counter()
    found = {sidecars.beside(name, names) for name in names if name.endswith("tif")}
    assert found == {name for name in names if name.endswith("xml")}
    assert time.perf_counter() - began < 5


def test_only_these_names_may_be_sidecars() -> None:
    names = ["a.xml", "a.HOCR", "a.tif.xml", "a.hocr.html", "a.html", "a.tif", "xml", "a.xml.gz"]
    assert [name for name in names if sidecars.is_sidecar_name(name)] == names[:4]


# What is in it


def test_hocr_words_lines_and_confidence(tmp_path: Path) -> None:
    path = written(tmp_path, hocr(hocr_line("two", "words") + hocr_line("below", top=50)))
    found = sidecars.read(path, 1, 1)
    assert found is not None
    assert (found.text, found.source) == ("two words\nbelow", "sidecar")
    assert [(word.text, word.confidence) for word in found.words] == [
        ("two", 0.8),
        ("words", 0.9),
        ("below", 0.8),
    ]
    assert found.words[1].box == pytest.approx((0.2, 0.1, 0.35, 0.2))
    assert found.confidence == pytest.approx(2.5 / 3)


def test_hocr_lines_without_words_are_shared_out(tmp_path: Path) -> None:
    line = "<span class='ocr_line' title='bbox 0 10 200 20'>naïve&nbsp;caf&eacute;</span>"
    doctype = "<!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0 Strict//EN' 'file:///nowhere.dtd'>"
    found = sidecars.read(written(tmp_path, doctype + hocr(line)), 1, 1)
    assert found is not None
    assert (found.text, found.confidence) == ("naïve café", None)
    assert [word.text for word in found.words] == ["naïve", "café"]
    assert found.words[0].box.x1 <= found.words[1].box.x0


def test_hocr_that_is_html_and_not_xml_is_read(tmp_path: Path) -> None:
    content = (
        "<html><head><meta charset=utf-8></head><body>"
        "<div class=ocr_page title='bbox 0 0 200 100'><p>"
        f"{hocr_line('one', 'two')}<br><p>{hocr_line('three')}</div></body></html>"
    )
    assert text_of(written(tmp_path, content)) == "one two\nthree"


def test_pages_of_one_file_go_by_order(tmp_path: Path) -> None:
    for content in (
        hocr(hocr_line("first"), "", hocr_line("third")),
        alto(
            alto_page(("a", f"<TextLine>{string('first')}</TextLine>"))
            + alto_page()
            + alto_page(("b", f"<TextLine>{string('third')}</TextLine>"))
        ),
    ):
        path = written(tmp_path, content)
        assert text_of(path, 1, 3) == "first"
        assert sidecars.read(path, 2, 3) is None  # nothing on it: to be recognised
        assert text_of(path, 3, 4) == "third"
        assert sidecars.read(path, 4, 4) is None
        with pytest.raises(UnreadableFile, match="3 pages, the document has 2"):
            sidecars.read(path, 1, 2)


@pytest.mark.parametrize("version", [2, 3, 4])
def test_alto_words_and_broken_words(tmp_path: Path, version: int) -> None:
    lines = (
        "<TextLine>"
        + string("plain", more="WC='0.5'")
        + "<SP/>"
        + string("exam", 400, "SUBS_TYPE='HypPart1' SUBS_CONTENT='examples'")
        + "<HYP CONTENT='-'/></TextLine><TextLine>"
        + string("ples", more="SUBS_TYPE='HypPart2' SUBS_CONTENT='examples'")
        + string("with", 400)
        + string("unmar", 700)
        + f"<HYP CONTENT='\u00ad'/></TextLine><TextLine>{string('ked')}</TextLine>"
    )
    found = sidecars.read(written(tmp_path, alto(alto_page(("a", lines)), version=version)), 1, 1)
    assert found is not None
    assert found.text == "plain examples\nwith unmarked"
    assert [word.text for word in found.words][:3] == ["plain", "exam-", "ples"]
    assert found.words[0].box == pytest.approx((0.05, 0.1, 0.15, 0.15))
    assert found.confidence == 0.5


def test_a_word_broken_over_two_alto_pages_is_on_both(tmp_path: Path) -> None:
    halves = [
        string(part, more=f"SUBS_TYPE='{kind}' SUBS_CONTENT='whole'")
        for part, kind in (("who", "HypPart1"), ("le", "HypPart2"))
    ]
    pages = [alto_page(("a", f"<TextLine>{half}</TextLine>")) for half in halves]
    path = written(tmp_path, alto("".join(pages)))
    assert [text_of(path, number, 2) for number in (1, 2)] == ["whole", "whole"]


def test_the_reading_order_of_alto_is_kept(tmp_path: Path) -> None:
    order = "<ReadingOrder><OrderedGroup><ElementRef REF='b'/><ElementRef REF='gone'/>"
    order += "</OrderedGroup></ReadingOrder>"
    blocks = [(id_, f"<TextLine>{string(id_ * 3)}</TextLine>") for id_ in "abc"]
    path = written(tmp_path, alto(alto_page(*blocks), version=4, order=order))
    assert text_of(path) == "bbb\naaa\nccc"


def test_the_reading_order_of_page_xml_is_kept(tmp_path: Path) -> None:
    order = (
        "<pc:ReadingOrder><pc:OrderedGroup>"
        "<pc:RegionRefIndexed index='2' regionRef='one'/>"
        "<pc:UnorderedGroupIndexed index='1' regionRef='table'>"
        "<pc:RegionRef regionRef='cell2'/><pc:RegionRef regionRef='cell1'/>"
        "</pc:UnorderedGroupIndexed>"
        "<pc:RegionRefIndexed index='0' regionRef='two'/>"
        "</pc:OrderedGroup></pc:ReadingOrder>"
    )
    cells = region("cell1", page_line("C1")) + region("cell2", page_line("C2"))
    content = (
        region("late", page_line("nowhere named"))
        + region("one", page_line("un-"), page_line("broken"))
        + region("two", page_line("first"))
        + region("table", tag="TableRegion", inner=cells)
    )
    path = written(tmp_path, page_xml(order + content))
    assert text_of(path) == "first\nC2\nC1\nunbroken\nnowhere named"


def test_page_xml_words_readings_and_old_outlines(tmp_path: Path) -> None:
    word = (
        "<pc:Word><pc:Coords><pc:Point x='20' y='10'/><pc:Point x='60' y='30'/></pc:Coords>"
        "<pc:TextEquiv index='1' conf='0.2'><pc:Unicode>worse</pc:Unicode></pc:TextEquiv>"
        "<pc:TextEquiv index='0' conf='0.75'><pc:Unicode>ſo</pc:Unicode></pc:TextEquiv></pc:Word>"
    )
    content = region("r", page_line("ſo.", word), page_line("no words", conf="conf='0.25'"))
    found = sidecars.read(written(tmp_path, page_xml(content, year="2010-03-19")), 1, 1)
    assert found is not None
    assert found.text == "ſo.\nno words"
    assert [word.text for word in found.words] == ["ſo", "no", "words"]
    assert found.words[0].box == pytest.approx((0.1, 0.1, 0.3, 0.3))
    assert found.words[2].box.x1 == pytest.approx(0.9)
    assert found.confidence == pytest.approx(0.5)


def test_text_of_regions_alone_is_text_without_boxes(tmp_path: Path) -> None:
    inner = "<pc:TextEquiv><pc:Unicode>one\ntwo</pc:Unicode></pc:TextEquiv>"
    found = sidecars.read(written(tmp_path, page_xml(region("r", inner=inner))), 1, 1)
    assert found == PageText("one\ntwo", "sidecar")


def test_nonsense_boxes_cost_only_the_box(tmp_path: Path) -> None:
    lies = ["bbox 5 5 1 1", "bbox nan 1 2 3", "bbox 1 2", "bbox 900 0 950 9", "x_wconf x", ""]
    words = "".join(f"<i class='ocrx_word' title='{lie}'>w</i>" for lie in lies)
    found = sidecars.read(written(tmp_path, hocr(words)), 1, 1)
    assert found == PageText("w w w w w w", "sidecar")


@pytest.mark.skipif(not ocr.has_tesseract(), reason="Tesseract is not installed")
def test_what_tesseract_writes_is_read_the_same_in_both_formats(tmp_path: Path) -> None:
    image = builders.page_image(builders.LOREM[:4], dpi=100).crop((0, 80, 827, 240))
    image.save(tmp_path / "scan.png")
    command = ["tesseract", "scan.png", "scan", "-l", "eng", "hocr", "alto", "txt"]
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, env=environment)
    plain = (tmp_path / "scan.txt").read_text()
    hocr, alto = (sidecars.read(tmp_path / name, 1, 1) for name in ("scan.hocr", "scan.xml"))
    assert hocr is not None
    assert hocr == alto
    assert hocr.text.splitlines() == [line for line in plain.splitlines() if line.strip()]
    assert [word.text for word in hocr.words] == plain.split()
    assert 0.5 < (hocr.confidence or 0) <= 1


def test_words_of_languages_without_spaces_have_none(tmp_path: Path) -> None:
    assert (
        text_of(written(tmp_path, hocr(hocr_line("東京", "都", "in", "Japan"))))
        == "東京都 in Japan"
    )


# What is none, and hostile ones


@pytest.mark.parametrize(
    "content",
    ["<mets/>", "<html><body><p>a web page</p></body></html>", "<alto/>", "<PcGts/>", hocr()],
)
def test_other_files_hold_no_text(tmp_path: Path, content: str) -> None:
    assert sidecars.read(written(tmp_path, content), 1, 1) is None


def test_entities_are_neither_expanded_nor_read(tmp_path: Path) -> None:
    secret = written(tmp_path, "secret", "secret.txt")
    line = "<span class='ocr_line' title='bbox 0 0 9 9'>&e;</span>"
    bomb = "<!ENTITY a 'aaaaaaaaaa'>" + "".join(
        f"<!ENTITY {chr(98 + n)} '{f'&{chr(97 + n)};' * 10}'>" for n in range(8)
    )
    for declared in (
        f"<!ENTITY e SYSTEM '{secret.as_uri()}'>",
        f"<!ENTITY % p SYSTEM '{secret.as_uri()}'> %p;<!ENTITY e 'x'>",
        bomb.replace("b '", "e '", 1),
        bomb,
    ):
        path = written(tmp_path, f"<!DOCTYPE html [{declared}]>{hocr(line)}")
        with pytest.raises(UnreadableFile, match="declares entities"):
            sidecars.read(path, 1, 1)
    path = written(tmp_path, f"<!DOCTYPE html SYSTEM '{secret.as_uri()}'>{hocr(line + 'x')}")
    assert sidecars.read(path, 1, 1) is None  # an unknown entity is nothing


def test_files_beyond_any_page_are_refused_quickly(tmp_path: Path) -> None:
    huge = tmp_path / "huge.xml"
    with huge.open("wb") as file:
        file.truncate(1 << 33)
    cases = [
        huge,
        written(tmp_path, "<alto>" * 500 + "</alto>" * 500, "deep.xml"),
        written(tmp_path, "<alto>" + "<a/>" * 500_000 + "</alto>", "wide.xml"),
        written(tmp_path, hocr(hocr_line(*["word"] * 60_000)), "long.xml"),
    ]
    for path in cases:
        began = time.process_time()
        with pytest.raises(LimitExceeded):
            sidecars.read(path, 1, 1)
        assert time.process_time() - began < 10


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\0\xd8<",
        hocr(hocr_line("cut"))[:-40].encode(),
        b"<?xml version='1.0' encoding='klingon'?><alto/>",
        b"<alto>\xe9</alto>",
    ],
)
def test_broken_ones_leave_the_page_to_be_recognised(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "scan.xml"
    path.write_bytes(content)
    page = Page(1, b"", 10, 10, warning="old", unread=Image.new("RGB", (9, 9)))
    found = sidecars.with_sidecar(page, path, 1)
    assert (found.unread, found.text) == (page.unread, page.text)
    assert found.warning.startswith("old; scan.xml: ")
    assert "\n" not in found.warning


def test_what_is_no_file_is_a_warning(tmp_path: Path) -> None:
    page = Page(1, b"", 10, 10, unread=Image.new("RGB", (9, 9)))
    os.mkfifo(tmp_path / "pipe.xml")
    (tmp_path / "folder.xml").mkdir()
    for name in ("pipe.xml", "folder.xml", "gone.xml"):
        assert sidecars.with_sidecar(page, tmp_path / name, 1).warning.startswith(name)


def test_a_page_gets_its_text_only_where_it_would_be_recognised(tmp_path: Path) -> None:
    path = written(tmp_path, hocr(hocr_line("beside")))
    scan = Page(1, b"", 10, 10, unread=Image.new("RGB", (9, 9)))
    found = sidecars.with_sidecar(scan, path, 2)
    assert (found.text.text, found.unread, found.warning) == ("beside", None, "")
    second = Page(2, b"", 10, 10, unread=scan.unread)
    assert sidecars.with_sidecar(second, path, 2) is second
    printed = Page(1, b"", 10, 10, text=PageText("layer", "layer"))
    assert sidecars.with_sidecar(printed, path, 2) is printed
