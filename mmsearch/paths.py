"""How files are named in an index: absolute paths, and what is in an archive behind `!/`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

INSIDE = "!/"  # between the path of an archive and a name in it


def absolute(path: str | Path) -> Path:
    """The one spelling of a path in the index: without ~ and .., links as they are."""
    return Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 - resolve() follows links


def outermost(path: str) -> str:
    """The file on disk that a path leads to: the archive, for what is in one."""
    return path.partition(INSIDE)[0]


def is_below(path: str, roots: Iterable[str]) -> bool:
    """Whether a path is one of `roots`, or in one of those folders or archives."""
    return any(
        path == root or path.startswith((f"{root.rstrip('/')}/", root + INSIDE)) for root in roots
    )
