"""The commands about what the index holds: `list`, `tag`, `duplicates`, `status`, `remove` ..."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmsearch.cli import options
from mmsearch.cli.lines import counted, show, show_json
from mmsearch.errors import InvalidSetting

if TYPE_CHECKING:
    from mmsearch.types import Document, Twin


def list_documents(
    state: Annotated[
        str | None,
        typer.Option(help="Only pending, done or failed ones.", show_default=False),
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only those that failed, or of which pages did.")
    ] = False,
    where: options.Where = "",
    index: options.Index = None,
    as_json: options.Json = False,
) -> None:
    """List the documents of the index."""
    from mmsearch import filters
    from mmsearch.filters import Filter
    from mmsearch.narrowing import DOCUMENT_FIELDS
    from mmsearch.types import DocumentState

    if state is not None:
        options.check_one_of("state", state, [str(s) for s in DocumentState])
        if failed:
            raise InvalidSetting("--failed and --state: give one of them")
    with options.open_index(index) as engine:
        narrowed = engine.narrow(where, DOCUMENT_FIELDS)
        narrowed &= filters.equals("state", state) if state else Filter()
        found = sorted(engine.documents.all(narrowed), key=lambda document: document.paths)
        if failed:
            from ingest.syncing import failed as failed_in

            chosen = {document.id for document in found}
            found = [document for document in failed_in(engine) if document.id in chosen]
    for document in found:
        if as_json:
            show_json(_row(document))
        elif failed:
            _show_failure(document)
        else:
            reason = f"  {document.reason}" if document.reason else ""
            show(f"{_start(document)}  {', '.join(document.paths)}{reason}")


def tag(
    names: Annotated[
        list[str], typer.Argument(help="Paths, folders or document ids.", show_default=False)
    ],
    add: Annotated[list[str] | None, typer.Option(help="A tag to add.", show_default=False)] = None,
    remove: Annotated[
        list[str] | None, typer.Option(help="A tag to take off.", show_default=False)
    ] = None,
    index: options.Index = None,
    as_json: options.Json = False,
) -> None:
    """Add tags to documents or take them off, and show them."""
    with options.open_index(index) as engine:
        for name in names:
            for document in engine.tag(name, add=add or (), remove=remove or ()):
                if as_json:
                    row = {"document": document.id, "paths": list(document.paths)}
                    show_json(row | {"tags": list(document.tags)})
                else:
                    tags = ", ".join(document.tags) or "no tags"
                    show(f"{document.id[:12]}  {', '.join(document.paths)}: {tags}")


def duplicates(index: options.Index = None, as_json: options.Json = False) -> None:
    """List pages that are the same in several documents, and files with the same bytes."""
    from mmsearch import duplicates

    with options.open_index(index) as engine:
        copies = duplicates.copies(engine)
        families = duplicates.families(engine)
    for document in copies:
        if as_json:
            row = {"document": document.id, "pages": document.page_count}
            show_json({"same": "file"} | row | {"paths": list(document.paths)})
        else:
            show(f"the same file ({counted(document.page_count, 'page')})")
            for path in document.paths:
                show(f"    {path}")
    for family in families:
        if as_json:
            show_json({"same": "page", "pages": [twin_row(twin) for twin in family.pages]})
        else:
            show("the same page")
            for twin in family.pages:
                show(f"    {twin.document.paths[0]}, page {twin.page}")
    if not as_json:
        files, pages = counted(len(copies), "file"), counted(len(families), "page")
        show(f"{files} in several places, {pages} in several documents")


def twin_row(twin: Twin) -> dict[str, Any]:
    """A page of another document, as JSON."""
    document = twin.document
    return {"document": document.id, "paths": list(document.paths), "page": twin.page}


def status(index: options.Index = None, as_json: options.Json = False) -> None:
    """Say what the index is and holds."""
    with options.open_index(index) as engine:
        known = engine.status()
    if as_json:
        show_json(known)
        return
    for name, value in known.items():
        shown = (
            ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        )
        show(f"{name.replace('_', ' '):17} {shown}")


def remove(
    names: Annotated[
        list[str], typer.Argument(help="Paths, folders or document ids.", show_default=False)
    ],
    index: options.Index = None,
    as_json: options.Json = False,
) -> None:
    """Remove documents from the index; the files themselves stay."""
    with options.open_index(index) as engine:
        for name in names:
            for document in engine.remove(name):
                if as_json:
                    row = {"document": document.id, "paths": list(document.paths)}
                    show_json(row | {"status": "removed"})
                else:
                    where = ", ".join(document.paths)
                    pages = counted(document.page_count, "page")
                    show(f"removed {document.id[:12]} ({pages}): {where}")


def compact(index: options.Index = None) -> None:
    """Rewrite the index so that nothing of what was removed is left on disk."""
    with options.open_index(index) as engine:
        engine.compact()
        show(f"compacted {engine.index.address}")


def _start(document: Document) -> str:
    return f"{document.id[:12]}  {document.state:8}{document.page_count:5}"


def _row(document: Document) -> dict[str, Any]:
    return {
        "document": document.id,
        "state": str(document.state),
        "title": document.title,
        "kind": document.kind,
        "pages": document.page_count,
        "failed_pages": {str(n): why for n, why in sorted(document.failed_pages.items())},
        "paths": list(document.paths),
        "tags": list(document.tags),
        "reason": document.reason,
        "error": document.error or None,
        "attempts": document.attempts,
    }


def _show_failure(document: Document) -> None:
    show(f"{_start(document)}  {', '.join(document.paths)}")
    if document.reason:
        tries = "once" if document.attempts == 1 else f"{document.attempts} times"
        error = f"{document.error}, " if document.error else ""
        show(f"    {document.reason} ({error}tried {tries})")
    for pages, reason in _by_reason(document.failed_pages):
        show(f"    {pages}: {reason}")


def _by_reason(failed: Mapping[int, str]) -> list[tuple[str, str]]:
    """Pages with their reasons; those that follow each other with the same one are one line."""
    lines: list[tuple[str, str]] = []
    # Numbers that follow each other are as far from their rank as their neighbours.
    ranked = enumerate(sorted(failed.items()))
    for _, group in groupby(ranked, lambda item: (item[1][0] - item[0], item[1][1])):
        numbers = [(number, reason) for _, (number, reason) in group]
        (first, reason), (last, _) = numbers[0], numbers[-1]
        lines.append((f"page {first}" if first == last else f"pages {first}-{last}", reason))
    return lines
