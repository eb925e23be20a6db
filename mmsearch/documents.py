"""Document states, and what a document's and a page's payload look like in the index."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from mmsearch import filters, looks
from mmsearch.filters import Filter
from mmsearch.index import Collection, FieldType, Point, Schema
from mmsearch.types import Document, DocumentState, Location, Page, Payload

DOCUMENT_SCHEMA = Schema(
    fields={"state": "keyword", "kind": "keyword", "paths": "keyword", "tags": "keyword"}
)
PAGE_FIELDS: Mapping[str, FieldType] = {
    "document": "keyword",
    "number": "integer",
    "kind": "keyword",
    "paths": "keyword",
    "folders": "keyword",
    "text_source": "keyword",
    "tags": "keyword",
    "mtime": "float",
    "blank": "integer",
    "ready": "integer",
    "look_bands": "keyword",
}
_FOLDERS = 100  # that a path is found under: in an archive it may go 2000 deep, at every page
READY = filters.equals("ready", 1)


def point_id(document: str, number: int) -> str:
    """The id of a page's point: the same for the same bytes and page, always."""
    return str(uuid.uuid5(uuid.UUID(hex=document[:32]), str(number)))


def document_point_id(document: str) -> str:
    """The id of a document's own point."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, document))


def of_document(document: str) -> Filter:
    """The pages of one document, visible or not."""
    return filters.equals("document", document)


def page_payload(document: Document, page: Page) -> Payload:
    """The payload of a page's point; not visible to searches until its document is."""
    text = page.text
    payload: Payload = {
        "document": document.id,
        "number": page.number,
        "text": page.full_text,
        "text_source": text.source,
        "confidence": None if text.confidence is None else round(text.confidence, 4),
        "width": page.width,
        "height": page.height,
        "blank": int(page.blank),
        "ready": 0,
    }
    if page.warning:
        payload["warning"] = page.warning
    if document.sidecar:  # that it was read with: another one has it read again
        payload["sidecar"] = document.sidecar
    if page.look:
        payload["look"] = page.look
        payload["look_bands"] = looks.bands(page.look)
    if page.seconds is not None:
        payload["seconds"] = page.seconds
    return payload | shared_payload(document)


def shared_payload(document: Document) -> Payload:
    """What every page of a document repeats, so that searches can filter on it."""
    folders = {
        str(folder)
        for path in document.paths
        for folder in (*PurePath(path).parents,)[-_FOLDERS:]  # the outer ones
    }
    return {
        "title": document.title,
        "kind": document.kind,
        "page_count": document.page_count,
        "paths": list(document.paths),
        "folders": sorted(folders),
        "mtime": document.mtime,
        "size": document.size,
        "tags": list(document.tags),
    }


class Documents:
    """The records of all documents of an index."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    def put(self, document: Document) -> None:
        """Write the record of `document`, replacing what was known of it."""
        self._collection.upsert([Point(document_point_id(document.id), _payload(document))])

    def get(self, *ids: str) -> dict[str, Document]:
        """The records that exist among `ids`, by id."""
        points = self._collection.retrieve([document_point_id(id_) for id_ in ids])
        return {document.id: document for document in map(_document, points)}

    def all(self, where: Filter | None = None) -> Iterator[Document]:
        """Every record that the filter selects."""
        return map(_document, self._collection.scroll(where or Filter()))

    def at(self, path: str) -> list[Document]:
        """The documents known under exactly this path."""
        return list(self.all(filters.equals("paths", path)))

    def delete(self, id_: str) -> None:
        """Forget the document of this id; its pages are removed by the engine."""
        self._collection.delete(filters.ids([document_point_id(id_)]))

    def counts(self) -> dict[str, int]:
        """How many documents are in each state."""
        return {str(k): v for k, v in self._collection.facet("state", Filter()).items()}


def _payload(document: Document) -> Payload:
    return {
        "document": document.id,
        "state": str(document.state),
        "reason": document.reason,
        "error": document.error,
        "attempts": document.attempts,
        "sidecar": document.sidecar,
        "title": document.title,
        "kind": document.kind,
        "paths": list(document.paths),
        "names": [location.name for location in document.locations],
        "mtimes": [location.mtime for location in document.locations],
        "page_count": document.page_count,
        "size": document.size,
        "tags": list(document.tags),
        "failed_pages": {str(number): why for number, why in document.failed_pages.items()},
    }


def _document(point: Point) -> Document:
    payload: dict[str, Any] = point.payload
    places = zip(payload["paths"], payload["names"], payload["mtimes"], strict=True)
    return Document(
        id=payload["document"],
        state=DocumentState(payload["state"]),
        title=payload["title"],
        kind=payload["kind"],
        locations=tuple(Location(*place) for place in places),
        page_count=payload["page_count"],
        size=payload["size"],
        tags=tuple(payload["tags"]),
        reason=payload["reason"],
        error=payload["error"],
        attempts=payload["attempts"],
        sidecar=payload["sidecar"],
        failed_pages={int(number): why for number, why in payload["failed_pages"].items()},
    )
