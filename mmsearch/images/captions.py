"""What people have written into a photo beside the picture: titles, captions, keywords, names.

Three standards hold them, EXIF, IPTC and XMP, and most programs write the same words into several.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

if TYPE_CHECKING:
    from PIL.Image import Image

_MOST_XMP = 1 << 20  # bytes
_MOST_WORDS = 4000  # characters of one value, and of a title 300
_LONGEST_TITLE = 300

_EXIF_IFD = 0x8769
_EXIF_TITLE, _EXIF_CAPTIONS = (0x9C9B,), (0x010E, 0x9C9F, 0x9C9C, 0x9C9E, 0x9286, 0x9C9D, 0x013B)
_IPTC_TITLES = ((2, 5), (2, 105))
_IPTC_CAPTIONS = ((2, 120), (2, 25), (2, 92), (2, 90), (2, 95), (2, 101), (2, 80))
_UTF8_MARK = b"\x1b%G"  # in the record 1:90: what follows is UTF-8

_DC = "http://purl.org/dc/elements/1.1/ "
_PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/ "
_CORE = "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/ "
_RDF_LI = "http://www.w3.org/1999/02/22-rdf-syntax-ns# li"
_XMP_TITLES = (_DC + "title", _PHOTOSHOP + "Headline")
_XMP_CAPTIONS = (
    *(_DC + "description", _DC + "subject", _CORE + "Location", _PHOTOSHOP + "City"),
    *(_PHOTOSHOP + "State", _PHOTOSHOP + "Country", _DC + "creator"),
)
_TEXT_TITLES, _TEXT_CAPTIONS = ("Title",), ("Description", "Subject", "Comment", "Author")
_TAGS = (
    *("title", "description", "synopsis", "comment", "keywords", "artist", "album", "show"),
    *("episode_id", "location-name"),
)

# Written by cameras, scanners and programs, not by people.
_MACHINE_WORDS = re.compile(
    r"(?:(?:olympus|sony|kodak|minolta|konica|samsung|fuji\w*|casio|canon|nikon|sanyo|ricoh)?\s*"
    r"(?:digital (?:still )?camera|dsc|camera)"
    r"|(?:dcim|dsc[fn]?|img|pict?|p|mvi|sam|hpim|imgp?|photo|image|scan)[\s_-]?\d*"
    r"|ascii|unicode|default|untitled|untitled-\d+|none|null|unknown|title|description|charset=.*"
    r"|screenshot|picasa|exif_jpeg_\w+|jpeg|binary comment|lead technologies.*|file written by .*"
    r"|created (?:with|by|in|using) .*|creator: .*|generated (?:by|with) .*|made with .*"
    r"|applemark"
    r"|<.*>|\{.*\}|.* version [\d.]+|.* engine v[\d.].*"
    r"|(?:processed|edited) (?:by|with) .*|software: .*|optimized by .*|compressed by .*"
    r"|ac?d ?systems .*|intel\(r\) .*|adobe .*|handmade software.*|cs\d+|<\?xpacket.*)"
    r"(?:\.(?:jpe?g|png|tiff?))?",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Caption:
    """The words beside a picture: its `title`, and as `text` all of them, a line each."""

    title: str = ""
    text: str = ""


def caption(image: Image) -> Caption:
    """Read title, captions, keywords, places and author from EXIF, IPTC, XMP and text chunks.

    Nothing is decoded. Words that cameras and programs write by themselves are left out, and so is
    what is damaged: this never raises.
    """
    titles: list[str] = []
    others: list[str] = []
    for read in (_xmp, _iptc, _exif, _text_chunks):
        with suppress(Exception):  # free-form bytes of strangers, read by several libraries
            found_titles, found_others = read(image)
            titles += filter(None, map(_sensible, found_titles))
            others += filter(None, map(_sensible, found_others))
    title = next((title for title in titles if len(title) <= _LONGEST_TITLE), "")
    return Caption(title, "\n".join(_once([*titles, *others])))


def caption_of_tags(tags: Mapping[str, str]) -> Caption:
    """The same from the tags of a video file; their names in any case."""
    lower = {name.lower(): str(value) for name, value in tags.items()}
    texts = [_sensible(lower.get(name, "")) for name in _TAGS]
    title = texts[0] if len(texts[0]) <= _LONGEST_TITLE else ""
    return Caption(title, "\n".join(_once(filter(None, texts))))


Found = tuple[list[str], list[str]]  # titles, and what else is worth finding


def _exif(image: Image) -> Found:
    if image.format == "PNG" and "exif" not in image.info:
        return [], []  # looking further would decode the picture
    exif = image.getexif()
    values: dict[int, Any] = {**exif, **exif.get_ifd(_EXIF_IFD)}
    return (
        [_exif_text(tag, values.get(tag)) for tag in _EXIF_TITLE],
        [_exif_text(tag, values.get(tag)) for tag in _EXIF_CAPTIONS],
    )


def _exif_text(tag: int, value: object) -> str:
    if isinstance(value, tuple):  # bytes in another guise
        value = bytes(value)
    if isinstance(value, str):
        # Pillow reads ASCII as Latin-1; whoever writes more than ASCII there writes UTF-8.
        value = value.encode("latin-1", "replace")
    if not isinstance(value, bytes):
        return ""
    if 0x9C9B <= tag <= 0x9C9F:
        return value.decode("utf-16-le", "ignore")
    if tag == 0x9286:
        return _user_comment(value)
    return _decoded(value)


def _user_comment(value: bytes) -> str:
    """EXIF's comment begins with eight bytes that name its characters."""
    code, text = value[:8].rstrip(b"\0 "), value[8:]
    if code == b"UNICODE":
        if text.startswith((b"\xff\xfe", b"\xfe\xff")):
            return text.decode("utf-16", "ignore")
        little = text[1::2].count(0) >= text[::2].count(0)  # the standard does not say
        return text.decode("utf-16-le" if little else "utf-16-be", "ignore")
    if code == b"JIS":
        return text.decode("iso2022_jp", "ignore")
    return _decoded(text if code in (b"ASCII", b"") else value)


