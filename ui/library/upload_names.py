"""Names of uploaded files: whatever a browser sends becomes a plain relative path."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePosixPath

from mmsearch.errors import InvalidSetting

MAX_PART = 180  # bytes of a file's or folder's name, in UTF-8; file systems take 255
MAX_DEPTH = 24  # folders
MAX_PATH = 1500  # bytes; of the 4096 of a path the uploads folder and archives need some
_MAX_ENDING = 20  # bytes, the dot among them

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_DRIVE = re.compile(r"[A-Za-z]:")
# Names that Windows takes for devices: the folder may be copied there, or lie on a share.
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)


def safe_name(name: str) -> PurePosixPath:
    """A relative path without `..`, control characters, reserved or overlong names.

    Letters of any script stay; a name that is too long keeps its ending. A leading dot, which
    would have the file passed over, becomes an underscore.

    Raises:
        InvalidSetting: there is no name left, or too many folders.
    """
    named = [part for part in re.split(r"[/\\]", name) if part.strip(" .")]
    if named and _DRIVE.fullmatch(named[0]):
        del named[0]
    parts = [_safe_part(part) for part in named]
    if not parts:
        raise InvalidSetting("the file has no name; rename it")
    if len(parts) > MAX_DEPTH + 1 or len("/".join(parts).encode()) > MAX_PATH:
        raise InvalidSetting(f"{parts[-1]}: its path is too long; upload a folder further inside")
    return PurePosixPath(*parts)


def distinct(names: Iterable[PurePosixPath]) -> list[PurePosixPath]:
    """The paths in order; those that are taken, on a disk that ignores case too, get a number."""
    files: set[str] = set()
    folders: set[str] = set()
    numbers: dict[str, int] = defaultdict(lambda: 1)  # the last one given, by path
    result = []
    for name in names:
        folder = PurePosixPath()
        for part in name.parts[:-1]:
            folder = _free(folder / part, numbers, files)
            folders.add(_key(folder))
        place = _free(folder / name.name, numbers, files, folders)
        files.add(_key(place))
        result.append(place)
    return result


def _free(place: PurePosixPath, numbers: dict[str, int], *taken: set[str]) -> PurePosixPath:
    """The path, or one with a number that is not among those `taken`."""
    wanted, key = place, _key(place)
    while any(_key(place) in names for names in taken):
        numbers[key] += 1
        place = wanted.with_name(f"{wanted.stem} ({numbers[key]}){wanted.suffix}")
    return place


def _key(place: PurePosixPath) -> str:
    return unicodedata.normalize("NFC", str(place)).casefold()


def _safe_part(part: str) -> str:
    part = _CONTROLS.sub("_", part).strip(" ").rstrip(" .")
    if part.startswith("."):
        part = f"_{part[1:]}"
    if part.startswith("~$") or _DEVICE.match(part):
        part = f"_{part}"
    if part.endswith("!"):  # after an archive's name it marks what is in the archive
        part = f"{part[:-1]}_"
    return _shortened(part)


def _shortened(part: str) -> str:
    if len(part.encode()) <= MAX_PART:
        return part
    stem, dot, ending = part.rpartition(".")
    ending = dot + ending
    if not stem or len(ending.encode()) > _MAX_ENDING:
        stem, ending = part, ""
    return (
        stem.encode()[: MAX_PART - len(ending.encode())].decode(errors="ignore").rstrip() + ending
    )
