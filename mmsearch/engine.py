"""The search engine of one index: search, remove, and what is in it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsearch import (
    answers,
    changes,
    confidence,
    duplicates,
    evidence,
    facets,
    filters,
    fusion,
    mixing,
    narrowing,
    profiles,
    ranking,
)
from mmsearch.answers import Answer
from mmsearch.config import Settings
from mmsearch.documents import READY, Documents, is_photo
from mmsearch.encoders import Encoder, PageContent, Reads
from mmsearch.errors import (
    InvalidQuery,
    InvalidSetting,
    MMSearchError,
    NotFound,
    UnreadableFile,
)
from mmsearch.filters import Filter
from mmsearch.index import Index, Point, Search
from mmsearch.labels.names import subject
from mmsearch.page_store import PageStore
from mmsearch.rerankers import Reranker
from mmsearch.types import Document, Hit, Label, Match, Query, Twin

if TYPE_CHECKING:
    from PIL.Image import Image

    from mmsearch.mixing import Source

_BACKGROUND_SECONDS = 60.0  # until it is looked whether the index has grown
DEPTH = 100  # pages asked of each view: the fused list is cut from these
Ranked = Sequence[tuple[str, float]]  # point and score


@dataclass(frozen=True, slots=True)
class Candidate:
    """A page on its way to being a hit: fused score, each view's raw score, and the spot of the
    query image on it, where that was cut from it.
    """

    point: str
    score: float
    scores: Mapping[str, float]
    match: Match | None = None


class SearchEngine:
    """Searches one index. Made by `mmsearch.open`; safe to use from several threads."""

    def __init__(
        self,
        index: Index,
        profile: profiles.Profile,
        encoders: Mapping[str, Encoder],
        store: PageStore,
        settings: Settings,
        reranker: Reranker | None = None,
    ) -> None:
        self.index = index
        self.profile = profile
        self.encoders = encoders
        self.store = store
        self.settings = settings
        self.reranker = reranker
        self.documents = Documents(index.documents)
        # One for good: the C library keeps what each new thread has freed, 100 MB of a picture's.
        self.pool = ThreadPoolExecutor(os.cpu_count())
        self._background: tuple[float, confidence.Background | None] = (0.0, None)

    def search(
        self,
        text: str = "",
        *,
        image: Source | Sequence[Source] | None = None,
        image_weight: float | None = None,
        limit: int = 10,
        offset: int = 0,
        where: Filter | str | None = None,
        group: bool = False,
        views: Sequence[str] | None = None,
        rerank: bool | int | None = None,
        repair: bool = True,
    ) -> list[Hit]:
        """Find the pages that match words, images, or both.

        Pages that an image was cut from come first, with the spot as `match`; of several images,
        those that the most were cut from.

        Args:
            text: words or a question.
            image: a screenshot or photo: path, encoded bytes or picture. Of several, at most 8,
                each is looked for by itself.
            image_weight: how much images count beside words, in [0, 1], when both are looked for
                apart and their lists are mixed; at 0 the words alone count. By default they are
                looked for together, as one input where the profile's model takes both.
            limit: how many hits.
            offset: how many to pass over. All are cut from one list, `DEPTH` pages of each view,
                and behind its end there are none.
            where: narrows the search; a filter, or the text of one, see `narrowing`.
            group: only the best page of each document, with how many `more` were found.
            views: only these views of the index; all by default.
            rerank: whether the profile's reranker, where it has one, reorders the best pages, or
                how many of them; with True its own number, 20 pictures or 50 texts. By default it
                does for words alone: by its makers' own figures it finds images no better.
            repair: whether window frames and the like are taken off the image where it is not found
                as it is.

        Returns:
            Hits, best first.

        Raises:
            InvalidQuery: nothing to search for, an image that is none, or too many.
            InvalidSetting: a filter that cannot be read, or a number that is not allowed.
        """
        query = self.query(text, image=image, image_weight=image_weight, repair=repair)
        return self.answer(
            query, limit=limit, offset=offset, where=where, group=group, views=views, rerank=rerank
        )

    def answer(
        self,
        query: Query,
        *,
        limit: int = 10,
        offset: int = 0,
        where: Filter | str | None = None,
        group: bool = False,
        views: Sequence[str] | None = None,
        rerank: bool | int | None = None,
    ) -> list[Hit]:
        """Find the pages for a query that was read before; see `search`."""
        cut = answers.Cut(limit, offset, group)
        found = self.candidates(query, where=where, views=views)
        better = answers.reranked(self, query, found, cut, rerank)
        return cut.taken(self, query, better or found)[0]

    def answers(
        self,
        query: Query,
        *,
        limit: int = 10,
        offset: int = 0,
        where: Filter | str | None = None,
        group: bool = False,
        rerank: bool | int | None = None,
    ) -> Iterator[Answer]:
        """As `answer`, with what stands beside a list of hits: how many there are, and facets.

        Where the reranker reorders, the first stage's answer comes before it has.
        """
        cut = answers.Cut(limit, offset, group)
        return answers.staged(self, query, self.candidates(query, where=where), cut, rerank)

    def narrow(
        self, where: Filter | str | None, fields: Sequence[str] = narrowing.PAGE_FIELDS
    ) -> Filter:
        """The filter that a text describes; a filter comes back as it is.

        Args:
            where: None and an empty text select all.
            fields: those that the text may ask for: of pages, or of documents.

        Raises:
            InvalidSetting: the text cannot be read; see `narrowing.parse`.
        """
        if isinstance(where, str):
            return narrowing.parse(where, fields=fields, ids=cache(self.documents.ids))
        return where or Filter()

    def facets(
        self, query: str | Query = "", *, where: Filter | str | None = None, limit: int = 20
    ) -> dict[str, facets.Counts]:
        """How many pages are of which kind, folder, tag, text source, language and year.

        Args:
            query: counts what is found for it, as far as the list of results goes; by default all
                that the filter selects.
            where: as for `search`.
            limit: most values of a facet.

        Returns:
            By facet, value and number of pages; most pages first, equal ones in order. A page may
            have several tags or folders, or no language.
        """
        if query == "":
            return facets.of_filter(self.index.pages, self.narrow(where) & self._findable(), limit)
        query = self.query(query) if isinstance(query, str) else query
        return facets.of_candidates(self.index.pages, self.candidates(query, where=where), limit)

    def query(
        self,
        text: str = "",
        *,
        image: Source | Sequence[Source] | None = None,
        image_weight: float | None = None,
        repair: bool = True,
    ) -> Query:
        """Check and read what is looked for, and `repair` images where that is needed."""
        text = text.strip()
        sources = mixing.several(image)
        weight = mixing.check_weight(image_weight)
        if not text and not sources:
            raise InvalidQuery(
                'the query is empty; give words or an image: mmsearch search "words"'
            )
        left = self.settings.max_pixels  # of all images together
        pictures = []
        for source in sources:
            pictures.append(_picture(source, left))
            left -= pictures[-1].width * pictures[-1].height
        if text and (weight == 0 or not pictures):
            return Query(text)
        first, *more = [_image_query(picture, repair) for picture in pictures]
        return replace(
            first, text=text, more_images=tuple(more), image_weight=weight if text else None
        )

    def candidates(
        self,
        query: Query,
        *,
        where: Filter | str | None = None,
        views: Sequence[str] | None = None,
    ) -> list[Candidate]:
        """The fused first-stage list of visible pages, best first, at most `DEPTH` a view.

        Pages that an image of the query was cut from come before all others.
        """
        encoders = self._chosen(views)
        narrowed = self.narrow(where)
        if query.image is not None:
            from mmsearch.screenshots.search import candidates

            return candidates(self, query, encoders, narrowed)
        if any(encoder.reads == "photo" for encoder in encoders.values()):
            # "A photo of a dog" stands on no photo of one.
            query = replace(query, text=subject(query.text))
        lists = self.lists(self.searches(query, encoders), narrowed)
        return ranking.by_words(self, query.text, lists, DEPTH)

    def searches(
        self, query: Query, encoders: Mapping[str, Encoder], part: str = ""
    ) -> dict[str, Search]:
        """A search for each view that the query holds something for, by view and `part`."""
        vectors = {name: encoder.encode_query(query) for name, encoder in encoders.items()}
        return {
            name + part: Search(name, vector, DEPTH)
            for name, vector in vectors.items()
            if vector is not None
        }

    def lists(
        self, searches: Mapping[str, Search], where: Filter | None = None
    ) -> dict[str, Ranked]:
        """The best visible pages of each search, with their raw scores."""
        found = self.index.pages.search(
            list(searches.values()), (where or Filter()) & READY, payload=False
        )
        return {
            label: [(hit.id, hit.score) for hit in hits]
            for label, hits in zip(searches, found, strict=True)
        }

    def fuse(
        self, ranked: Mapping[str, Ranked], join: fusion.Join = fusion.normalised_sum
    ) -> list[Candidate]:
        """One list out of several, whose labels start with the name of their view.

        Args:
            ranked: by label, its list.
            join: makes one list of (id, score) out of them, given each label's weight.

        Raises:
            InvalidQuery: there is no list at all.
        """
        if not ranked:
            raise InvalidQuery(
                "the query holds no word that can be searched for; "
                "give other words, or an image with text on it"
            )
        weights = {label: self.profile.weights.get(label.split(".")[0], 1.0) for label in ranked}
        scores: dict[str, dict[str, float]] = {}
        for label, found in ranked.items():
            for point, score in found:
                scores.setdefault(point, {})[label] = score
        return [Candidate(point, score, scores[point]) for point, score in join(ranked, weights)]

    def rerank(
        self, query: Query, candidates: Sequence[Candidate], count: int | None = None
    ) -> list[Candidate]:
        """Reorder the first `count` candidates by the profile's reranker; the others follow.

        A reranked candidate's score is the reranker's; `scores["rerank"]` holds it as well. Equal
        scores keep their order. Those that follow have lower scores, in their own order.

        Args:
            count: by default the reranker's own number.

        Raises:
            InvalidSetting: the profile has no reranker.
        """
        if self.reranker is None:
            raise InvalidSetting(
                f"profile {self.profile.name} has no reranker; "
                "ingest with another: mmsearch ingest PATH --profile qwen3-vl-2b --index NEW"
            )
        spotted = [c for c in candidates if c.match]
        if spotted:  # no model knows better than that
            rest = self.rerank(query, candidates[len(spotted) :], count)
            return spotted + rest
        head = candidates[: self.reranker.candidates if count is None else count]
        pages = self.contents([candidate.point for candidate in head], self.reranker.reads)
        scored = self.reranker.score(query, list(pages.values())) if pages else []
        scores = {
            point: score for point, score in zip(pages, scored, strict=True) if score is not None
        }
        best = sorted((c for c in head if c.point in scores), key=lambda c: -scores[c.point])
        reranked = [
            Candidate(c.point, scores[c.point], {**c.scores, "rerank": scores[c.point]})
            for c in best
        ]
        # Fused scores are on another scale: what follows is brought below the last reranked one.
        rest = [c for c in candidates if c.point not in scores]
        floor = reranked[-1].score if reranked else 1.0
        top = max((c.score for c in rest), default=0.0) or 1.0
        scale = 1.0 if not reranked else 0.99 * floor / top  # lower, not equal
        return reranked + [Candidate(c.point, c.score * scale, c.scores) for c in rest]

    def contents(self, points: Sequence[str], reads: Reads) -> dict[str, PageContent]:
        """What a model may look at of pages that still exist, by point, in the order given.

        Pages that hold nothing of what it `reads` are left out.
        """
        also = {"text": ["text"], "photo": ["kind", "letters"]}.get(reads, [])
        payloads = {
            point.id: point.payload
            for point in self.index.pages.retrieve(points, payload=["document", "number", *also])
            if reads != "photo" or is_photo(point.payload)
        }
        if reads == "text":
            return {point: PageContent(payload["text"]) for point, payload in payloads.items()}
        places = {p: (payload["document"], payload["number"]) for p, payload in payloads.items()}
        read = self.pool.map(
            lambda place: self._content(place[0], place[1], reads), places.values()
        )
        return {p: content for p, content in zip(places, read, strict=True) if content}

    def _content(self, document: str, number: int, reads: Reads) -> PageContent | None:
        with suppress(NotFound):  # removed since it was found
            if reads in ("picture", "photo"):
                return PageContent(picture=self.store.picture(document, number))
            with suppress(UnreadableFile):
                return PageContent(features=self.store.features(document, number))
        return None

    def hits(
        self,
        query: Query,
        candidates: Sequence[Candidate],
        *,
        snippet: bool = True,
        first: int = 1,
    ) -> list[Hit]:
        """Candidates with their documents, in the order given and ranked from `first` on.

        Without `snippet`, neither snippets, marks, labels nor `also_in` are looked for.
        """
        ids = [candidate.point for candidate in candidates]
        shown = ["document", "number", "seconds"] + ["text"] * snippet
        background = self.background() if query.image is None and candidates else None
        by_passage = evidence.passage_view(self.encoders, candidates) if snippet else None
        photos = self._photo_views(candidates) if snippet else []
        with_vectors = by_passage is not None or bool(photos)
        found = self.index.pages.retrieve(ids, payload=shown, vectors=with_vectors)
        points = {point.id: point.payload for point in found}
        why = evidence.collect(self, query, found, by_passage) if snippet else {}
        labels = self._labels(Query(query.text), found, photos)
        twins = duplicates.twins(self.index.pages, ids) if snippet else {}
        named = {document for others in twins.values() for document, _ in others}
        named |= {payload["document"] for payload in points.values()}
        known = self.documents.get(*named)
        hits: list[Hit] = []
        for candidate in candidates:
            payload = points.get(candidate.point)
            if payload is None or payload["document"] not in known:
                continue  # removed since it was found
            seen = why.get(candidate.point, evidence.NONE)
            hits.append(
                Hit(
                    rank=first + len(hits),
                    score=candidate.score,
                    match=candidate.match,
                    box=candidate.match.box if candidate.match else None,
                    document=known[payload["document"]],
                    page=payload["number"],
                    scores=candidate.scores,
                    snippet=seen.snippet.text,
                    snippet_marks=seen.snippet.marks,
                    marks=seen.marks,
                    seconds=payload.get("seconds"),
                    also_in=tuple(
                        Twin(known[document], number)
                        for document, number in twins.get(candidate.point, ())
                        if document in known
                    ),
                    labels=labels.get(candidate.point, ()),
                    confidence=(
                        confidence.confidence(query.text, candidate.scores, background)
                        if background
                        else "strong"
                        if candidate.match
                        else "possible"
                    ),
                )
            )
        return hits

    def background(self) -> confidence.Background:
        """What the index answers where it has nothing, by which hits are called weak."""
        made, known = self._background
        if known is None or time.monotonic() - made > _BACKGROUND_SECONDS:
            known = confidence.background(self)
            self._background = (time.monotonic(), known)
        return known

    def _photo_views(self, found: Sequence[Candidate]) -> list[str]:
        """The views of what photos show that have found one of the pages."""
        return [
            name
            for name, encoder in self.encoders.items()
            if encoder.reads == "photo" and any(name in candidate.scores for candidate in found)
        ]

    def _labels(
        self, query: Query, points: Sequence[Point], views: Sequence[str]
    ) -> dict[str, tuple[Label, ...]]:
        """What the photos among these pages show of what was asked for, by point."""
        from mmsearch.encoders import image_labels

        labels = {}
        for view in views:
            asked = self.encoders[view].encode_query(query)
            for point in points:
                labels[point.id] = image_labels.shown(asked, point.vectors.get(view))
        return labels

    def _findable(self) -> Filter:
        """The pages that a search may find."""
        skip = self.settings.blank_pages == "skip"
        return READY & filters.equals("blank", 0) if skip else READY

    def find(self, name: str) -> list[Document]:
        """The documents that a path names, that lie in a folder or archive, or by start of id."""
        return changes.find(self, name)

    def tag(
        self, name: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()
    ) -> list[Document]:
        """Change the tags of what a path, a folder, an archive or a document id names.

        Returns:
            The documents, as they are now.

        Raises:
            NotFound: nothing is known under this name.
            InvalidSetting: a tag is none, or a document would have too many; nothing is changed.
        """
        return changes.tag(self, name, add, remove)

    def remove(self, name: str) -> list[Document]:
        """Remove what a path, a folder, an archive or a document id (6 characters or more) names.

        A document that is known under other paths as well stays, and forgets this path.

        Returns:
            The documents, each with the places that it has lost.

        Raises:
            NotFound: nothing is known under this name.
        """
        return changes.remove(self, name)

    def forget(self, document: Document, paths: set[str]) -> None:
        """Drop some paths of a document, and the document itself with its last one."""
        changes.forget(self, document, paths)

    def compact(self) -> None:
        """Rewrite the index so that nothing of what was removed is left on disk."""
        self.index.compact()

    def status(self) -> dict[str, Any]:
        """What the index is and holds."""
        pages = self.index.pages
        return {
            "index": self.index.address,
            "profile": self.profile.name,
            "models": self.models(),
            "documents": self.documents.counts(),
            "pages": pages.count(Filter()),
            "searchable_pages": pages.count(READY),
            "vectors": {
                name: pages.count(Filter(must=(filters.HasVector(name),))) for name in self.encoders
            },
        }

    def models(self) -> dict[str, str]:
        """The model of each view, as recorded in the index, and the reranker's."""
        recorded = self.index.info.get("encoders")
        models: dict[str, str] = dict(recorded) if isinstance(recorded, Mapping) else {}
        if self.reranker:
            try:
                models["rerank"] = self.reranker.identity
            except MMSearchError as error:
                models["rerank"] = str(error)
        return models

    def close(self) -> None:
        """Release the index; safe to call twice."""
        self.pool.shutdown()
        self.index.close()

    def __enter__(self) -> SearchEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _chosen(self, views: Sequence[str] | None) -> Mapping[str, Encoder]:
        unknown = [view for view in views or () if view not in self.encoders]
        if unknown:
            raise InvalidSetting(
                f"view {unknown[0]!r}: the index has no such view; "
                f"it has {', '.join(self.encoders)}"
            )
        return {name: self.encoders[name] for name in views} if views else self.encoders


def _image_query(given: Image, repair: bool) -> Query:
    if not repair:
        return Query("", given)
    from mmsearch.screenshots.dewarp import dewarp
    from mmsearch.screenshots.repair import repair as repair_

    flat = dewarp(given)
    repaired = repair_(flat or given)
    steps = ("perspective removed",) * bool(flat) + repaired.steps
    return Query("", repaired.image, steps, given)


def _picture(image: Source, max_pixels: int) -> Image:
    """A query image, checked and decoded."""
    from PIL.Image import Image as PillowImage

    from mmsearch.images import open_image
    from mmsearch.images.rgb import as_rgb

    if isinstance(image, PillowImage):
        width, height = image.size
        if not width or not height:
            raise InvalidQuery("query image: has no pixels")
        if width * height > max_pixels:
            raise InvalidQuery(f"query image: {width} x {height} pixels are more than allowed")
        return as_rgb(image, width * height)
    source = Path(image) if isinstance(image, str) else image
    try:
        return open_image(source, max_pixels=max_pixels)
    except (UnreadableFile, OSError) as error:
        raise InvalidQuery(f"query image {error}") from error
