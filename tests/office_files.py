"""Makes the office files that tests read: the least XML that LibreOffice accepts."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_TYPES = "application/vnd.openxmlformats-officedocument."
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_DRAWING = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
_R = f'xmlns:r="{_RELATIONS}"'
_ODF = (
    'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:dc="http://purl.org/dc/elements/1.1/" '
) + " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in {
        "office": "office", "text": "text", "draw": "drawing", "table": "table",
        "style": "style", "presentation": "presentation", "svg": "svg-compatible",
    }.items()
)  # fmt: skip
_PICTURE_SIZE = '<a:off x="0" y="0"/><a:ext cx="3000000" cy="3000000"/>'


@dataclass(frozen=True, slots=True)
class Slide:
    """A slide: a line of text on it, its speaker notes, whether it is hidden, a linked picture."""

    text: str
    notes: str = ""
    hidden: bool = False
    picture: str = ""


def write_pptx(path: Path, slides: Sequence[Slide], *, title: str = "") -> Path:
    """A presentation of Office Open XML."""
    ids, parts, links = [], {}, [("officeDocument", "ppt/presentation.xml")]
    relations: list[tuple[str, str]] = []
    for number, slide in enumerate(slides, 1):
        # The order of the deck is that of the list, neither that of the names nor of the zip.
        name = f"slides/slide{len(slides) + 1 - number}.xml"
        relations.append(("slide", name))
        ids.append(f'<p:sldId id="{255 + number}" r:id="r{number}"/>')
        parts |= _slide(f"ppt/{name}", slide, number)
    parts["ppt/presentation.xml"] = (
        f"<p:presentation {_p()}><p:sldIdLst>{''.join(ids)}</p:sldIdLst>"
        '<p:sldSz cx="9144000" cy="5143500"/><p:notesSz cx="6858000" cy="9144000"/>'
        "</p:presentation>"
    )
    parts["ppt/_rels/presentation.xml.rels"] = _relations(relations)
    return _write_ooxml(path, parts, links, "presentationml.presentation", title)


def write_docx(
    path: Path,
    paragraphs: Sequence[str],
    *,
    title: str = "",
    picture: str = "",
    template: str = "",
    object_: str = "",
) -> Path:
    """A text of Office Open XML, with links to a picture, a template and an OLE object by URL."""
    w = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    body = "".join(f"<w:p><w:r><w:t>{escape(text)}</w:t></w:r></w:p>" for text in paragraphs)
    relations = []
    if picture:
        relations.append(("image", picture))
        body += (
            '<w:p><w:r><w:drawing><wp:inline xmlns:wp="http://schemas.openxmlformats.org/'
            'drawingml/2006/wordprocessingDrawing"><wp:extent cx="3000000" cy="3000000"/>'
            '<wp:docPr id="1" name="linked"/><a:graphic><a:graphicData uri="http://schemas.'
            f'openxmlformats.org/drawingml/2006/picture">{_picture("pic", len(relations))}'
            "</a:graphicData></a:graphic></wp:inline></w:drawing></w:r></w:p>"
        )
        field = f'INCLUDEPICTURE "{picture}" \\d'
        body += (
            f"<w:p><w:fldSimple w:instr={quoteattr(field)}><w:r><w:t/></w:r></w:fldSimple></w:p>"
        )
    if object_:
        relations.append(("oleObject", object_))
        body += (
            '<w:p><w:r><w:object><o:OLEObject xmlns:o="urn:schemas-microsoft-com:office:office" '
            f'Type="Link" ProgID="Word.Document.12" r:id="r{len(relations)}" UpdateMode="Always"/>'
            "</w:object></w:r></w:p>"
        )
        field = f'INCLUDETEXT "{object_}"'
        body += (
            f"<w:p><w:fldSimple w:instr={quoteattr(field)}><w:r><w:t/></w:r></w:fldSimple></w:p>"
        )
    parts = {
        "word/document.xml": f"<w:document {w} {_R} {_DRAWING}><w:body>{body}</w:body></w:document>"
    }
    parts["word/_rels/document.xml.rels"] = _relations(
        [*relations, *([("settings", "settings.xml")] if template else [])]
    )
    if template:
        parts["word/settings.xml"] = (
            f'<w:settings {w} {_R}><w:attachedTemplate r:id="r1"/></w:settings>'
        )
        parts["word/_rels/settings.xml.rels"] = _relations([("attachedTemplate", template)])
    links = [("officeDocument", "word/document.xml")]
    return _write_ooxml(path, parts, links, "wordprocessingml.document", title)


def write_xlsx(path: Path, sheets: Mapping[str, Sequence[Sequence[str]]]) -> Path:
    """A workbook of Office Open XML; a cell that starts with `=` is a formula."""
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    parts, names, relations = {}, [], []
    for number, (name, rows) in enumerate(sheets.items(), 1):
        relations.append(("worksheet", f"sheets/{number}.xml"))
        names.append(f'<sheet name={quoteattr(name)} sheetId="{number}" r:id="r{number}"/>')
        lines = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
        parts[f"xl/sheets/{number}.xml"] = (
            f"<worksheet {main}><sheetData>{lines}</sheetData></worksheet>"
        )
    parts["xl/workbook.xml"] = f"<workbook {main} {_R}><sheets>{''.join(names)}</sheets></workbook>"
    parts["xl/_rels/workbook.xml.rels"] = _relations(relations)
    links = [("officeDocument", "xl/workbook.xml")]
    return _write_ooxml(path, parts, links, "spreadsheetml.sheet", "")


def write_odp(path: Path, slides: Sequence[Slide]) -> Path:
    """A presentation of OpenDocument."""
    pages = "".join(
        f'<draw:page draw:name="p{number}" draw:master-page-name="m"'
        + (' draw:style-name="hidden">' if slide.hidden else ">")
        + f'<draw:frame svg:width="20cm" svg:height="3cm" svg:x="1cm" svg:y="1cm"><draw:text-box>'
        f"<text:p>{escape(slide.text)}</text:p></draw:text-box></draw:frame>{_odf_picture(slide.picture)}"
        "<presentation:notes><draw:frame><draw:text-box>"
        f"<text:p>{escape(slide.notes)}</text:p></draw:text-box></draw:frame></presentation:notes>"
        "</draw:page>"
        for number, slide in enumerate(slides, 1)
    )
    styles = (
        '<style:style style:name="hidden" style:family="drawing-page">'
        '<style:drawing-page-properties presentation:visibility="hidden"/></style:style>'
    )
    return _write_odf(path, "presentation", pages, styles=styles)


def write_odt(
    path: Path, paragraphs: Sequence[str], *, title: str = "", picture: str = "", section: str = ""
) -> Path:
    """A text of OpenDocument, with links to a picture and to a section by URL."""
    body = "".join(f"<text:p>{escape(text)}</text:p>" for text in paragraphs)
    body += f"<text:p>{_odf_picture(picture)}</text:p>" if picture else ""
    if section:
        body += (
            f'<text:section text:name="s"><text:section-source xlink:href={quoteattr(section)}/>'
            "<text:p>old</text:p></text:section>"
        )
    return _write_odf(path, "text", body, title=title)


def write_ods(path: Path, rows: Sequence[Sequence[str]], *, source: str = "") -> Path:
    """A workbook of OpenDocument; a cell that starts with `=` is a formula, `source` feeds it."""
    linked = f"<table:table-source xlink:href={quoteattr(source)} table:mode='copy-all'/>"
    lines = "".join(
        f"<table:table-row>{''.join(map(_ods_cell, row))}</table:table-row>" for row in rows
    )
    body = f'<table:table table:name="t">{linked if source else ""}{lines}</table:table>'
    return _write_odf(path, "spreadsheet", body)


def write_zip(path: Path, parts: Mapping[str, str | bytes]) -> Path:
    """A zip of these parts, in this order; one named `mimetype` is stored as it is."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            stored = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            file.writestr(name, content, stored)
    return path


