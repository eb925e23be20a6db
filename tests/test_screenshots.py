"""The page a screenshot was cut from is found, with the spot; no other is taken for it."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from mmsearch import documents, filters
from mmsearch.engine import SearchEngine
from mmsearch.errors import InvalidQuery
from mmsearch.filters import Filter
from mmsearch.page_store import PageStore
from mmsearch.screenshots import features
from mmsearch.screenshots.finding import sides
from mmsearch.screenshots.selftest import iou
from mmsearch.screenshots.votes import vote
from mmsearch.types import Box, Hit, Query, SparseVector
from tests.builders import page_image, photo


def page_of(hit: Hit) -> tuple[str, int]:
    return hit.document.locations[0].name, hit.page


def hidden(engine: SearchEngine, hit: Hit) -> Filter:
    point = documents.point_id(hit.document.id, hit.page)
    return Filter(must_not=filters.ids([point]).must)


def cut(engine: SearchEngine, path: str, page: int, box: Box) -> Image.Image:
    document = next(d for d in engine.documents.all() if d.locations[0].name.endswith(path))
    picture = features.grey_of(engine.store.picture(document.id, page))
    high, wide = picture.shape
    part = picture[int(box.y0 * high) : int(box.y1 * high), int(box.x0 * wide) : int(box.x1 * wide)]
    return Image.fromarray(part).convert("RGB")


def test_every_sample_screenshot_finds_its_page_and_spot(
    sample_engine: SearchEngine, sample_dir: Path
) -> None:
    truth = json.loads((sample_dir / "truth.json").read_text())["screenshots"]
    assert len(truth) >= 3
    for shot in truth:
        best = sample_engine.search(image=sample_dir / "screenshots" / shot["file"], limit=1)[0]
        assert page_of(best) == (shot["path"], shot["page"])
        assert best.match and best.box == best.match.box
        assert iou(best.box, Box(*shot["box"])) > 0.95, shot["file"]


@pytest.mark.parametrize("dark", [False, True])
def test_a_screenshot_is_found_in_either_mode(sample_engine: SearchEngine, dark: bool) -> None:
    box = Box(0.1, 0.2, 0.75, 0.5)
    shot = cut(sample_engine, "pump-manual.pdf", 2, box)
    best = sample_engine.search(image=ImageOps.invert(shot) if dark else shot, limit=1)[0]
    assert (best.document.locations[0].name, best.page) == ("manuals/pump-manual.pdf", 2)
    assert best.match and best.match.inverted == dark
    assert iou(best.match.box, box) > 0.95


def test_no_other_page_is_taken_for_one_that_is_not_there(
    sample_engine: SearchEngine, sample_dir: Path
) -> None:
    for shot in sorted((sample_dir / "screenshots").iterdir())[:3]:
        (own,) = sample_engine.search(image=shot, limit=1)
        assert own.match
        others = sample_engine.search(image=shot, where=hidden(sample_engine, own))
        assert not [hit for hit in others if hit.match]


def test_photos_and_noise_are_on_no_page(sample_engine: SearchEngine) -> None:
    chance = np.random.default_rng(1)
    noise = Image.fromarray(chance.integers(0, 256, (300, 400, 3), np.uint8))
    for image in (photo(), noise, page_image(["Nothing like this is in any of them"])):
        try:
            hits = sample_engine.search(image=image)
        except InvalidQuery:
            continue
        assert not [hit for hit in hits if hit.match]


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (3000, 8), (40, 40)])
def test_an_image_of_one_colour_gets_a_clear_answer(
    sample_engine: SearchEngine, size: tuple[int, int]
) -> None:
    with pytest.raises(InvalidQuery, match="give other words, or an image with text on it"):
        sample_engine.search(image=Image.new("RGB", size, "white"))


def test_features_are_kept_as_they_were_found() -> None:
    found = features.features(np.asarray(page_image(["Words of a page"] * 12).convert("L")))
    kept = features.decode(features.encode(found))
    assert kept and len(found.words) > 100
    assert (kept.width, kept.height) == (found.width, found.height)
    assert np.array_equal(kept.words, found.words)
    assert np.abs(kept.places - found.places).max() < 0.05
    assert np.abs(kept.sizes - found.sizes).max() < 0.05


def test_damaged_features_are_made_anew() -> None:
    data = features.encode(features.features(np.asarray(page_image(["Words"] * 9).convert("L"))))
    no_width = data[:12] + b"\0\0" + data[14:]
    one_bit = data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]
    for damaged in (b"", data[:-1], b"xx" + data[2:], no_width, one_bit):
        assert features.decode(damaged) is None


def test_pages_read_anew_have_new_features(tmp_path: Path) -> None:
    store = PageStore(str(tmp_path))
    pictures = []
    for text in ("First words", "Other words than before"):
        buffer = io.BytesIO()
        page_image([text] * 9).save(buffer, "JPEG")
        pictures.append(buffer.getvalue())
    store.put("ab" * 32, 1, pictures[0], b"[]")
    before = store.features("ab" * 32, 1)
    store.put("ab" * 32, 1, pictures[1], b"[]")
    assert set(store.features("ab" * 32, 1).words) != set(before.words)


def test_the_view_of_visual_words_takes_images_alone(sample_engine: SearchEngine) -> None:
    encoder = sample_engine.encoders["picture"]
    image = page_image(["Words of a page"] * 12)
    vector = encoder.encode_query(Query(image=image))
    (side, _) = sides(image)
    assert isinstance(vector, SparseVector)
    assert side.vector
    assert np.array_equal(vector.indices, side.vector.indices)
    assert encoder.encode_query(Query("words")) is None


def test_exchanging_light_and_dark_exchanges_the_two_sides() -> None:
    page = np.asarray(page_image([f"Line {n} of the page" for n in range(20)]).convert("L"))
    plain, exchanged = features.both_ways(page)
    _, back = features.both_ways(255 - page)
    assert len(set(exchanged.words) & set(plain.words)) < 0.1 * len(set(plain.words))
    assert len(set(back.words) & set(plain.words)) > 0.9 * len(set(plain.words))


def test_votes_say_where_a_part_stands_and_at_what_size() -> None:
    chance = random.Random(1)
    lines = ["".join(chance.choices("abcdefghijklmnop    ", k=40)) for _ in range(30)]
    page = np.asarray(page_image(lines).convert("L"))
    whole = features.features(page)
    high, wide = page.shape
    left, top = wide // 5, high // 4
    part, _ = features.both_ways(page[top : top + high // 3, left : left + wide // 2])
    place = vote(part, whole)
    assert place
    scale = whole.width / wide  # of the page's features to its pixels
    assert place.x == pytest.approx(left * scale, abs=6)
    assert place.y == pytest.approx(top * scale, abs=6)
    assert place.scale * part.width == pytest.approx(wide // 2 * scale, rel=0.05)
