"""Documents of an index by name, their tags, and how they lose places or go for good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mmsearch import documents
from mmsearch.errors import NotFound
from mmsearch.paths import absolute, is_below
from mmsearch.types import Document

if TYPE_CHECKING:
    from mmsearch.engine import SearchEngine


def tag(
    engine: SearchEngine, name: str, add: Sequence[str], remove: Sequence[str]
) -> list[Document]:
    """See `SearchEngine.tag`."""
    changed = [documents.tagged(found, add, remove) for found in _named(engine, name)]
    for document in changed if add or remove else ():
        rewrite(engine, document)
    return changed


def remove(engine: SearchEngine, name: str) -> list[Document]:
    """See `SearchEngine.remove`."""
    found = _named(engine, name)
    path = str(absolute(name))
    removed = []
    for document in found:
        gone = {place for place in document.paths if is_below(place, [path])}
        gone = gone or set(document.paths)
        forget(engine, document, gone)
        places = tuple(place for place in document.locations if place.path in gone)
        removed.append(replace(document, locations=places))
    return removed


def forget(engine: SearchEngine, document: Document, paths: set[str]) -> None:
    """See `SearchEngine.forget`."""
    left = tuple(place for place in document.locations if place.path not in paths)
    if left:
        rewrite(engine, replace(document, locations=left))
        return
    # The record goes last: a removal that was cut short is found and finished by the next.
    engine.index.pages.delete(documents.of_document(document.id))
    engine.store.delete(document.id)
    engine.documents.delete(document.id)


def rewrite(engine: SearchEngine, document: Document) -> None:
    """Write the record of a document anew, and what its pages repeat of it."""
    # The record goes last: what was cut short is done again by the same call.
    engine.index.pages.set_payload(
        documents.shared_payload(document), documents.of_document(document.id)
    )
    engine.documents.put(document)


def find(engine: SearchEngine, name: str) -> list[Document]:
    """See `SearchEngine.find`."""
    path = str(absolute(name))
    found = {document.id: document for document in engine.documents.at(path)}
    if not found or any(document.kind == "archive" for document in found.values()):
        for document in engine.documents.all():
            inside = any(is_below(place, [path]) for place in document.paths)
            if inside or (len(name) >= 6 and document.id.startswith(name.lower())):
                found[document.id] = document
    return list(found.values())


def _named(engine: SearchEngine, name: str) -> list[Document]:
    found = find(engine, name) if name.strip() else []  # an empty name is not the current folder
    if not found:
        raise NotFound(f"{name}: no such document in {engine.index.address}; see: mmsearch list")
    return found