def _slide(name: str, slide: Slide, number: int) -> dict[str, str]:
    relations = [("image", slide.picture)] if slide.picture else []
    tree = _text_shape(slide.text) + (_picture("p", 1) if slide.picture else "")
    parts = {
        name: f"<p:sld {_p()}{' show=' + chr(34) + '0' + chr(34) if slide.hidden else ''}>"
        f"<p:cSld><p:spTree>{_GROUP}{tree}</p:spTree></p:cSld></p:sld>"
    }
    if slide.notes:
        relations.append(("notesSlide", f"../notesSlides/notes{number}.xml"))
        holder = '<p:nvPr><p:ph type="body" idx="1"/></p:nvPr>'
        picture = '<p:nvPr><p:ph type="sldNum" idx="2"/></p:nvPr>'
        parts[f"ppt/notesSlides/notes{number}.xml"] = (
            f"<p:notes {_p()}><p:cSld><p:spTree>{_GROUP}{_text_shape(slide.notes, holder)}"
            f"{_text_shape(str(number), picture)}</p:spTree></p:cSld></p:notes>"
        )
    folder, _, file = name.rpartition("/")
    parts[f"{folder}/_rels/{file}.rels"] = _relations(relations)
    return parts


_GROUP = '<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'


def _text_shape(text: str, holder: str = "<p:nvPr/>") -> str:
    lines = "".join(f"<a:p><a:r><a:t>{escape(line)}</a:t></a:r></a:p>" for line in text.split("\n"))
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="2" name="t"/><p:cNvSpPr txBox="1"/>{holder}</p:nvSpPr>'
        '<p:spPr><a:xfrm><a:off x="500000" y="500000"/><a:ext cx="8000000" cy="900000"/></a:xfrm>'
        '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></p:spPr>'
        f"<p:txBody><a:bodyPr/>{lines}</p:txBody></p:sp>"
    )


