"""What the classes are called, and how much a query means each."""

from __future__ import annotations

import time

import numpy as np
import pytest

from mmsearch.labels import names
from mmsearch.types import SparseVector


def row(text: str) -> int:
    return names.read().texts.index(text)


def below(text: str) -> list[str]:
    known, wanted = names.read(), row(text)
    return [known.labels[number] for number, at in known.owners if at == wanted]


def alike(**cosines: float) -> names.Float32:
    """Cosines to all texts: those given, and 0."""
    likeness = np.zeros(len(names.read().texts), np.float32)
    for text, cosine in cosines.items():
        likeness[row(text.replace("_", " "))] = cosine
    return likeness


def meant(**cosines: float) -> dict[str, float]:
    vector = names.weights(alike(**cosines))
    assert isinstance(vector, SparseVector)
    labels = names.read().labels
    return {
        labels[number]: round(float(value), 3)
        for number, value in zip(vector.indices, vector.values, strict=True)
    }


def test_there_are_a_thousand_classes_in_order_each_with_names() -> None:
    known = names.read()
    assert len(known.ids) == len(known.labels) == len(set(known.ids)) == 1000
    assert list(known.ids) == sorted(known.ids)
    assert set(known.owners[:, 0]) == set(range(1000))
    assert set(known.owners[:, 1]) == set(range(len(known.texts)))
    assert (known.labels[1], known.labels[207]) == ("goldfish", "golden retriever")


def test_a_class_is_found_by_its_wider_terms() -> None:
    assert {"golden retriever", "pug", "Chihuahua"} < set(below("dog"))
    assert "tabby" not in below("dog")
    assert "tabby" in below("cat")
    assert len(below("musical instrument")) > 20
    assert below("axe") == ["hatchet"]


@pytest.mark.parametrize(
    ("query", "subject"),
    [
        ("a photo of a dog", "dog"),
        ("Show me some pictures of the sea", "sea"),
        ("an old car", "old car"),
        ("photo", "photo"),
        ("the", "the"),
        ("a", "a"),
        ("pictures of", "pictures of"),
        ("  photo   of\n a  cat ", "cat"),
        ("anteater", "anteater"),
        ("picture frame", "picture frame"),
    ],
)
def test_what_a_query_asks_for(query: str, subject: str) -> None:
    assert names.subject(query) == subject


def test_a_hostile_query_takes_no_time() -> None:
    started = time.monotonic()
    for query in ("a photo of " * 50_000, "show me " + "the " * 200_000, " " * 500_000 + "a"):
        names.subject(query)
    assert time.monotonic() - started < 1


def test_the_same_word_means_the_class_and_what_says_nothing_means_none() -> None:
    assert meant(goldfish=1.0) == {"goldfish": 1.0}
    assert meant(goldfish=names.HIGH) == {"goldfish": 1.0}
    assert meant(goldfish=0.675) == {"goldfish": 0.5}
    assert names.weights(alike(goldfish=names.LOW)) is None
    assert names.weights(alike()) is None


def test_a_wider_term_means_all_that_is_below_it_alike() -> None:
    found = meant(snake=1.0)
    assert found.keys() == set(below("snake"))
    assert set(found.values()) == {1.0}


def test_what_is_less_like_the_query_than_the_best_counts_less() -> None:
    found = meant(basset=1.0, beagle=0.875, collie=0.74)
    assert found == {"basset": 1.0, "beagle": pytest.approx(0.472, abs=0.001)}
