"""From files to pages: PDFs and images, whole and broken."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from ingest import scans
from ingest.readers import OpenFile, ReadContext, is_supported, open_file
from mmsearch import ocr
from mmsearch.config import Settings
from mmsearch.errors import LimitExceeded, NeedsPassword, UnreadableFile
from mmsearch.types import Page
from tests import builders

NO_OCR = Settings(ocr="off")
READ = Settings()


def pages_of(path: Path, settings: Settings = NO_OCR) -> list[Page]:
    with open_file(path, ReadContext(settings)) as file:
        pages = [file.page(number) for number in range(1, file.page_count + 1)]
    return [scans.finished(page, settings) for page in pages]


def picture_of(page: Page) -> Image.Image:
    return Image.open(io.BytesIO(page.picture))


def test_every_page_of_a_pdf(tmp_path: Path) -> None:
    path = builders.write_text_pdf(tmp_path / "report.pdf", ["revenue grew", "costs fell"])
    with open_file(path, ReadContext(NO_OCR)) as file:
        assert (file.kind, file.page_count, file.title) == ("pdf", 2, "report")
        second, first = file.page(2), file.page(1)  # in any order
    assert (first.number, first.text.text) == (1, "revenue grew")
    assert (second.number, second.text.text) == (2, "costs fell")
    assert first.text.source == "layer"


def test_the_picture_fits_the_budget(tmp_path: Path) -> None:
    page = pages_of(builders.write_text_pdf(tmp_path / "a.pdf", ["x"]))[0]
    assert picture_of(page).size == (page.width, page.height) == (1120, 1600)


@pytest.mark.parametrize("size", [(14_400, 14_400), (14_400, 10), (100, 60)])
def test_odd_page_sizes(tmp_path: Path, size: tuple[float, float]) -> None:
    page = pages_of(builders.write_text_pdf(tmp_path / "a.pdf", ["x"], size=size))[0]
    assert page.width * page.height <= 1_843_200
    assert page.width % 32 == page.height % 32 == 0
    assert max(page.width, page.height) <= 200 * min(page.width, page.height)


def test_a_coarse_scan_is_not_blown_up(tmp_path: Path) -> None:
    scan = builders.page_image(dpi=75)
    page = pages_of(builders.write_scan_pdf(tmp_path / "a.pdf", [scan], dpi=75))[0]
    assert abs(page.width - scan.width) <= 16
    assert abs(page.height - scan.height) <= 16


def test_rotation_is_honoured(tmp_path: Path) -> None:
    path = builders.write_text_pdf(tmp_path / "a.pdf", ["wide page"], rotate=90)
    page = pages_of(path)[0]
    assert page.width > page.height
    # the words are drawn where their boxes say
    box = page.text.words[0].box
    picture = picture_of(page).convert("L")
    spot = (box.x0 * page.width, box.y0 * page.height, box.x1 * page.width, box.y1 * page.height)
    assert picture.crop(tuple(map(round, spot))).getextrema()[0] < 100


def test_crop_box_is_honoured(tmp_path: Path) -> None:
    path = builders.write_text_pdf(tmp_path / "a.pdf", ["x"], crop=(0, 442, 595, 842))
    page = pages_of(path)[0]
    assert page.width / page.height == pytest.approx(595 / 400, rel=0.03)


@pytest.mark.parametrize(
    ("title", "seen"),
    [
        ("Annual Report 2023", "Annual Report 2023"),
        ("Microsoft Word - minutes of May.docx", "minutes of May"),
        ("untitled", "stem"),
        ("PowerPoint Presentation", "stem"),
        ("C:\\Users\\me\\file.doc", "stem"),
        ("12345", "stem"),
    ],
)
def test_title(tmp_path: Path, title: str, seen: str) -> None:
    path = builders.write_text_pdf(tmp_path / "stem.pdf", ["x"], title=title)
    with open_file(path, ReadContext(NO_OCR)) as file:
        assert file.title == seen


def test_a_scan_is_recognised(tmp_path: Path) -> None:
    path = builders.write_scan_pdf(tmp_path / "a.pdf", [builders.page_image()])
    page = pages_of(path, READ)[0]
    assert page.text.source == "ocr"
    assert "lighthouse" in page.text.text
    assert pages_of(path, NO_OCR)[0].text.source == "none"


def test_a_sane_hidden_layer_is_believed(tmp_path: Path) -> None:
    hidden = "\n".join(builders.LOREM)
    path = builders.write_scan_pdf(tmp_path / "a.pdf", [builders.page_image()], hidden=hidden)
    page = pages_of(path, READ)[0]
    assert page.text.source == "layer"
    assert "ledger" in page.text.text


def test_a_stamp_over_a_scan_is_not_its_text(tmp_path: Path) -> None:
    path = builders.write_scan_pdf(tmp_path / "a.pdf", [builders.page_image()], hidden="Bates 0001")
    page = pages_of(path, READ)[0]
    assert page.text.source == "ocr"
    assert "lighthouse" in page.text.text


def test_a_garbage_layer_is_replaced_by_ocr(tmp_path: Path) -> None:
    hidden = "OLJKWKRXVH NHHSHU FRXQWHG VHYHQ VKLSV\n" * 10
    path = builders.write_scan_pdf(tmp_path / "a.pdf", [builders.page_image()], hidden=hidden)
    page = pages_of(path, READ)[0]
    assert page.text.source == "ocr"
    assert "NHHSHU" not in page.text.text


def test_an_empty_page_costs_no_ocr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: object, **options: object) -> None:
        raise AssertionError("OCR was asked about an empty page")

    monkeypatch.setattr(ocr, "read_page", never)
    page = pages_of(builders.write_empty_page_pdf(tmp_path / "a.pdf"), READ)[0]
    assert page.text.text == ""


def test_encrypted(tmp_path: Path) -> None:
    path = builders.write_text_pdf(tmp_path / "secret.pdf", ["x"], password="open sesame")
    with pytest.raises(NeedsPassword, match=r"^secret\.pdf: encrypted, it needs a password"):
        open_file(path, ReadContext(NO_OCR))
    with open_file(path, ReadContext(NO_OCR, passwords=("wrong", "open sesame"))) as file:
        assert file.page(1).text.text == "x"


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("empty.pdf", b"", "is empty"),
        ("words.pdf", b"these are just words", "not a PDF"),
        ("head.pdf", b"%PDF-1.7\n", "not a PDF"),
        ("noise.png", b"\x89PNG\r\n\x1a\nnoise", "damaged|not an image"),
        ("thing.xyz", b"whatever", "not a kind of file"),
    ],
)
def test_broken_files_say_why_in_one_line(
    tmp_path: Path, name: str, content: bytes, cause: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=cause) as caught:
        pages_of(path)
    assert str(caught.value).startswith(name)
    assert "\n" not in str(caught.value)


def test_zero_pages(tmp_path: Path) -> None:
    path = builders.write_zero_page_pdf(tmp_path / "none.pdf")
    with pytest.raises(UnreadableFile, match="no pages"):
        open_file(path, ReadContext(NO_OCR))


def test_a_cut_short_pdf_ends_in_pages_or_one_error(tmp_path: Path) -> None:
    path = builders.write_text_pdf(tmp_path / "half.pdf", [f"page {n}" for n in range(20)])
    builders.cut_short(path, 0.1)
    with pytest.raises(UnreadableFile, match=r"^half\.pdf: "):
        pages_of(path)


def test_missing_folder_and_too_large(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no such file"):
        open_file(tmp_path / "none.pdf", ReadContext(NO_OCR))
    with pytest.raises(UnreadableFile, match="not a regular file"):
        open_file(tmp_path, ReadContext(NO_OCR))
    path = builders.write_text_pdf(tmp_path / "a.pdf", ["x"])
    with pytest.raises(LimitExceeded, match="max_file_bytes"):
        open_file(path, ReadContext(Settings(ocr="off", max_file_bytes=100)))


def test_page_numbers_outside_the_file(tmp_path: Path) -> None:
    with open_file(builders.write_text_pdf(tmp_path / "a.pdf", ["x"]), ReadContext(NO_OCR)) as file:
        for number in (0, 2):
            with pytest.raises(UnreadableFile, match=f"has no page {number}"):
                file.page(number)


def test_content_decides_before_the_extension(tmp_path: Path) -> None:
    path = builders.write_text_pdf(tmp_path / "really-a-pdf.png", ["x"])
    with open_file(path, ReadContext(NO_OCR)) as file:
        assert file.kind == "pdf"
    photo = tmp_path / "photo.pdf"
    Image.new("RGB", (64, 64)).save(photo, "PNG")
    with open_file(photo, ReadContext(NO_OCR)) as file:
        assert file.kind == "image"


def test_every_page_of_a_tiff(tmp_path: Path) -> None:
    scans = [builders.page_image(), builders.page_image(["second page of the fax"] * 3)]
    pages = pages_of(builders.write_tiff(tmp_path / "fax.tif", scans), READ)
    assert [page.number for page in pages] == [1, 2]
    assert "lighthouse" in pages[0].text.text
    assert "second page of the fax" in pages[1].text.text


def test_an_image_is_one_upright_page(tmp_path: Path) -> None:
    path = builders.write_turned_jpeg(tmp_path / "phone.jpg", builders.page_image())
    with open_file(path, ReadContext(READ)) as file:
        assert (file.kind, file.title, file.page_count) == ("image", "phone", 1)
    (page,) = pages_of(path, READ)
    assert page.height > page.width
    assert "lighthouse" in page.text.text


def test_files_of_both_kinds_are_open_files(tmp_path: Path) -> None:
    path = builders.write_tiff(tmp_path / "fax.tif", [builders.page_image()])
    file: OpenFile = open_file(path, ReadContext(NO_OCR))
    with file as entered:
        assert entered is file


@pytest.mark.parametrize("name", ["a.pdf", "b.PDF", "c.jpeg", "d.TIF", "e.webp", "f.heic"])
def test_supported(name: str) -> None:
    assert is_supported(Path(name))


@pytest.mark.parametrize("name", ["a.eps", "b.txt", "c", ".pdf", "d.pdf.part"])
def test_not_supported(name: str) -> None:
    assert not is_supported(Path(name))
