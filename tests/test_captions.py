"""Words inside image files: EXIF, IPTC, XMP, text chunks; honest, odd and hostile ones."""

from __future__ import annotations

import io

import pytest
from PIL import Image, PngImagePlugin

from mmsearch.images.captions import Caption, caption, caption_of_tags
from tests import builders

PICTURE = Image.new("RGB", (16, 16), "red")
RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
DC = 'xmlns:dc="http://purl.org/dc/elements/1.1/"'


def saved(form: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    PICTURE.save(buffer, form, **options)
    return buffer.getvalue()


def words(content: bytes) -> Caption:
    with Image.open(io.BytesIO(content)) as image:
        return caption(image)


def exif(tags: dict[int, object]) -> bytes:
    block = Image.Exif()
    for tag, value in tags.items():
        if tag == 0x9286:
            block.get_ifd(0x8769)[tag] = value
        else:
            block[tag] = value
    return saved(exif=block)


def xmp(body: str, head: str = "") -> bytes:
    packet = (
        f'{head}<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {RDF}><rdf:Description {DC} '
        'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" rdf:about="" '
        f"{body}</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    return packet.encode()


@pytest.mark.parametrize(
    ("tags", "text"),
    [
        ({0x010E: "Ships in fog"}, "Ships in fog"),
        ({0x010E: "Möwen über Lübeck".encode()}, "Möwen über Lübeck"),
        ({0x010E: "Möwen".encode("latin-1")}, "Möwen"),
        ({0x9C9F: "Subject of it\0".encode("utf-16-le")}, "Subject of it"),
        ({0x9C9E: "harbour; fog\0".encode("utf-16-le")}, "harbour; fog"),
        ({0x9286: b"ASCII\0\0\0A note"}, "A note"),
        ({0x9286: b"\0\0\0\0\0\0\0\0A note"}, "A note"),
        ({0x9286: b"UNICODE\0" + "灯台 left".encode("utf-16-le")}, "灯台 left"),
        ({0x9286: b"UNICODE\0" + "right".encode("utf-16-be")}, "right"),
        ({0x9286: b"JIS\0\0\0\0\0" + "灯台の朝".encode("iso2022_jp")}, "灯台の朝"),
    ],
)
def test_exif(tags: dict[int, object], text: str) -> None:
    assert words(exif(tags)) == Caption("", text)


def test_windows_title_is_a_title() -> None:
    tags = {0x9C9B: "Abend am Meer\0".encode("utf-16-le"), 0x010E: "With gulls"}
    assert words(exif(tags)) == Caption("Abend am Meer", "Abend am Meer\nWith gulls")


@pytest.mark.parametrize(("charset", "encoding"), [(b"\x1b%G", "utf-8"), (b"", "latin-1")])
def test_iptc(charset: bytes, encoding: str) -> None:
    records = [
        (2, 5, "Käfer".encode(encoding)),
        (2, 120, "A beetle on a leaf".encode(encoding)),
        (2, 25, b"beetle"),
        (2, 25, b"garden"),
        (2, 90, "Görlitz".encode(encoding)),
    ]
    if charset:
        records.insert(0, (1, 90, charset))
    found = words(builders.with_iptc(saved(), records))
    assert found.title == "Käfer"
    assert found.text == "Käfer\nA beetle on a leaf\nbeetle, garden\nGörlitz"


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "TIFF", "PNG"])
def test_xmp(form: str) -> None:
    packet = xmp(
        'photoshop:City="Wien"><dc:title><rdf:Alt><rdf:li xml:lang="x-default">Prater &amp; Rad'
        "</rdf:li></rdf:Alt></dc:title><dc:subject><rdf:Bag><rdf:li>wheel</rdf:li>"
        "<rdf:li>park</rdf:li></rdf:Bag></dc:subject>"
    )
    options: dict[str, object] = {"xmp": packet}
    if form == "TIFF":
        options = {"tiffinfo": {700: packet}}
    if form == "PNG":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt("XML:com.adobe.xmp", packet.decode())
        options = {"pnginfo": chunks}
    assert words(saved(form, **options)) == Caption(
        "Prater & Rad", "Prater & Rad\nwheel, park\nWien"
    )


