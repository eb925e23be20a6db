"""What archives call their files: decoded, made harmless, told apart."""

from __future__ import annotations

import re
import unicodedata

_COMPONENT_BYTES = 255  # as file systems have it
_NAME_BYTES = 4000
_FILE_BYTES = 150
_SUFFIX_BYTES = 20
_DRIVE = re.compile(r"^[A-Za-z]:(?=/|$|[^/])")
# Controls, lone surrogates, line ends, and the marks that turn the direction of what is shown.
_UNSHOWN = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\ufeff")
_HARMFUL_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")
_CJK = r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uff66-\uff9f]"
_CJK_RUN = re.compile(_CJK + "{2,}")
_CJK_ANY = re.compile(_CJK)


def decode(raw: bytes, otherwise: str) -> str:
    """A name without an encoding: UTF-8, else Shift JIS if it reads so, else `otherwise`.

    European names are valid Shift JIS too, but then as ideographs that stand alone among letters.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        japanese = raw.decode("cp932")
    except UnicodeDecodeError:
        return raw.decode(otherwise, errors="replace")
    in_runs = sum(map(len, _CJK_RUN.findall(japanese)))
    if in_runs * 2 > len(_CJK_ANY.findall(japanese)):
        return japanese
    return raw.decode(otherwise, errors="replace")


def plain(name: str) -> str:
    """The name as a relative path with "/", without anything that misleads or breaks a line.

    `..` stays, for `is_unsafe`. Empty when nothing is left.
    """
    name = _DRIVE.sub("", name.replace("\\", "/"))
    parts = (_clean(part) for part in name.split("/") if part not in ("", "."))
    return "/".join(_shortened(part, _COMPONENT_BYTES) for part in parts)


def is_unsafe(name: str) -> str:
    """Why a plain name is refused; empty when it is fine."""
    if ".." in name.split("/"):
        return "unsafe, its name leads out of the archive; unpack it by hand"
    if len(name.encode()) > _NAME_BYTES:
        return f"unsafe, its name is longer than {_NAME_BYTES} bytes; unpack it by hand"
    return ""


def is_hidden(name: str) -> bool:
    """Whether it is none of the files that people put into the archive."""
    *folders, last = name.split("/")
    if any(part.startswith(".") for part in (*folders, last) if part != ".."):
        return True
    return "__MACOSX" in folders or last.lower() in ("thumbs.db", "desktop.ini")


def shown(name: str) -> str:
    """A name for a message, however long it is."""
    return name if len(name) <= 200 else f"{name[:120]}…{name[-60:]}"


def on_disk(name: str) -> str:
    """A file name for the last component, at most 150 bytes, with its extension."""
    last = name.rpartition("/")[2].replace("/", "_").lstrip(".")
    return _shortened(last, _FILE_BYTES) or "file"


def unlike(name: str, seen: dict[str, int]) -> str:
    """`name`, numbered when it was `seen` before: archives may hold one name several times."""
    if name not in seen:
        seen[name] = 2
        return name
    folder, slash, last = name.rpartition("/")
    stem, dot, suffix = last.rpartition(".")
    if not stem:
        stem, dot, suffix = last, "", ""
    number = seen[name]
    while (numbered := f"{folder}{slash}{stem} ({number}){dot}{suffix}") in seen:
        number += 1
    seen[name] = number + 1
    seen[numbered] = 2
    return numbered


def _clean(part: str) -> str:
    if part.isascii() and part.isprintable():
        return part
    return "".join(
        "_" if c in _UNSHOWN or unicodedata.category(c) in _HARMFUL_CATEGORIES else c for c in part
    )


def _shortened(part: str, limit: int) -> str:
    encoded = part.encode()
    if len(encoded) <= limit:
        return part
    stem, dot, suffix = part.rpartition(".")
    if not stem or len(suffix.encode()) > _SUFFIX_BYTES:
        return encoded[:limit].decode(errors="ignore")
    ending = f"{dot}{suffix}"
    room = limit - len(ending.encode())
    return stem.encode()[:room].decode(errors="ignore") + ending
