"""Document states, and what a document's and a page's payload look like in the index."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import Any

from mmsearch import filters, looks
from mmsearch.errors import InvalidSetting
from mmsearch.filters import Filter
from mmsearch.index import Collection, FieldType, Point, Schema
from mmsearch.paths import is_archive
from mmsearch.saying import saying
from mmsearch.types import Document, DocumentState, Location, Page, Payload

_SHARED_FIELDS: Mapping[str, FieldType] = {
    "document": "keyword",
    "kind": "keyword",
    "within": "keyword",
    "folder": "keyword",
    "tags": "keyword",
    "mtime": "float",
    "year": "integer",
}
DOCUMENT_SCHEMA = Schema(fields={**_SHARED_FIELDS, "state": "keyword", "paths": "keyword"})
PAGE_FIELDS: Mapping[str, FieldType] = {
    **_SHARED_FIELDS,
    "number": "integer",
    "text_source": "keyword",
    "language": "keyword",
    "blank": "integer",
    "ready": "integer",
    "look_bands": "keyword",
    "says": "keyword",
}
MAX_TAGS = 100  # of a document
MAX_TAG_CHARACTERS = 100
# A picture with fewer letters and digits on it is a photo: one photo in a hundred has more, on a
# packet or a sign, and hardly a page of a document has less.
PHOTO_LETTERS = 150
PHOTO_KINDS = ("image", "video")
_FOLDERS = 100  # that a path is found under: in an archive it may go 2000 deep, at every page
_ID = re.compile("[0-9a-f]{64}")
READY = filters.equals("ready", 1)


def is_id(text: str) -> bool:
    """Whether a text is a document's id: nothing else may become part of a path in the store."""
    return _ID.fullmatch(text) is not None


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
    from mmsearch.encoders.languages import language_of

    text, says = page.text, saying(page.full_text)
    payload: Payload = {
        "document": document.id,
        "number": page.number,
        "text": page.full_text,
        "text_source": text.source,
        "confidence": None if text.confidence is None else round(text.confidence, 4),
        "width": page.width,
        "height": page.height,
        "letters": sum(map(str.isalnum, text.text)),
        "blank": int(is_blank(page)),
        "ready": 0,
    }
    payload["says"], payload["little"] = says.key, int(says.little)
    if language := language_of(page.full_text):
        payload["language"] = language
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


def is_blank(page: Page) -> bool:
    """Whether there is nothing to find a page by; a blank one may have a caption."""
    return page.blank and not page.caption


def is_photo(payload: Payload) -> bool:
    """Whether a page is a picture with next to no text on it; a caption is not on it."""
    return payload["kind"] in PHOTO_KINDS and payload["letters"] < PHOTO_LETTERS


def shared_payload(document: Document) -> Payload:
    """What every page of a document repeats, so that searches can filter on it."""
    return {
        "title": document.title,
        "page_count": document.page_count,
        "paths": list(document.paths),
        "size": document.size,
        **_filterable(document),
    }


def _filterable(document: Document) -> Payload:
    """What pages are filtered by and documents as well.

    `within` is every name that a filter may give a place by: of the file, and of each folder and
    archive around it, absolute and as it was ingested. `folder` is the first of these below what
    was ingested, `year` that of the last change in UTC.
    """
    within: set[str] = set()
    folders: set[str] = set()
    for place in document.locations:
        for path in (place.path, place.name):
            outer = (*map(str, PurePath(path).parents),)[-_FOLDERS:]
            within |= {path, *map(_folder_name, outer)} - {"."}
        top, inside, _ = place.name.lstrip("/").partition("/")
        if inside:
            folders.add(_folder_name(top))
    return {
        "kind": document.kind,
        "within": sorted(within),
        "folder": sorted(folders),
        "tags": list(document.tags),
        "mtime": document.mtime,
        "year": _year(document.mtime),
    }


def _folder_name(folder: str) -> str:
    """Without the ! that stands between an archive and what is in it."""
    return folder[:-1] if folder.endswith("!") and is_archive(folder[:-1]) else folder


def _year(mtime: float) -> int | None:
    try:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=mtime)).year
    except (OverflowError, ValueError):  # a broken clock: beyond the years 1 to 9999
        return None


def tagged(document: Document, add: Sequence[str] = (), remove: Sequence[str] = ()) -> Document:
    """The document with some tags more and some fewer, in order of the alphabet.

    Raises:
        InvalidSetting: a tag is empty, too long, or could not be written in a filter; or there are
            too many.
    """
    added = [tag.strip() for tag in add]
    for tag in added:
        if not tag or len(tag) > MAX_TAG_CHARACTERS or not tag.isprintable() or '"' in tag:
            raise InvalidSetting(
                f"tag {tag[:MAX_TAG_CHARACTERS]!r}: a tag has 1 to {MAX_TAG_CHARACTERS} "
                "characters, none of them a double quote or a control character"
            )
    tags = {*document.tags, *added} - {tag.strip() for tag in remove}
    if len(tags) > MAX_TAGS:
        raise InvalidSetting(
            f"{document.title or document.id}: has {len(document.tags)} tags, more than {MAX_TAGS} "
            "are not allowed; remove some: mmsearch tag NAME --remove TAG"
        )
    return replace(document, tags=tuple(sorted(tags)))


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

    def ids(self) -> list[str]:
        """The ids of all documents, in order."""
        points = self._collection.scroll(Filter(), payload=["document"])
        return sorted(point.payload["document"] for point in points)

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
        "paths": list(document.paths),
        "names": [location.name for location in document.locations],
        "mtimes": [location.mtime for location in document.locations],
        "page_count": document.page_count,
        "size": document.size,
        "failed_pages": {str(number): why for number, why in document.failed_pages.items()},
        **_filterable(document),
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
