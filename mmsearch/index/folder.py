"""An index folder: who holds it, and which generation of the shards is the current one.

FOLDER/
  current -> generations/2      replaced by rename, so a reader sees the old or the new one
  generations/2/format.json     how the index was made
  generations/2/pages/          a point a page
  generations/2/documents/      a point a document
  store/                        page pictures and word boxes
  index.lock                    held with flock() by the process that has the index open
  index.sock                    where that process answers the others
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from mmsearch.errors import FormatMismatch, IndexLocked, IndexUnusable, NotFound

UPLOADS = "uploads"  # files uploaded in the page
OURS = {"current.new", "generations", "index.lock", "index.sock", "store", UPLOADS}


def check_free(folder: Path) -> None:
    """Make sure that a folder without an index holds nothing of somebody else's.

    Raises:
        FormatMismatch: it does.
    """
    if folder.exists() and not folder.is_dir():
        raise FormatMismatch(f"{folder}: a file, not a folder; name another folder")
    others = {path.name for path in folder.iterdir()} - OURS if folder.exists() else set()
    if others:
        raise FormatMismatch(
            f"{folder}: not an index, and not empty ({min(others)}); name another folder"
        )


def read_info(folder: Path) -> dict[str, object]:
    """Read `format.json` of the index in `folder`.

    Raises:
        NotFound: there is no index.
        FormatMismatch: there is something else, or a damaged index.
    """
    if not (folder / "current").exists():
        raise NotFound(f"{folder}: no index here; make one: mmsearch ingest PATH --index {folder}")
    path = folder / "current" / "format.json"
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FormatMismatch(
            f"{folder}: not a usable index: {path.name}: {error}; ingest into another folder"
        ) from error
    if not isinstance(info, dict):
        raise FormatMismatch(f"{folder}: not a usable index: {path.name} holds no table")
    return info


def take_lock(folder: Path) -> IO[str]:
    """Lock the folder for this process; the kernel frees the lock when the process ends."""
    try:
        file = (folder / "index.lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise IndexUnusable(
            f"{folder}: cannot be written: {error.strerror}; check its permissions"
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        holder = file.read(20).strip() or "unknown"
        file.close()
        raise IndexLocked(
            f"{folder}: the index is in use by another process (pid {holder}) that does not "
            f"answer; wait for it or end it"
        ) from error
    file.seek(0)
    file.truncate()
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def new_generation(folder: Path) -> Path:
    """Make the folder of a generation that nobody sees yet."""
    generations = folder / "generations"
    generations.mkdir(exist_ok=True)
    number = max((int(p.name) for p in generations.iterdir() if p.name.isdigit()), default=0) + 1
    new = generations / str(number)
    new.mkdir()
    return new


def publish(generation: Path, info: Mapping[str, object]) -> None:
    """Make a generation that is whole the current one; readers see the old or the new one."""
    _write_json(generation / "format.json", info)
    _link(generation)


def mend_link(folder: Path) -> bool:
    """Publish the newest whole generation of a folder without `current`; False if there is none.

    A copy that leaves links out has lost it, and what is not current would be cleared away.
    """
    whole = [path.parent for path in folder.glob("generations/*/format.json") if _is_whole(path)]
    if whole:
        _link(max(whole, key=lambda generation: int(generation.name)))
    return bool(whole)


def _is_whole(path: Path) -> bool:
    try:
        return path.parent.name.isdigit() and bool(json.loads(path.read_bytes()))
    except ValueError:  # killed while it was written
        return False


def _link(generation: Path) -> None:
    folder = generation.parent.parent
    link = folder / "current.new"
    link.unlink(missing_ok=True)
    link.symlink_to(generation.relative_to(folder))
    link.replace(folder / "current")


def remove_leftovers(folder: Path) -> None:
    """Delete generations that a killed process did not publish or did not clear away."""
    current = (folder / "current").resolve()
    for generation in (folder / "generations").iterdir():
        if generation.resolve() != current:
            shutil.rmtree(generation, ignore_errors=True)


def _write_json(path: Path, content: Mapping[str, object]) -> None:
    with path.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=2, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
