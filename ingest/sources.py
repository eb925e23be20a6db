"""Which files there are: folders walked in order, nothing opened yet."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ingest import sidecars
from ingest.readers import is_supported
from mmsearch.index.folder import UPLOADS
from mmsearch.paths import absolute, is_archive


@dataclass(frozen=True, slots=True)
class Source:
    """A file to look at.

    `path` is what it is known under, `name` is relative to the folder that was named, `mtime` in
    seconds. `unpacked` is where its bytes lie when it was taken out of an archive: `path` is then
    `ARCHIVE!/NAME`. `sidecar` holds its text.
    """

    path: Path
    name: str
    size: int
    mtime: float
    unpacked: Path | None = None
    sidecar: Path | None = None

    @property
    def file(self) -> Path:
        """Where its bytes are."""
        return self.unpacked or self.path

    @property
    def is_archive(self) -> bool:
        """Whether it holds files, and is no document itself."""
        return is_archive(self.name)


@dataclass(frozen=True, slots=True)
class Passed:
    """A file that is not read, and why. `failed` tells an error from a choice, `error` its class.

    `folder` is set where it is a folder that could not be looked into, so that nobody knows what
    there is.
    """

    path: Path
    reason: str
    failed: bool = False
    error: str = ""
    folder: bool = False


_HIDDEN = (".", "~$")  # and the locks that office programs keep beside open files

Named = str | Path | Source | Passed  # what a run is given: names, or what was found there


def is_wanted(name: str) -> bool:
    """Whether a file of this name is worth opening: a document, or an archive of some."""
    return is_supported(Path(name)) or is_archive(name)


def discover(paths: Iterable[Named]) -> Iterator[Source | Passed]:
    """Every file below `paths`, each once, in a fixed order.

    A file that is named itself is always looked at; in folders, files of other types, hidden ones
    and index folders are passed over. Links to folders are not followed. What was found before
    stays as it is.
    """
    seen: set[Path] = set()
    for given in paths:
        items = [given] if isinstance(given, Source | Passed) else _below(absolute(given))
        for item in items:
            if item.path not in seen:
                seen.add(item.path)
                yield item


def discover_at(path: Path, roots: Iterable[Path]) -> Iterator[Source | Passed]:
    """What `discover(roots)` finds at `path` or below it, without a look at anything else."""
    for root in roots:
        if path == root:
            return iter(_below(root))
        if root not in path.parents:
            continue
        between = [folder for folder in path.parents if folder == root or root in folder.parents]
        if (
            not any(part.startswith(".") for part in path.relative_to(root).parts)
            and not any(map(_is_index, (*between, *root.parents)))
            and not any(folder.is_symlink() for folder in between if folder != root)
        ):
            return _walk(root, path)
    return iter(())


def _below(root: Path) -> Iterable[Source | Passed]:
    try:
        is_folder = stat.S_ISDIR(root.stat().st_mode)
    except FileNotFoundError:
        return [Passed(root, "no such file or folder; check the path", failed=True)]
    except OSError as error:
        return [_unreadable(root, error)]
    if not is_folder:
        return [_source(root, root.name)]
    if _in_index(root):
        return [Passed(root, "part of an index; name a folder of documents", failed=True)]
    return _walk(root)


def _walk(root: Path, start: Path | None = None) -> Iterator[Source | Passed]:
    """What is below `root`, or of that only what is at or below `start`."""
    closed: list[OSError] = []
    loose: list[Path] = []  # perhaps the text of a scan that is still to come
    taken: set[Path] = set()
    walk = _folders(start, closed.append) if start else os.walk(root, onerror=closed.append)
    for folder, folders, files in walk:
        here = Path(folder)
        if _is_index(here):
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = here / name
            if name.startswith(_HIDDEN):
                continue
            if is_wanted(name):
                source = _source(path, path.relative_to(root).as_posix())
                if isinstance(source, Source) and source.sidecar:
                    taken.add(source.sidecar)
                yield source
            elif sidecars.is_sidecar_name(name):
                loose.append(path)
            else:
                yield _unsupported(path)
    yield from (_unsupported(path) for path in loose if path not in taken)
    for error in closed:
        yield replace(_unreadable(Path(error.filename), error), folder=True)


def _folders(
    start: Path, closed: Callable[[OSError], None]
) -> Iterator[tuple[str, list[str], list[str]]]:
    """As `os.walk` of a folder above `start` comes to it, which follows no links to folders."""
    if start.is_dir():
        return iter(()) if start.is_symlink() else os.walk(start, onerror=closed)
    return iter([(str(start.parent), [], [start.name])])


def _unsupported(path: Path) -> Passed:
    return Passed(path, f"unsupported type {path.suffix.lower() or '(no ending)'}")


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
    mtime = round(status.st_mtime, 3)
    return Source(path, name, status.st_size, mtime, sidecar=sidecars.find(path))


def _unreadable(path: Path, error: OSError) -> Passed:
    return Passed(path, f"cannot be read: {error.strerror}; check its permissions", failed=True)


def _is_utf8(path: Path) -> bool:
    """Whether the index can hold the name: Linux takes any bytes, Qdrant only text."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _in_index(path: Path) -> bool:
    """Whether it is one of an index's own files; what was uploaded lies there and is none."""
    return any(
        _is_index(folder) and folder / UPLOADS not in (path, *path.parents)
        for folder in path.parents
    )


def _is_index(folder: Path) -> bool:
    try:
        return (folder / "current" / "format.json").exists()
    except OSError:  # it may not be looked into
        return False
