"""Vectors and scores against those of the published scripts, on a tiny checkpoint.

`MMSEARCH_GOLDEN` points this at another folder of the same layout: `cases.json`, `official.npz`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmsearch.config import Settings
from mmsearch.encoders import PageContent
from mmsearch.encoders.qwen3_vl import Qwen3VLEncoder
from mmsearch.qwen3_vl import prompts
from mmsearch.qwen3_vl.inputs import Input, Video
from mmsearch.rerankers.qwen3_vl import Qwen3VLReranker
from mmsearch.types import Query

FOLDER = Path(os.environ.get("MMSEARCH_GOLDEN") or Path(__file__).parent)
CASES = json.loads((FOLDER / "cases.json").read_text(encoding="utf-8"))
OFFICIAL = np.load(FOLDER / "official.npz")
WEIGHTS = {"dtype": CASES["checkpoint"]["dtype"], "seed": CASES["checkpoint"]["seed"]}
EXACT = Settings(computation="exact", device="cpu", dtype="float32")
FAST = Settings(computation="fast", device="cpu", dtype="float32", compile="off")

EMBEDDED = pytest.mark.parametrize("case", CASES["embedder"], ids=lambda case: case["id"])
PICTURES = pytest.mark.parametrize(  # what takes the fast path
    "case",
    [c for c in CASES["reranker"] if all(set(d) == {"image"} for d in c["documents"])],
    ids=lambda case: case["id"],
)
RERANKED = pytest.mark.parametrize("case", CASES["reranker"], ids=lambda case: case["id"])


def given(case: dict[str, Any]) -> Input:
    unknown = set(case) - {"id", "text", "image", "video", "instruction", "query", "documents"}
    assert not unknown, f"a case with {unknown} is not understood"
    videos = case.get("video") or []
    if videos and not isinstance(videos[0], list):
        videos = [videos]
    return Input(
        texts=listed(case.get("text")),
        images=[FOLDER / path for path in listed(case.get("image"))],
        videos=[Video([FOLDER / path for path in frames]) for frames in videos],
        instruction=case.get("instruction"),
    )


def listed(value: str | list[str] | None) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else value


@pytest.fixture(scope="module")
def encoder(tiny: Callable[..., Path]) -> Qwen3VLEncoder:
    folder = str(tiny("embedding", **WEIGHTS))
    return Qwen3VLEncoder(folder, dimension=64, settings=EXACT)


@pytest.fixture(scope="module")
def reranker(tiny: Callable[..., Path]) -> Qwen3VLReranker:
    return Qwen3VLReranker(str(tiny("reranker", **WEIGHTS)), settings=EXACT)


@EMBEDDED
def test_an_input_alone_has_the_published_vector(
    case: dict[str, Any], encoder: Qwen3VLEncoder
) -> None:
    (vector,) = encoder.encode([given(case)])
    assert vector @ OFFICIAL[f"emb/{case['id']}"] >= 0.9999


def test_a_mixed_batch_has_the_published_vectors(encoder: Qwen3VLEncoder) -> None:
    vectors = encoder.encode(given(case) for case in CASES["embedder"])
    cosines = {
        case["id"]: float(vector @ OFFICIAL[f"emb/{case['id']}"])
        for case, vector in zip(CASES["embedder"], vectors, strict=True)
    }
    assert min(cosines.values()) >= 0.9999, cosines


def test_the_fast_path_has_the_published_vectors(tiny: Callable[..., Path]) -> None:
    alone = [
        c for c in CASES["embedder"] if set(c) == {"id", "image"} and isinstance(c["image"], str)
    ]
    encoder = Qwen3VLEncoder(str(tiny("embedding", **WEIGHTS)), dimension=64, settings=FAST)
    pages = [PageContent(picture=(FOLDER / case["image"]).read_bytes()) for case in alone]
    assert pages
    for case, vector in zip(alone, encoder.encode_pages(pages), strict=True):
        assert vector @ OFFICIAL[f"emb/{case['id']}"] >= 0.9999, case["id"]


@RERANKED
def test_a_pair_alone_has_the_published_score(
    case: dict[str, Any], reranker: Qwen3VLReranker
) -> None:
    query, official = given(case["query"]), OFFICIAL[f"rer/{case['id']}"]
    query = Input(query.texts, query.images, query.videos, case.get("instruction"))
    for document, score in zip(case["documents"], official, strict=True):
        (ours,) = reranker.scores(query, [given(document)])
        assert abs(ours - score) <= 1e-4


@RERANKED
def test_a_batch_has_the_published_scores(case: dict[str, Any], reranker: Qwen3VLReranker) -> None:
    query = given(case["query"])
    query = Input(query.texts, query.images, query.videos, case.get("instruction"))
    scores = reranker.scores(query, [given(document) for document in case["documents"]])
    assert np.abs(np.array(scores) - OFFICIAL[f"rer/{case['id']}"]).max() <= 1e-4


@PICTURES
def test_the_fast_path_has_the_published_scores(
    case: dict[str, Any], tiny: Callable[..., Path]
) -> None:
    from PIL import Image

    pictures = [document["image"] for document in case["documents"]]
    reranker = Qwen3VLReranker(
        str(tiny("reranker", **WEIGHTS)),
        instruction=case.get("instruction", prompts.RERANKING_INSTRUCTION),
        settings=FAST,
    )
    asked = case["query"]
    image = Image.open(FOLDER / asked["image"]).convert("RGB") if "image" in asked else None
    pages = [PageContent(picture=(FOLDER / path).read_bytes()) for path in pictures]
    scores = reranker.score(Query(asked.get("text", ""), image), pages)
    assert np.abs(np.array(scores) - OFFICIAL[f"rer/{case['id']}"]).max() <= 1e-4
