"""What an office file is by its content, and whether it is encrypted.

The extension has no say: LibreOffice, left to guess, reads any garbage as text.
"""

from __future__ import annotations

import re
import struct
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

from mmsearch.errors import LimitExceeded, UnreadableFile
from mmsearch.types import Kind

EXTENSIONS = frozenset({
    ".docx", ".docm", ".dotx", ".dotm", ".doc", ".dot", ".odt", ".ott", ".rtf",
    ".pptx", ".pptm", ".ppsx", ".ppsm", ".potx", ".potm", ".ppt", ".pps", ".pot", ".odp", ".otp",
    ".xlsx", ".xlsm", ".xltx", ".xltm", ".xlsb", ".xls", ".xlt", ".ods", ".ots",
})  # fmt: skip

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = b"PK\x03\x04"
_FIRST_ENTRIES = {
    b"[Content_Types].xml", b"_rels/.rels", b"docProps/app.xml", b"docProps/core.xml",
    b"word/document.xml", b"ppt/presentation.xml", b"xl/workbook.xml",
}  # fmt: skip
_EXCEL_DEFAULT = "VelvetSweatshop"  # encrypts workbooks that Excel opens without asking
_ODF_TYPE = b"application/vnd.oasis.opendocument."
_MAX_UNPACKED = 4 << 30  # bytes
_MAX_ENTRIES = 100_000
_MAX_PART = 8 << 20  # bytes of a table of contents


@dataclass(frozen=True, slots=True)
class OfficeFormat:
    """A format: LibreOffice's name of it, the extension that fits, what it is for people."""

    suffix: str
    import_filter: str
    kind: Kind = "office"
    encrypted: bool = False


_DOCX = OfficeFormat(".docx", "MS Word 2007 XML")
_PPTX = OfficeFormat(".pptx", "Impress MS PowerPoint 2007 XML", "slides")
_XLSX = OfficeFormat(".xlsx", "Calc MS Excel 2007 XML")
_XLSB = OfficeFormat(".xlsb", "Calc MS Excel 2007 Binary")
_DOC = OfficeFormat(".doc", "MS Word 97")
_PPT = OfficeFormat(".ppt", "MS PowerPoint 97", "slides")
_XLS = OfficeFormat(".xls", "MS Excel 97")
_OLD_XLS = OfficeFormat(".xls", "MS Excel 95")
_RTF = OfficeFormat(".rtf", "Rich Text Format")
_ODT = OfficeFormat(".odt", "writer8")
_ODP = OfficeFormat(".odp", "impress8", "slides")
ODS = OfficeFormat(".ods", "calc8")

# By the type of a package's main part, in Office Open XML ...
_MAIN_PARTS = (
    (rb"wordprocessingml\.(?:document|template)\.main|ms-word\.\w+\.macroEnabled\w*\.main", _DOCX),
    (
        rb"presentationml\.(?:presentation|slideshow|template)\.main"
        rb"|ms-powerpoint\.(?:presentation|slideshow|template)\.macroEnabled\.main",
        _PPTX,
    ),
    (rb"ms-excel\.sheet\.binary\.macroEnabled\.main", _XLSB),
    (rb"spreadsheetml\.(?:sheet|template)\.main|ms-excel\.\w+\.macroEnabled\.main", _XLSX),
)
# ... by its media type in OpenDocument, by a stream in OLE files
_ODF_KINDS = {b"text": _ODT, b"presentation": _ODP, b"spreadsheet": ODS}
_STREAMS = (
    ("WordDocument", _DOC),
    ("PowerPoint Document", _PPT),
    ("Workbook", _XLS),
    ("Book", _OLD_XLS),
)


def looks_like_office(head: bytes) -> bool:
    """Whether a file that begins so may be an office file; a plain zip is none."""
    if head.startswith(_OLE) or head.lstrip()[:5] == rb"{\rtf":
        return True
    if not head.startswith(_ZIP) or len(head) < 30:
        return False
    length, extra = struct.unpack("<HH", head[26:30])
    first = head[30 : 30 + length]
    if first == b"mimetype":
        return head[30 + length + extra :].startswith(_ODF_TYPE)
    return first in _FIRST_ENTRIES


