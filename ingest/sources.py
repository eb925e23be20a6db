"""Which files there are: folders walked in order, nothing opened yet."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ingest.readers import is_supported
from mmsearch.types import absolute


@dataclass(frozen=True, slots=True)
class Source:
    """A file to look at. `name` is relative to the folder that was named; `mtime` in seconds."""

    path: Path
    name: str
    size: int
    mtime: float


@dataclass(frozen=True, slots=True)
class Passed:
    """A file that is not read, and why. `failed` tells an error from a choice."""

    path: Path
    reason: str
    failed: bool = False


def discover(paths: Iterable[str | Path]) -> Iterator[Source | Passed]:
    """Every file below `paths`, each once, in a fixed order.

    A file that is named itself is always looked at; in folders, files of other types, hidden ones
    and index folders are passed over. Links to folders are not followed.
    """
    seen: set[Path] = set()
    for given in paths:
        root = absolute(given)
        for item in _below(root):
            if item.path not in seen:
                seen.add(item.path)
                yield item


def _below(root: Path) -> Iterable[Source | Passed]:
    try:
        is_folder = stat.S_ISDIR(root.stat().st_mode)
    except FileNotFoundError:
        return [Passed(root, "no such file or folder; check the path", failed=True)]
    except OSError as error:
        return [_unreadable(root, error)]
    if not is_folder:
        return [_source(root, root.name)]
    if any(map(_is_index, root.parents)):
        return [Passed(root, "part of an index; name a folder of documents", failed=True)]
    return _walk(root)


def _walk(root: Path) -> Iterator[Source | Passed]:
    closed: list[OSError] = []
    for folder, folders, files in os.walk(root, onerror=closed.append):
        here = Path(folder)
        if _is_index(here):
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = here / name
            if name.startswith("."):
                continue
            if not is_supported(path):
                yield Passed(path, f"unsupported type {path.suffix.lower() or '(no ending)'}")
            else:
                yield _source(path, path.relative_to(root).as_posix())
    for error in closed:
        yield _unreadable(Path(error.filename), error)


def _source(path: Path, name: str) -> Source | Passed:
    try:
        status = path.stat()
    except OSError as error:
        return _unreadable(path, error)
    if not _is_utf8(path):
        return Passed(path, "its name is not valid UTF-8; rename it", failed=True)
    if not stat.S_ISREG(status.st_mode):
        return Passed(path, "not a regular file")
    # To the millisecond: such a number comes back from the index as it was.
    return Source(path, name, status.st_size, round(status.st_mtime, 3))


def _unreadable(path: Path, error: OSError) -> Passed:
    return Passed(path, f"cannot be read: {error.strerror}; check its permissions", failed=True)


def _is_utf8(path: Path) -> bool:
    """Whether the index can hold the name: Linux takes any bytes, Qdrant only text."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_index(folder: Path) -> bool:
    try:
        return (folder / "current" / "format.json").exists()
    except OSError:  # it may not be looked into
        return False
