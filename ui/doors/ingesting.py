"""What a program may have ingested: files that it uploaded, and folders that are open to it."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsearch import documents
from mmsearch.errors import InvalidSetting
from mmsearch.types import Document
from ui.doors import given
from ui.library.upload_names import distinct, safe_name
from ui.library.uploads import KEPT_FREE, MAX_NAME, uploads_folder

if TYPE_CHECKING:
    from mmsearch.engine import SearchEngine
    from ui.library.job import Job
    from ui.library.jobs import Jobs

_MAX_PATH = 4096  # characters


def start(
    engine: SearchEngine, jobs: Jobs, *, files: Any, path: Any, tags: Any, by: str = ""
) -> Job:
    """Check what a program asks for, keep what it uploaded, and start the job.

    Args:
        files: as Gradio describes uploaded files.
        path: of a file or folder on this machine, below one of `settings.ingest_roots`.
        tags: put on the documents.
        by: who asks.

    Raises:
        InvalidSetting: the server is read-only, or anything of it is not allowed.
    """
    settings = engine.settings
    if settings.read_only == "on":
        raise InvalidSetting("ingest: this server is read-only; nothing is added to its index")
    wanted = given.texts("tags", tags, documents.MAX_TAGS, documents.MAX_TAG_CHARACTERS)
    documents.tagged(Document(""), add=wanted)  # before anything is moved
    place = given.text("path", path, _MAX_PATH)
    if bool(files) == bool(place):
        raise InvalidSetting("ingest: give files that were uploaded, or a path on the server")
    if place:
        return jobs.start([_open(place, settings.ingest_roots)], tags=wanted, by=by)
    uploads = _uploaded(files, settings.max_upload_files, settings.max_upload_bytes)
    folder = _kept(uploads, uploads_folder(engine) / "files")
    try:
        name = f"{len(uploads)} files by the API"
        return jobs.start([folder], title=name, tags=wanted, by=by)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _uploaded(files: Any, most: int, largest: int) -> list[tuple[Path, str]]:
    """Where each uploaded file is now, and the name it came with."""
    if not isinstance(files, list):
        raise InvalidSetting("files: is no list; upload files to gradio_api/upload first")
    if len(files) > most:
        raise InvalidSetting(f"files: {len(files):,} are more than {most:,}; send fewer at a time")
    found = []
    for number, file in enumerate(files, start=1):
        path = given.uploaded(f"file {number}", file)
        if path.stat().st_size > largest:
            raise InvalidSetting(
                f"file {number}: {path.stat().st_size >> 20:,} MiB are more than the limit of "
                f"{largest >> 20:,} MiB; see the setting max_upload_bytes"
            )
        name = file.get("orig_name")
        found.append((path, name if isinstance(name, str) and name else path.name))
    if len({path for path, _ in found}) < len(found):
        raise InvalidSetting("files: one is named twice; upload it once")
    return found


def _kept(files: Sequence[tuple[Path, str]], root: Path) -> Path:
    """A new folder below `root`, with these files moved there."""
    names = distinct([safe_name(name[-MAX_NAME:]) for _, name in files])
    folder = root / f"{time.strftime('%Y-%m-%d')}-{secrets.token_hex(6)}"
    try:
        folder.mkdir(mode=0o700, parents=True)
        size = sum(path.stat().st_size for path, _ in files)
        if shutil.disk_usage(folder).free - size < KEPT_FREE:
            raise OSError(errno.ENOSPC, "the server's disk is nearly full")
        for (path, _), name in zip(files, names, strict=True):
            target = folder / name
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.move(path, target)
            target.chmod(0o600)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise InvalidSetting(f"files: are not kept: {error.strerror}; tell the operator") from error
    return folder


def _open(path: str, roots: str) -> Path:
    """A file or folder of this machine that programs may name; says no more of others."""
    if given.is_url(path):
        raise InvalidSetting("path: is fetched from no URL; upload the files instead")
    folders = [Path(root).resolve() for root in roots.split(os.pathsep) if root.strip()]
    if not folders:
        raise InvalidSetting(
            "path: no folder of the server is open to programs; upload the files, "
            "or have the setting ingest_roots name it"
        )
    refusal = InvalidSetting(
        "path: is in no folder that is open to programs, or not there; see ingest_roots"
    )
    try:
        real = Path(path).resolve() if Path(path).is_absolute() else None
        if real is None or not _is_within(real, folders) or not real.exists():
            raise refusal
        if leak := _link_out(real, folders):
            raise InvalidSetting(f"path: {leak} is a link to a place that is not open to programs")
    except (OSError, ValueError, RuntimeError):  # a name that is too long, links in a circle
        raise refusal from None
    return real


def _link_out(folder: Path, roots: Sequence[Path]) -> Path | None:
    """A link below `folder` that leads out of all `roots`: the files behind links are read."""
    for at, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(at, name)
            if path.is_symlink() and not _is_within(path.resolve(), roots):
                return path
    return None


def _is_within(path: Path, folders: Sequence[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)
