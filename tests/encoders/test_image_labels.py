"""Photos by what they show: the real classifier and the real text model on drawn pictures."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mmsearch import models
from mmsearch.config import Settings
from mmsearch.encoders import Encoder, PageContent
from mmsearch.encoders.image_labels import MOST_LABELS, ImageLabelsEncoder, create, shown
from mmsearch.errors import MissingModel, UnreadableFile
from mmsearch.index import View
from mmsearch.labels import names
from mmsearch.profiles import schema_view
from mmsearch.types import Label, Query, SparseVector
from tests.drawings import clock, cobweb, jpeg


@pytest.fixture(scope="module")
def encoder() -> ImageLabelsEncoder:
    for model in models.NEEDED["image-labels"]:
        try:
            models.find(model)
        except MissingModel as error:
            pytest.skip(str(error))
    return ImageLabelsEncoder()


def page(image: Image.Image) -> PageContent:
    return PageContent(picture=jpeg(image))


def seen(encoder: ImageLabelsEncoder, image: Image.Image) -> SparseVector:
    (vector,) = encoder.encode_pages([page(image)])
    assert isinstance(vector, SparseVector)
    return vector


def asked(encoder: ImageLabelsEncoder, text: str) -> SparseVector:
    vector = encoder.encode_query(Query(text))
    assert isinstance(vector, SparseVector)
    return vector


def score(query: SparseVector, found: SparseVector) -> float:
    weights = dict(zip(query.indices.tolist(), query.values.tolist(), strict=True))
    pairs = zip(found.indices.tolist(), found.values.tolist(), strict=True)
    return sum(weights.get(number, 0.0) * value for number, value in pairs)


def test_it_is_a_sparse_view_of_photos_without_idf(encoder: ImageLabelsEncoder) -> None:
    as_encoder: Encoder = create(Settings())
    assert as_encoder.identity == encoder.identity
    assert names.version() in encoder.identity
    assert encoder.reads == "photo"
    assert schema_view("labels", as_encoder) == View("labels", "sparse", None, idf=False)


@pytest.mark.parametrize("text", ["a clock", "photo of a timepiece", "wall clocks", "analog clock"])
def test_a_photo_is_found_by_name_and_by_wider_term(encoder: ImageLabelsEncoder, text: str) -> None:
    query = asked(encoder, text)
    assert score(query, seen(encoder, clock())) > 0.4
    assert score(query, seen(encoder, cobweb())) < 0.05


@pytest.mark.parametrize(
    "text",
    [
        "what was the net revenue of the northern region in 2023",
        "the pump seal leaks after the third service",
        "INV-2024/0013",
        "table of contents",
    ],
)
def test_a_query_about_something_else_scores_nothing(
    encoder: ImageLabelsEncoder, text: str
) -> None:
    query = encoder.encode_query(Query(text))
    for image in (clock(), cobweb()):
        assert not isinstance(query, SparseVector) or score(query, seen(encoder, image)) < 0.1


def test_a_query_of_no_words_or_with_an_image_has_no_vector(encoder: ImageLabelsEncoder) -> None:
    for query in (Query(), Query("..."), Query("時計の写真"), Query("a clock", clock())):
        assert encoder.encode_query(query) is None


def test_values_are_probabilities_and_so_are_scores(encoder: ImageLabelsEncoder) -> None:
    for image in (clock(), cobweb(), Image.new("RGB", (64, 4096), "red")):
        vector = seen(encoder, image)
        assert (np.diff(vector.indices.astype(int)) > 0).all()
        assert (vector.values > 0).all()
        assert vector.values.sum() <= 1 + 1e-5
    wide = asked(encoder, "an animal")
    assert (wide.values <= 1).all()
    assert len(wide.indices) > 300


def test_what_stands_at_the_end_of_a_wide_picture_is_seen(encoder: ImageLabelsEncoder) -> None:
    wide = Image.new("RGB", (896, 448), (120, 90, 70))
    for left in (0, 448):
        picture = wide.copy()
        picture.paste(clock(), (left, 0))
        assert score(asked(encoder, "a clock"), seen(encoder, picture)) > 0.3


def test_a_damaged_picture_has_its_error_and_its_neighbours_their_vectors(
    encoder: ImageLabelsEncoder,
) -> None:
    contents = [page(clock()), PageContent(picture=b"\xff\xd8 no picture"), PageContent("words")]
    first, second, third = encoder.encode_pages(contents)
    alone = seen(encoder, clock())
    assert isinstance(first, SparseVector)
    assert first.indices.tolist() == alone.indices.tolist()
    assert first.values == pytest.approx(alone.values, abs=1e-6)
    assert isinstance(second, UnreadableFile)
    assert third is None


def test_labels_are_those_that_were_asked_for_the_most_telling_first(
    encoder: ImageLabelsEncoder,
) -> None:
    found = seen(encoder, clock())
    labels = shown(asked(encoder, "a clock"), found)
    assert [label.name for label in labels] == ["analog clock", "wall clock"]
    assert labels[0] == Label("analog clock", pytest.approx(0.67, abs=0.05))
    assert shown(asked(encoder, "a spider"), found) == ()
    assert shown(None, found) == shown(asked(encoder, "a clock"), None) == ()
    everything = SparseVector(np.arange(9, dtype=np.uint32), np.ones(9, np.float32))
    assert len(shown(everything, everything)) == MOST_LABELS


def test_without_the_weights_it_says_what_to_run(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "_places", lambda *_: [])
    fresh = ImageLabelsEncoder(model_dir=str(tmp_path_factory.mktemp("empty")))
    with pytest.raises(MissingModel, match="mmsearch models pull lite"):
        fresh.encode_pages([page(clock())])