def _picture(prefix: str, relation: int) -> str:
    space = "presentationml" if prefix == "p" else "drawingml"
    name = "main" if prefix == "p" else "picture"
    return (
        f'<{prefix}:pic xmlns:{prefix}="http://schemas.openxmlformats.org/{space}/2006/{name}">'
        f'<{prefix}:nvPicPr><{prefix}:cNvPr id="7" name="linked"/><{prefix}:cNvPicPr/>'
        f"{'<p:nvPr/>' if prefix == 'p' else ''}</{prefix}:nvPicPr>"
        f'<{prefix}:blipFill><a:blip r:link="r{relation}"/><a:stretch><a:fillRect/></a:stretch>'
        f"</{prefix}:blipFill><{prefix}:spPr><a:xfrm>{_PICTURE_SIZE}</a:xfrm>"
        f'<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></{prefix}:spPr></{prefix}:pic>'
    )


def _cell(value: str) -> str:
    if value.startswith("="):
        return f"<c><f>{escape(value[1:])}</f></c>"
    return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'


def _ods_cell(value: str) -> str:
    if value.startswith("="):
        return f"<table:table-cell table:formula={quoteattr('of:' + value)}/>"
    return (
        '<table:table-cell office:value-type="string">'
        f"<text:p>{escape(value)}</text:p></table:table-cell>"
    )


def _odf_picture(url: str) -> str:
    if not url:
        return ""
    return (
        '<draw:frame svg:width="5cm" svg:height="5cm" svg:x="1cm" svg:y="5cm">'
        f"<draw:image xlink:href={quoteattr(url)} xlink:type='simple' xlink:show='embed' "
        "xlink:actuate='onLoad'/></draw:frame>"
    )


def _p() -> str:
    main = "http://schemas.openxmlformats.org/presentationml/2006/main"
    return f'xmlns:p="{main}" {_R} {_DRAWING}'


def _relations(relations: Sequence[tuple[str, str]]) -> str:
    """Relations r1, r2, ... by type and target; a target with a scheme is outside the file."""
    lines = "".join(
        f'<Relationship Id="r{number}" Type="{_RELATIONS}/{type_}" Target={quoteattr(target)}'
        + (' TargetMode="External"/>' if ":" in target else "/>")
        for number, (type_, target) in enumerate(relations, 1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{lines}</Relationships>'


def _write_ooxml(
    path: Path, parts: Mapping[str, str], links: list[tuple[str, str]], kind: str, title: str
) -> Path:
    names = {
        "presentation.xml": "presentationml.presentation.main",
        "document.xml": "wordprocessingml.document.main",
        "workbook.xml": "spreadsheetml.sheet.main",
    }
    overrides = "".join(
        f'<Override PartName="/{name}" ContentType="{_TYPES}{_content_type(name, names)}+xml"/>'
        for name in parts
        if not name.endswith(".rels")
    )
    content = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>',
        "_rels/.rels": _relations(links),
        **parts,
    }
    if title:
        content["docProps/core.xml"] = (
            f'<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties" '
            'xmlns:dc="http://purl.org/dc/elements/1.1/">'
            f"<dc:title>{escape(title)}</dc:title></cp:coreProperties>"
        )
        content["_rels/.rels"] = content["_rels/.rels"].replace(
            "</Relationships>",
            f'<Relationship Id="c" Type="{_PACKAGE}/relationships/metadata/core-properties" '
            'Target="docProps/core.xml"/></Relationships>',
        )
    return write_zip(path, {name: _XML + text for name, text in content.items()})


def _content_type(name: str, names: Mapping[str, str]) -> str:
    file = name.rpartition("/")[2]
    if file in names:
        return names[file]
    if "/slides/" in name:
        return "presentationml.slide"
    if "/notesSlides/" in name:
        return "presentationml.notesSlide"
    return "spreadsheetml.worksheet" if "/sheets/" in name else "wordprocessingml.settings"


def _write_odf(path: Path, kind: str, body: str, *, title: str = "", styles: str = "") -> Path:
    mime = f"application/vnd.oasis.opendocument.{kind}"
    entries = "".join(
        f'<manifest:file-entry manifest:full-path="{name}" manifest:media-type="{type_}"/>'
        for name, type_ in {
            "/": mime, "content.xml": "text/xml", "styles.xml": "text/xml", "meta.xml": "text/xml",
        }.items()
    )  # fmt: skip
    manifest = (
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f"{entries}</manifest:manifest>"
    )
    parts = {
        "mimetype": mime,
        "content.xml": f'{_XML}<office:document-content {_ODF} office:version="1.2">'
        f"<office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:{kind}>{body}</office:{kind}></office:body>"
        "</office:document-content>",
        "styles.xml": f'{_XML}<office:document-styles {_ODF} office:version="1.2">'
        '<office:automatic-styles><style:page-layout style:name="l"/></office:automatic-styles>'
        '<office:master-styles><style:master-page style:name="m" style:page-layout-name="l"/>'
        "</office:master-styles></office:document-styles>",
        "meta.xml": f'{_XML}<office:document-meta {_ODF} office:version="1.2"><office:meta>'
        f"<dc:title>{escape(title)}</dc:title></office:meta></office:document-meta>",
        "META-INF/manifest.xml": _XML + manifest,
    }
    return write_zip(path, parts)
