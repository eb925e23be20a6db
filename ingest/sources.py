"""Which files there are: folders walked in order, nothing opened yet."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ingest.readers import is_supported


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
        root = Path(given).expanduser().absolute()
        if root.is_dir():
            found: Iterable[Source | Passed] = _walk(root)
        elif root.exists():
            found = [_source(root, root.name)]
        else:
            found = [Passed(root, "no such file or folder; check the path", failed=True)]
        for item in found:
            if item.path not in seen:
                seen.add(item.path)
                yield item


def _walk(root: Path) -> Iterator[Source | Passed]:
    for folder, folders, files in os.walk(root):
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


def _source(path: Path, name: str) -> Source | Passed:
    try:
        status = path.stat()
    except OSError as error:
        return Passed(path, f"cannot be read: {error.strerror}; check its permissions", failed=True)
    if not stat.S_ISREG(status.st_mode):
        return Passed(path, "not a regular file")
    # To the millisecond: such a number comes back from the index as it was.
    return Source(path, name, status.st_size, round(status.st_mtime, 3))


def _is_index(folder: Path) -> bool:
    return (folder / "current" / "format.json").exists()