def office_format(path: Path, name: str) -> OfficeFormat:
    """What a file is.

    Args:
        path: the file.
        name: what it is called in messages.

    Raises:
        LimitExceeded: a zip that unpacks to more than 4 GiB.
        UnreadableFile: none of the formats that are read, or too damaged to tell.
    """
    with path.open("rb") as file:
        head = file.read(512)
    found = None
    if head.startswith(_OLE):
        found = _ole_format(path, name)
    elif zipfile.is_zipfile(path):
        found = _zip_format(path, name)
    elif head.lstrip()[:5] == rb"{\rtf":
        found = _RTF
    if found is None:
        broken = head.startswith(_ZIP) and not zipfile.is_zipfile(path)
        cause = "damaged" if broken else "not an office file by its content"
        raise UnreadableFile(f"{name}: {cause}; open it and save it again, or as PDF")
    return found


def _zip_format(path: Path, name: str) -> OfficeFormat | None:
    try:
        with zipfile.ZipFile(path) as file:
            entries = file.infolist()
            unpacked = sum(entry.file_size for entry in entries)
            if len(entries) > _MAX_ENTRIES or unpacked > _MAX_UNPACKED:
                raise LimitExceeded(
                    f"{name}: unpacks to {len(entries)} parts of {unpacked} bytes, more than an "
                    "office file may have; save it as PDF"
                )
            if "[Content_Types].xml" in file.NameToInfo:
                types = _part(file, "[Content_Types].xml")
                return next(
                    (kind for pattern, kind in _MAIN_PARTS if re.search(pattern, types)), None
                )
            if "mimetype" in file.NameToInfo:
                return _odf_format(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, EOFError):
        raise UnreadableFile(f"{name}: damaged; open it and save it again, or as PDF") from None
    return None


def _odf_format(file: zipfile.ZipFile) -> OfficeFormat | None:
    media = _part(file, "mimetype").strip()
    if not media.startswith(_ODF_TYPE):
        return None
    found = _ODF_KINDS.get(media.removeprefix(_ODF_TYPE).removesuffix(b"-template"))
    if found and "META-INF/manifest.xml" in file.NameToInfo:
        return replace(found, encrypted=b"encryption-data" in _part(file, "META-INF/manifest.xml"))
    return found


def _part(file: zipfile.ZipFile, name: str) -> bytes:
    with file.open(name) as part:
        return part.read(_MAX_PART)


def _ole_format(path: Path, name: str) -> OfficeFormat | None:
    """The format of an OLE file; of an encrypted one only that it is encrypted."""
    import msoffcrypto
    import olefile

    try:
        with olefile.OleFileIO(str(path)) as file:
            if file.exists("EncryptedPackage"):
                return replace(_DOCX, encrypted=True)
            found = next((kind for stream, kind in _STREAMS if file.exists(stream)), None)
        if found in (_DOC, _PPT, _XLS):
            with path.open("rb") as stream:
                return replace(found, encrypted=msoffcrypto.OfficeFile(stream).is_encrypted())
    except Exception as error:  # both fail in many ways on damaged files, none of them documented
        if isinstance(error, MemoryError):
            raise
        raise UnreadableFile(f"{name}: damaged; open it and save it again, or as PDF") from error
    return found


def decrypted(path: Path, target: Path, passwords: tuple[str, ...]) -> bool:
    """Write an encrypted file of Microsoft's formats to `target` without its encryption.

    Returns:
        Whether one of the passwords opened it; nothing is written where none did.
    """
    import msoffcrypto
    from msoffcrypto import exceptions

    for password in (_EXCEL_DEFAULT, *passwords):
        try:
            with path.open("rb") as stream:
                file = msoffcrypto.OfficeFile(stream)
                file.load_key(password=password)
                with target.open("wb") as output:
                    file.decrypt(output)
        except (exceptions.InvalidKeyError, exceptions.DecryptionError):
            target.unlink(missing_ok=True)
        else:
            return True
    return False
