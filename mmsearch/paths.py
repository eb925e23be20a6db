"""How files are named in an index: absolute paths, and what is in an archive behind `!/`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

INSIDE = "!/"  # between the path of an archive and a name in it
ARCHIVES = (
    *(".zip", ".cbz", ".7z", ".cb7", ".rar", ".cbr", ".tar", ".cbt", ".tgz", ".tar.gz"),
    *(".tbz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz", ".tzst", ".tar.zst"),
)


def absolute(path: str | Path) -> Path:
    """The one spelling of a path in the index: without ~ and .., links as they are."""
    # Not by pathlib: it takes ./~ for ~, fails for a stranger's ~name, and resolve() follows links.
    return Path(os.path.abspath(os.path.expanduser(path)))  # noqa: PTH100, PTH111


def is_archive(name: str | Path) -> bool:
    """Whether a file of this name is an archive; office files and the like are documents."""
    return str(name).lower().endswith(ARCHIVES)


def outermost(path: str) -> str:
    """The file on disk that a path leads to: the archive, for what is in one."""
    end = path.find(INSIDE)
    while end >= 0 and not is_archive(path[:end]):  # a folder may be called `Look!`
        end = path.find(INSIDE, end + 1)
    return path if end < 0 else path[:end]


def is_below(path: str, roots: Iterable[str]) -> bool:
    """Whether a path is one of `roots`, or in one of those folders or archives."""
    return any(
        path == root or path.startswith((f"{root.rstrip('/')}/", root + INSIDE)) for root in roots
    )
