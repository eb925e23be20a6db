"""Answers a search that is given as a link with HTML: at once, and again when it is reordered."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from mmsearch.errors import InvalidQuery, MMSearchError, NotFound
from mmsearch.filters import equals
from mmsearch.types import DocumentState, Query
from ui import address, views
from ui.address import Asked

if TYPE_CHECKING:
    from PIL.Image import Image

    from mmsearch.engine import SearchEngine
    from ui.doors.metrics import Kind, Metrics
    from ui.query_images import QueryImages

_LOOKED_AT = 200  # documents that titles to try are chosen from
_TRIED = 4
_LONGEST_TRY = 60  # characters
_log = logging.getLogger(__name__)


def answer(
    engine: SearchEngine, images: QueryImages, metrics: Metrics, link: object, user: str = ""
) -> Iterator[str]:
    """The HTML of a search: results, or a line that says why there are none.

    Args:
        engine: what is searched.
        images: where uploaded query images are.
        metrics: counts the search.
        link: the search, see `address.parse`.
        user: whose search it is.
    """
    asked = None
    try:
        asked = address.parse(link)
        if not asked:
            yield views.welcome(engine.status()["searchable_pages"], titles_to_try(engine))
            return
        with metrics.search(_kind(asked)):
            yield from _results(engine, images, asked, user)
    except MMSearchError as error:
        yield views.problem(str(error), asked)
    except Exception:
        _log.exception("search failed")
        yield views.problem("The search failed; the terminal that runs mmsearch says why.")


def titles_to_try(engine: SearchEngine) -> list[str]:
    """A few titles of documents that are there, spread over those looked at."""
    done = engine.documents.all(equals("state", DocumentState.DONE))
    titles = list(
        dict.fromkeys(
            document.title.strip()
            for document in islice(done, _LOOKED_AT)
            if 8 <= len(document.title.strip()) <= _LONGEST_TRY
        )
    )
    return titles[:: max(1, len(titles) // _TRIED)][:_TRIED]


def _kind(asked: Asked) -> Kind:
    if not asked.image and not asked.page:
        return "words"
    return "both" if asked.text else "image"


def _results(engine: SearchEngine, images: QueryImages, asked: Asked, user: str) -> Iterator[str]:
    started = time.perf_counter()
    similar = asked.page if asked.region is None and not asked.text else None
    query = _query(engine, images, asked, user)
    answers = engine.answers(
        query,
        limit=asked.shown + (similar is not None),
        where=asked.where,
        group=asked.group,
        rerank=asked.rerank,
    )
    for found in answers:
        yield views.results(
            found, asked, query, seconds=time.perf_counter() - started, similar=similar
        )


def _query(engine: SearchEngine, images: QueryImages, asked: Asked, user: str) -> Query:
    image = None
    if asked.page:
        image = _part_of_page(engine, asked)
    elif asked.image:
        image = images.image(asked.image, user)
    # A page of our own has no window frame around it.
    repair = asked.repair and not asked.page
    return engine.query(asked.text, image=image, image_weight=asked.weight, repair=repair)


def _part_of_page(engine: SearchEngine, asked: Asked) -> Image:
    """The picture of a page of the index, or of a region of it."""
    from mmsearch.images import open_image

    document, number = asked.page or ("", 0)
    encoded = b""
    if document in engine.documents.get(document):
        with suppress(NotFound):
            encoded = engine.store.picture(document, number)
    if not encoded:
        raise InvalidQuery("the page of this search is no longer here; start a new search")
    picture = open_image(encoded, max_pixels=engine.settings.max_pixels)
    if asked.region is None:
        return picture
    x0, y0, x1, y1 = asked.region
    width, height = picture.size
    box = (int(x0 * width), int(y0 * height), -int(-x1 * width), -int(-y1 * height))
    return picture.crop(box)
