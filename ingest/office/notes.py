"""Speaker notes of presentations, read from the XML inside them.

The XML is hostile: no document types, no entities, parts of bounded size.
"""

from __future__ import annotations

import logging
import posixpath
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

logger = logging.getLogger(__name__)

_MAX_PART = 32 << 20  # bytes of one part; content.xml of a long deck
_MAX_NOTES = 100_000  # characters a slide

_RELATIONS = "{http://schemas.openxmlformats.org/package/2006/relationships}"
_ODF = "{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}"


def slide_notes(path: Path, suffix: str) -> list[str] | None:
    """The notes of each slide in the order of the deck, "" where it has none.

    Args:
        path: a presentation.
        suffix: `.pptx` or `.odp` by its content; there are no notes in others.

    Returns:
        One string a slide; None where they cannot be read: then the slides are still there.
    """
    from defusedxml.common import DefusedXmlException

    read = {".pptx": _pptx, ".odp": _odp}.get(suffix)
    if read is None:
        return None
    try:
        with zipfile.ZipFile(path) as file:
            return [notes[:_MAX_NOTES] for notes in read(file)]
    except (
        DefusedXmlException, zipfile.BadZipFile, OSError, KeyError, ValueError, SyntaxError,
        NotImplementedError, RuntimeError, EOFError, LookupError,
    ) as error:  # fmt: skip
        logger.info("%s: its notes cannot be read (%s)", path.name, type(error).__name__)
        return None


def _pptx(file: zipfile.ZipFile) -> Iterator[str]:
    main = _target(file, "", "officeDocument")
    if main is None:
        raise KeyError("no presentation")
    slides = _related(file, main)
    for item in _parse(file, main).iter():
        if _local(item) != "sldId":
            continue
        relation = next((v for k, v in item.attrib.items() if k.endswith("}id")), "")
        _, slide = slides.get(relation, ("", ""))
        yield _notes_of(file, slide)


def _notes_of(file: zipfile.ZipFile, slide: str) -> str:
    """The notes of one slide; other slides have theirs even where these are damaged."""
    try:
        part = _target(file, slide, "notesSlide")
        if part is None:
            return ""
        root = _parse(file, part)
    except (KeyError, ValueError, SyntaxError, zipfile.BadZipFile):
        return ""
    shapes = (shape for shape in root.iter() if _local(shape) == "sp" and _is_notes(shape))
    return _joined(
        paragraph for shape in shapes for paragraph in shape.iter() if _local(paragraph) == "p"
    )


def _is_notes(shape: Element) -> bool:
    """Whether a shape of a notes page is the notes: not the date, nor the slide's number."""
    holder = next((item for item in shape.iter() if _local(item) == "ph"), None)
    kind = "body" if holder is None else holder.get("type", "body")
    return kind not in {"sldNum", "dt", "ftr", "hdr", "sldImg"}


def _odp(file: zipfile.ZipFile) -> Iterator[str]:
    page, notes = (_ODF % "drawing") + "page", (_ODF % "presentation") + "notes"
    paragraphs = {(_ODF % "text") + "p", (_ODF % "text") + "h"}
    role = (_ODF % "presentation") + "class"
    for slide in _parse(file, "content.xml").iter(page):
        frames = slide.find(notes)
        yield _joined(
            item
            for frame in (() if frames is None else frames)
            if frame.get(role) not in {"page-number", "header", "footer", "date-time"}
            for item in frame.iter()
            if item.tag in paragraphs
        )


def _joined(paragraphs: Iterable[Element]) -> str:
    lines = (" ".join("".join(paragraph.itertext()).split()) for paragraph in paragraphs)
    return "\n".join(filter(None, lines))


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _target(file: zipfile.ZipFile, part: str, kind: str) -> str | None:
    """The part that `part` is related to in this way; "" stands for the whole file."""
    return next((t for k, t in _related(file, part).values() if k.endswith(f"/{kind}")), None)


def _related(file: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """The parts that a part refers to: kind and name, by the id of the relation."""
    folder, name = posixpath.split(part)
    relations = posixpath.join(folder, "_rels", f"{name}.rels")
    if relations not in file.NameToInfo:
        return {}
    return {
        item.get("Id", ""): (
            item.get("Type", ""),
            posixpath.normpath(posixpath.join("/", folder, item.get("Target", "")))[1:],
        )
        for item in _parse(file, relations).iter(f"{_RELATIONS}Relationship")
        if item.get("TargetMode") != "External"
    }


def _parse(file: zipfile.ZipFile, part: str) -> Element:
    from defusedxml.ElementTree import fromstring

    with file.open(part) as stream:
        return fromstring(_bounded(stream), forbid_dtd=True)  # type: ignore[no-any-return]


def _bounded(stream: IO[bytes]) -> bytes:
    content = stream.read(_MAX_PART + 1)  # the size that the zip claims may be a lie
    if len(content) > _MAX_PART:
        raise ValueError(f"more than {_MAX_PART >> 20} MiB of XML")
    return content