def _iptc(image: Image) -> Found:
    from PIL import ImageFile, IptcImagePlugin

    if not isinstance(image, ImageFile.ImageFile):
        return [], []
    records: Mapping[tuple[int, int], Any] = IptcImagePlugin.getiptcinfo(image) or {}
    marked = records.get((1, 90)) == _UTF8_MARK

    def texts(keys: Iterable[tuple[int, int]]) -> list[str]:
        found = []
        for key in keys:
            values = records.get(key, [])
            values = values if isinstance(values, list) else [values]
            found.append(
                ", ".join(v.decode("utf-8", "ignore") if marked else _decoded(v) for v in values)
            )
        return found

    return texts(_IPTC_TITLES), texts(_IPTC_CAPTIONS)


def _xmp(image: Image) -> Found:
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if packet is None and (tags := getattr(image, "tag_v2", None)) is not None:
        packet = tags.get(700)
    if isinstance(packet, str):
        packet = packet.encode()
    if not isinstance(packet, bytes) or len(packet) > _MOST_XMP:
        return [], []
    values = _xmp_values(packet.rstrip(b"\0 \r\n\t"), {*_XMP_TITLES, *_XMP_CAPTIONS})
    return (
        [", ".join(_once(values.get(name, []))) for name in _XMP_TITLES],
        [", ".join(_once(values.get(name, []))) for name in _XMP_CAPTIONS],
    )


def _xmp_values(packet: bytes, names: set[str]) -> dict[str, list[str]]:
    """The values of these properties up to where the XML ends or breaks; without entities."""
    found: dict[str, list[str]] = {}
    name = ""
    text: list[str] = []

    def refuse(*_: object) -> None:
        raise ValueError("XMP has no document type")

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal name
        if tag in names:
            name = tag
        if not name or tag == _RDF_LI:
            text.clear()
        for key in names & attributes.keys():
            found.setdefault(key, []).append(attributes[key])

    def end(tag: str) -> None:
        nonlocal name
        if name and tag in (_RDF_LI, name):
            found.setdefault(name, []).append("".join(text).strip())
            text.clear()
        if tag == name:
            name = ""

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = text.append
    with suppress(expat.ExpatError):
        parser.Parse(packet, True)
    return {key: list(filter(None, values)) for key, values in found.items()}


def _text_chunks(image: Image) -> Found:
    """PNG's text, and the comment of a GIF or JPEG."""
    texts = image.info  # not `image.text`, which decodes the picture
    comment = image.info.get("comment", b"")
    return (
        [str(texts.get(key, "")) for key in _TEXT_TITLES],
        [
            *(str(texts.get(key, "")) for key in _TEXT_CAPTIONS),
            comment if isinstance(comment, str) else _decoded(comment),
        ],
    )


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("cp1252", "replace")


def _sensible(text: str) -> str:
    """The text on one line, or nothing where no person wrote it."""
    text = " ".join(text.split("\0")[0][:_MOST_WORDS].split())
    readable = text and sum(map(str.isprintable, text)) == len(text) and "\ufffd" not in text
    letters = sum(map(str.isalnum, text))
    if not readable or letters < max(2, len(text) // 3) or _MACHINE_WORDS.fullmatch(text):
        return ""
    return text


def _once(texts: Iterable[str]) -> list[str]:
    """Without repetitions."""
    return list(dict.fromkeys(texts))
