"""Words and images that are weighted, and queries of several images."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from mmsearch import documents, filters, mixing
from mmsearch.config import Settings
from mmsearch.encoders import PageContent, Reads
from mmsearch.engine import Candidate, SearchEngine
from mmsearch.errors import InvalidQuery, InvalidSetting
from mmsearch.filters import Filter
from mmsearch.mixing import MOST_IMAGES, Part
from mmsearch.types import Hit, Query
from tests import builders

Place = tuple[str, int]
SHOTS: dict[str, Place] = {
    "report-page-4.jpg": ("reports/annual-report-2025.pdf", 4),
    "manual-page-6.png": ("manuals/pump-manual.pdf", 6),
    "slide-6.jpg": ("slides/product-launch.pdf", 6),
}
WHITE = Image.new("RGB", (200, 200), "white")


def place(hit: Hit) -> Place:
    return hit.document.locations[0].name, hit.page


def cut(engine: SearchEngine, where: Place, box: Sequence[float]) -> Image.Image:
    """A part of a stored page; the box in shares of it."""
    document = next(d for d in engine.documents.all() if d.locations[0].name == where[0])
    with Image.open(io.BytesIO(engine.store.picture(document.id, where[1]))) as page:
        sides = page.size * 2
        edges = [round(share * side) for share, side in zip(box, sides, strict=True)]
        return page.crop((edges[0], edges[1], edges[2], edges[3]))


def with_grain(image: Image.Image) -> Image.Image:
    grain = np.random.default_rng(1).normal(0, 5, (image.height, image.width, 1))
    return Image.fromarray((np.asarray(image) + grain).clip(0, 255).astype(np.uint8))


def with_settings(engine: SearchEngine, **settings: int) -> SearchEngine:
    return SearchEngine(
        engine.index, engine.profile, engine.encoders, engine.store, Settings(**settings)
    )


@pytest.fixture(scope="module")
def shots(sample_dir: Path) -> Path:
    return sample_dir / "screenshots"


def test_at_weight_zero_the_words_alone_count(sample_engine: SearchEngine, shots: Path) -> None:
    asked = {"image": shots / "slide-6.jpg", "image_weight": 0}
    assert sample_engine.search("pump seal", **asked) == sample_engine.search("pump seal")


def test_a_page_the_image_was_cut_from_stays_first_at_any_other_weight(
    sample_engine: SearchEngine, shots: Path
) -> None:
    shot = "slide-6.jpg"
    for weight in (0.01, 1):
        first, second = sample_engine.search(
            "pump seal", image=shots / shot, image_weight=weight, limit=2
        )
        assert place(first) == SHOTS[shot]
        assert first.match
        assert first.score > second.score
    # At 1 nothing is left of the words, and the rest is in the order of the image alone.
    both = sample_engine.search("pump seal", image=shots / shot, image_weight=1)
    alone = sample_engine.search(image=shots / shot)
    assert [(place(hit), hit.score, hit.scores) for hit in both] == [
        (place(hit), hit.score, hit.scores) for hit in alone
    ]


def test_the_weight_moves_pages_from_the_order_of_words_to_that_of_the_image(
    sample_engine: SearchEngine,
) -> None:
    source: Place = ("pictures/lighthouse.jpg", 1)  # nothing on it has to be read
    image = cut(sample_engine, source, (0.2, 0.2, 0.7, 0.6))
    document = next(d for d in sample_engine.documents.all() if d.locations[0].name == source[0])
    point = documents.point_id(document.id, source[1])
    hidden = Filter(must_not=filters.ids([point]).must)  # so that no page is the very page
    by_words, by_image = (
        place(sample_engine.search(text, image=given, repair=False, where=hidden, limit=1)[0])
        for text, given in (("revenue by region", None), ("", image))
    )
    assert by_words != by_image
    for weight, first in ((0.1, by_words), (0.9, by_image)):
        found = sample_engine.search(
            "revenue by region", image=image, image_weight=weight, repair=False, where=hidden
        )
        assert place(found[0]) == first
        assert not any(hit.match for hit in found)
        assert {"words", "picture"} <= {label for hit in found for label in hit.scores}


def test_the_image_is_placed_on_the_pages_that_the_words_find(
    sample_engine: SearchEngine, shots: Path
) -> None:
    shot = "report-page-4.jpg"
    hits = sample_engine.search(
        "revenue by region", image=shots / shot, image_weight=0.5, views=["lexical"]
    )
    assert place(hits[0]) == SHOTS[shot]
    assert hits[0].match
    # The words on the image were not read for that.
    assert not any(label.endswith(".image") for hit in hits for label in hit.scores)


def test_the_pages_of_several_images_come_first_each_with_its_spot(
    sample_engine: SearchEngine, shots: Path
) -> None:
    hits = sample_engine.search(image=[shots / name for name in SHOTS], limit=4)
    assert {place(hit) for hit in hits[:3]} == {*SHOTS.values()}
    assert [bool(hit.match) for hit in hits] == [True] * 3 + [False]
    for number, shot in enumerate(SHOTS, start=1):
        (own,) = (hit for hit in hits if place(hit) == SHOTS[shot])
        label = f"inliers{mixing.label(number)}"
        assert own.match
        assert own.scores[label] == own.match.inliers
        assert [name for name in own.scores if name.startswith("inliers")] == [label]
        (alone,) = sample_engine.search(image=shots / shot, limit=1)
        assert own.match == alone.match


def test_the_page_that_most_images_were_cut_from_comes_first(
    sample_engine: SearchEngine,
) -> None:
    manual, report = SHOTS["manual-page-6.png"], SHOTS["report-page-4.jpg"]
    once = cut(sample_engine, report, (0.05, 0.05, 0.95, 0.5))
    twice = [cut(sample_engine, manual, (0.1, top, 0.9, top + 0.3)) for top in (0.1, 0.5)]
    # These fit worse, so that only their count puts their page first.
    worse = [with_grain(image) for image in twice]
    hits = sample_engine.search(image=[once, *worse], repair=False, limit=2)
    assert [place(hit) for hit in hits] == [manual, report]
    assert hits[0].match
    assert hits[1].match
    assert hits[0].match.agreement < hits[1].match.agreement
    assert {"inliers.2", "inliers.3"} <= hits[0].scores.keys()


def test_what_holds_nothing_does_not_hide_what_the_rest_finds(
    sample_engine: SearchEngine, shots: Path
) -> None:
    words = sample_engine.search("pump seal", limit=3)
    mixed = sample_engine.search("pump seal", image=WHITE, image_weight=0.5, limit=3)
    assert [place(hit) for hit in mixed] == [place(hit) for hit in words]
    shot = shots / "slide-6.jpg"
    (hit,) = sample_engine.search("…?!", image=[WHITE, shot], image_weight=0.5, limit=1)
    assert place(hit) == SHOTS["slide-6.jpg"]
    assert "picture.2" in hit.scores
    for image in (WHITE, [WHITE, WHITE]):
        with pytest.raises(InvalidQuery, match="give other words, or an image with text on it"):
            sample_engine.search("…?!", image=image, image_weight=0.5)


def test_each_image_is_repaired_for_itself(sample_engine: SearchEngine, shots: Path) -> None:
    dark = ImageOps.invert(builders.page_image(dpi=100).crop((40, 80, 740, 500)))
    query = sample_engine.query("pump", image=[shots / "slide-6.jpg", dark])
    first, second = query.images
    assert (first.repairs, second.repairs) == ((), ("inverted",))
    assert first.text == second.text == ""
    assert second.image is not None
    assert second.given is not None
    assert np.array_equal(np.asarray(second.given), np.asarray(dark))
    assert np.asarray(second.image).mean() > 128 > np.asarray(dark).mean()


def test_a_weight_without_words_or_without_images_changes_nothing(
    sample_engine: SearchEngine, shots: Path
) -> None:
    shot = shots / "slide-6.jpg"
    assert sample_engine.search(image=shot, image_weight=0) == sample_engine.search(image=shot)
    assert sample_engine.search("seal", image_weight=0.7) == sample_engine.search("seal")
    assert sample_engine.search("seal", image=[]) == sample_engine.search("seal")
    assert sample_engine.search(image=[shot]) == sample_engine.search(image=shot)


@pytest.mark.parametrize("weight", [-0.1, 1.01, float("nan"), float("inf")])
def test_a_weight_out_of_bounds_is_refused(sample_engine: SearchEngine, weight: float) -> None:
    with pytest.raises(InvalidSetting, match="allowed is 0"):
        sample_engine.query("pump", image=WHITE, image_weight=weight)


def test_too_many_images_and_too_large_ones_are_refused(sample_engine: SearchEngine) -> None:
    assert len(sample_engine.query(image=[WHITE] * MOST_IMAGES, repair=False).images) == MOST_IMAGES
    with pytest.raises(InvalidQuery, match=f"9 images: a query has at most {MOST_IMAGES}"):
        sample_engine.query(image=[WHITE] * (MOST_IMAGES + 1))
    small = with_settings(sample_engine, max_pixels=3 * 200 * 200)
    assert small.query(image=[WHITE] * 3, repair=False)
    with pytest.raises(InvalidQuery, match="200 x 200 pixels are more than allowed"):
        small.query(image=[WHITE] * 4, repair=False)
    with pytest.raises(InvalidQuery, match=r"query image .*absent\.png"):
        sample_engine.query("pump", image=[WHITE, "absent.png"], image_weight=0)
    with pytest.raises(InvalidQuery, match="the query is empty"):
        sample_engine.query(image=[])


def test_lists_are_joined_by_weight_in_relation_to_their_best() -> None:
    words = Part(Query("a"), 0.75)
    image = Part(Query(), 0.25, ".2")
    found = [
        (words, [Candidate("p", 40.0, {"lexical": 9.0}), Candidate("q", 20.0, {"lexical": 5.0})]),
        (image, [Candidate("q", 0.5, {"picture": 7.0}), Candidate("r", 0.1, {"picture": 1.0})]),
    ]
    joined = mixing.join(found, depth=100)
    assert [candidate.point for candidate in joined] == ["p", "q", "r"]
    assert [candidate.score for candidate in joined] == pytest.approx([0.75, 0.625, 0.05])
    assert joined[1].scores == {"lexical": 5.0, "picture.2": 7.0}


class ByWords:
    """Judges words alone, by how long the page's text is."""

    reads: Reads = "text"
    candidates = 5
    identity = "words"

    def score(self, query: Query, pages: Sequence[PageContent]) -> list[float | None]:
        return [1 / (1 + len(p.text)) if query.text else None for p in pages]


def test_a_reranker_that_cannot_judge_images_leaves_the_order_of_both(
    sample_engine: SearchEngine, shots: Path
) -> None:
    engine = with_settings(sample_engine)
    engine.reranker = ByWords()
    image = shots / "slide-6.jpg"
    plain = engine.search("pump seal", image=image, image_weight=0.9, rerank=False)
    assert engine.search("pump seal", image=image, image_weight=0.9, rerank=True) == plain
    together = engine.search("pump seal", image=image, rerank=True)
    assert any("rerank" in hit.scores for hit in together)
