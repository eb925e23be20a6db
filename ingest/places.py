"""Paths on disk and in archives: what they are in, and whether anything is there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path


def upwards(path: str) -> Iterator[str]:
    """The path and every folder and archive that it is in."""
    while path:
        yield path
        path = path.rpartition("/")[0]
        if path.endswith("!"):  # an archive, or a folder of such a name
            yield path[:-1]
    yield "/"


def is_in(path: str, places: AbstractSet[str]) -> bool:
    """As `mmsearch.paths.is_below`, for many places: it does not take longer the more there are."""
    return not places.isdisjoint(upwards(path))


def is_gone(path: str | Path) -> bool:
    """Whether nothing is there, as far as can be seen: a disk that does not answer says neither."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def is_mounted(root: Path) -> bool:
    """Whether there is a file, or a folder with something in it; an empty one may be unmounted.

    Raises:
        OSError: nobody can tell.
    """
    try:
        with os.scandir(root) as entries:
            return next(entries, None) is not None
    except NotADirectoryError:
        return root.exists()
    except FileNotFoundError:
        return False
