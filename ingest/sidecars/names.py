"""Which file holds the text of a scan: decided by names alone, the same in folders and archives.

Beside `a/scan.tif`, in this order: `a/scan.tif.xml`, `a/scan.xml`, then files of these names in
a folder called `alto`, `page`, ... within or beside `a`, then the folders of an OCR-D workspace.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

# The endings that say what the file is come first.
_ENDINGS = (".hocr", ".hocr.html", ".alto.xml", ".page.xml", ".xml")
_FOLDERS = ("alto", "page", "hocr", "ocr", "fulltext")
# Folders of an OCR-D workspace that hold text: corrected before recognised, finer before coarser.
_OCRD = ("ocr-d-gt-seg-word", "ocr-d-gt-seg-line", "ocr-d-gt", "ocr-d-ocr")


@dataclass(frozen=True, slots=True)
class _Listing:
    """What a folder holds: names as they are, by names in lower case."""

    files: dict[str, str] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)


_EMPTY = _Listing()


def is_sidecar_name(name: str) -> bool:
    """Whether a file of this name could hold the text of a neighbour."""
    return name.lower().endswith(_ENDINGS)


def beside(name: str, names: Collection[str]) -> str | None:
    """Which of `names` holds the text of `name`; case does not matter.

    Args:
        name: a path with `/` as separator.
        names: the paths of the same tree or archive. Given as the same frozenset each time, many
            questions are cheap.
    """
    tree = _tree(names if isinstance(names, frozenset) else frozenset(names))
    return _found(name, lambda folder: tree.get(folder, _EMPTY))


def find(path: Path) -> Path | None:
    """The file on disk that holds the text of `path`; see `beside`. Links to folders are not
    followed, what cannot be listed holds nothing.
    """
    found = _found(path.as_posix(), _on_disk)
    return Path(found) if found else None


def _found(name: str, listing: Callable[[str], _Listing]) -> str | None:
    folder, file = posixpath.split(name)
    stem = posixpath.splitext(file)[0]
    if not stem or is_sidecar_name(file):
        return None
    wanted = [(base + ending).lower() for base in (file, stem) for ending in _ENDINGS]
    for place, prefix in _places(folder, listing):
        files = listing(place).files
        own = posixpath.basename(folder).lower() + "_"
        # OCR-D puts the name of the folder before the page's: OCR-D-IMG/OCR-D-IMG_0001.tif
        renamed = [prefix + name.removeprefix(own) for name in wanted] if prefix else []
        for candidate in (*wanted, *renamed):
            if candidate in files:
                return posixpath.join(place, files[candidate])
    return None


def _places(folder: str, listing: Callable[[str], _Listing]) -> Iterator[tuple[str, str]]:
    """The folders to look into, best first, and what files in them may be prefixed with."""
    yield folder, ""
    children = listing(folder).folders
    for known in _FOLDERS:
        if known in children:
            yield posixpath.join(folder, children[known]), ""
    if not folder or folder == "/":
        return
    parent = posixpath.dirname(folder)
    siblings = listing(parent).folders
    for known in _FOLDERS:
        if known in siblings:
            yield posixpath.join(parent, siblings[known]), ""
    if posixpath.basename(folder).lower().startswith("ocr-d-"):
        for group in _OCRD:
            for key in sorted(siblings):
                if key.startswith(group):
                    yield posixpath.join(parent, siblings[key]), key + "_"


@lru_cache(maxsize=2)
def _tree(names: frozenset[str]) -> dict[str, _Listing]:
    tree: dict[str, _Listing] = {}
    for name in sorted(names, reverse=True):  # of names that differ in case only, the first stays
        folder, file = posixpath.split(name)
        tree.setdefault(folder, _Listing()).files[file.lower()] = file
        while folder and folder != "/":
            parent, last = posixpath.split(folder)
            tree.setdefault(parent, _Listing()).folders[last.lower()] = last
            folder = parent
    return tree


def _on_disk(folder: str) -> _Listing:
    try:
        return _listing(folder, os.stat(folder or ".").st_mtime_ns)  # noqa: PTH116 - hot
    except OSError:
        return _EMPTY


@lru_cache(maxsize=32)  # a walk comes to the files of one folder after the other
def _listing(folder: str, _: int) -> _Listing:
    listing = _Listing()
    with os.scandir(folder or ".") as entries:
        for entry in sorted(entries, key=lambda entry: entry.name, reverse=True):
            if entry.is_dir(follow_symlinks=False):
                listing.folders[entry.name.lower()] = entry.name
            elif is_sidecar_name(entry.name):
                listing.files[entry.name.lower()] = entry.name
    return listing
