"""Keeps an index equal to folders: what was added, changed, moved or deleted; and tries again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

from ingest.pipeline import run
from ingest.places import is_gone, is_in, is_mounted
from ingest.report import FileResult, Report
from ingest.sources import Named, Passed, Source, discover, discover_at
from mmsearch import filters
from mmsearch.engine import SearchEngine
from mmsearch.errors import NotFound
from mmsearch.paths import absolute, is_below, outermost
from mmsearch.types import Document, DocumentState


def sync(
    folders: Iterable[str | Path],
    engine: SearchEngine,
    *,
    keep_missing: bool = False,
    ready: Callable[[Source], bool] | None = None,
    **options: Any,
) -> Report:
    """Bring the index into line with folders.

    New and changed files are read, moved ones keep their pages, and those that are gone are
    removed. What lies in a folder or archive that cannot be read now is left as it is.

    Args:
        folders: folders or files, as for `ingest.run`.
        keep_missing: leave in the index what is no longer there.
        ready: whether a file may be read now; others are left as they are.
        options: as for `ingest.run`.

    Returns:
        As of `ingest.run`, with a result of status `removed` for every path that was forgotten.

    Raises:
        NotFound: a folder is missing, or empty where it was not: perhaps it is not mounted.
    """
    roots = [absolute(folder) for folder in folders]
    if not keep_missing:
        for root in roots:
            check_present(root, engine)
    named: list[Named] = list(roots)
    if ready:
        named = [_unless_ready(item, ready) for item in discover(roots)]
    report = run(named, engine, **options)
    if not keep_missing and not report.stopped:
        _remove_missing([str(root) for root in roots], engine, report, options.get("on_file"))
    return report


def retry(engine: SearchEngine, paths: Iterable[str | Path] = (), **options: Any) -> Report:
    """Read again what failed: whole documents, and single pages of others.

    Args:
        paths: only what is there or below; everything by default.
        options: as for `ingest.run`.
    """
    roots = [str(absolute(path)) for path in paths]
    folders = {  # that files were named after, by file
        outermost(place.path): Path(place.path.removesuffix(place.name))
        for document in failed(engine)
        for place in document.locations
        if not roots or is_below(place.path, roots)
    }
    named: list[Named] = []
    for path, folder in sorted(folders.items()):
        found = [s for s in discover_at(Path(path), [folder]) if isinstance(s, Source)]
        named += found or [path]
    return run(named, engine, retry=True, **options)


def failed(engine: SearchEngine) -> list[Document]:
    """Documents that failed, or of which pages did, or files in an archive; in order of paths."""
    found = engine.documents.all(filters.equals("state", "failed", "done"))
    lacking = (d for d in found if d.state is DocumentState.FAILED or d.failed_pages or d.error)
    return sorted(lacking, key=lambda document: document.paths)


def check_present(root: Path, engine: SearchEngine) -> None:
    """Raise `NotFound` where a folder is missing, silent, or empty where it was not."""
    try:
        if is_mounted(root):
            return
        is_there = root.exists()
    except OSError as error:
        raise NotFound(
            f"{root}: {error.strerror or error}; mount it again, or check its permissions"
        ) from error
    known = sum(1 for d in engine.documents.all() if any(is_below(p, [str(root)]) for p in d.paths))
    if not is_there:
        raise NotFound(
            f"{root}: no such folder; mount it, or forget what was in it: mmsearch remove {root}"
        )
    if known:
        raise NotFound(
            f"{root}: is empty, but {known} documents of it are known; mount it, or forget them: "
            f"mmsearch remove {root}"
        )


def remove_gone(
    paths: Collection[str],
    engine: SearchEngine,
    report: Report,
    on_file: Callable[[FileResult], None] | None,
) -> None:
    """Forget what is known at `paths` of the disk or below them, and is no longer there."""
    known: dict[str, Document] = {}
    folders = []
    for path in paths:
        found = engine.documents.at(path)
        known |= {document.id: document for document in found}
        if not found or any(document.kind == "archive" for document in found):
            folders.append(path)  # or an archive, or never in the index
    if folders:
        below = frozenset(folders)
        for document in engine.documents.all():
            if any(is_in(path, below) for path in document.paths):
                known[document.id] = document
    gone = frozenset(paths)
    for document in known.values():
        lost = {
            path
            for path in document.paths
            if is_in(path, gone) and is_gone(path) and is_gone(outermost(path))
        }
        _forget(document, lost, engine, report, on_file)


def _unless_ready(item: Source | Passed, ready: Callable[[Source], bool]) -> Source | Passed:
    if isinstance(item, Passed) or ready(item):
        return item
    # What is in an archive is not known then, as with a folder that is closed.
    return Passed(item.path, "still changing; read once it has settled", folder=item.is_archive)


def _remove_missing(
    roots: list[str],
    engine: SearchEngine,
    report: Report,
    on_file: Callable[[FileResult], None] | None,
) -> None:
    """Forget every path below `roots` that the run did not come by and that leads nowhere.

    That the walk met nothing is not enough: a disk may have been away just then.
    """
    named = frozenset(roots)
    for document in list(engine.documents.all()):
        gone = {
            path
            for path in document.paths
            if path not in report.seen
            and is_in(path, named)
            and not is_in(path, report.unknown)
            and outermost(path) not in report.unchanged_archives
            and is_gone(outermost(path))
        }
        _forget(document, gone, engine, report, on_file)


def _forget(
    document: Document,
    gone: set[str],
    engine: SearchEngine,
    report: Report,
    on_file: Callable[[FileResult], None] | None,
) -> None:
    if not gone:
        return
    engine.forget(document, gone)
    left = [path for path in document.paths if path not in gone]
    for path in sorted(gone):
        reason = f"no longer there, still at {left[0]}" if left else "no longer there"
        result = FileResult(path, "removed", 0, document.id, reason)
        report.results.append(result)
        if on_file:
            on_file(result)