def test_the_same_words_in_several_places_are_said_once() -> None:
    block = Image.Exif()
    block[0x010E] = "A beetle"
    jpeg = saved(exif=block, xmp=xmp("><dc:description>A beetle</dc:description>"))
    found = words(builders.with_iptc(jpeg, [(2, 120, b"A beetle"), (2, 5, b"Beetle")]))
    assert found == Caption("Beetle", "Beetle\nA beetle")


@pytest.mark.parametrize(
    "packet",
    [
        xmp(
            "><dc:title>&c;</dc:title>",
            '<!DOCTYPE x [<!ENTITY a "lollol"><!ENTITY b "&a;&a;&a;"><!ENTITY c "&b;&b;&b;">]>',
        ),
        xmp("><dc:title>&f;</dc:title>", '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>'),
        b"<x" * 30_000,
        b"\xff\xfe\x00broken",
    ],
)
def test_hostile_xmp_says_nothing_and_hides_nothing(packet: bytes) -> None:
    block = Image.Exif()
    block[0x010E] = "Still read"
    assert words(saved(exif=block, xmp=packet[:60_000])) == Caption("", "Still read")


def test_oversized_xmp_is_left_alone() -> None:
    body = "><dc:title>Huge</dc:title>"
    small, large = xmp(body), xmp(body) + b" " + b"x" * (1 << 20)
    for packet, title in ((small, "Huge"), (large, "")):
        assert words(saved("WEBP", xmp=packet)).title == title


@pytest.mark.parametrize(
    "written",
    [
        "OLYMPUS DIGITAL CAMERA         ",
        "DCIM100",
        "SONY DSC",
        "IMG_2041.jpg",
        "CREATOR: gd-jpeg v1.0 (using IJG JPEG v62), quality = 90",
        "Created with GIMP",
        "AppleMark",
        "   ",
        "....",
        "a\ufffdb\ufffd\ufffd",
    ],
)
def test_what_machines_write_is_no_caption(written: str) -> None:
    assert words(exif({0x010E: written.encode()})) == Caption()
    assert words(saved(comment=written.encode())) == Caption()
    assert caption_of_tags({"title": written}) == Caption()


def test_text_chunks_of_png_and_comments() -> None:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("Title", "Night train")
    chunks.add_text("Description", "From Praha to Žilina", zip=True)
    assert words(saved("PNG", pnginfo=chunks)).text == "Night train\nFrom Praha to Žilina"
    assert words(saved("GIF", comment=b"A red square")) == Caption("", "A red square")


def test_captions_are_bounded() -> None:
    found = words(exif({0x010E: "long words " * 2_000, 0x9C9B: ("t" * 400).encode("utf-16-le")}))
    assert found.title == ""  # nobody gives a title of 400 letters
    assert len(found.text) < 5_000


def test_damaged_pictures_have_captions_still() -> None:
    block = Image.Exif()
    block[0x010E] = "Half of it"
    buffer = io.BytesIO()
    builders.page_image(dpi=40).save(buffer, "JPEG", exif=block)
    assert words(buffer.getvalue()[: len(buffer.getvalue()) // 2]) == Caption("", "Half of it")


def test_looking_for_a_caption_decodes_nothing() -> None:
    png = saved("PNG")
    with Image.open(io.BytesIO(png[:-30])) as image:  # cut within the pixels
        assert caption(image) == Caption()
        with pytest.raises(OSError, match=r"[Tt]runcated"):
            image.load()


def test_tags_of_a_video() -> None:
    tags = {"TITLE": "Prater", "description": "A wheel", "comment": "A wheel", "encoder": "Lavf62"}
    assert caption_of_tags(tags) == Caption("Prater", "Prater\nA wheel")
