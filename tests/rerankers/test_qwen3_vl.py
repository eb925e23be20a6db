"""The Qwen3-VL reranker against the library's own logits, and its two paths."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mmsearch.config import Settings
from mmsearch.encoders import PageContent
from mmsearch.errors import InvalidQuery, UnreadableFile
from mmsearch.qwen3_vl import prompts
from mmsearch.qwen3_vl.inputs import Input
from mmsearch.qwen3_vl.model import _batch
from mmsearch.rerankers.qwen3_vl import Qwen3VLReranker, create
from mmsearch.types import Query

EXACT = Settings(computation="exact", device="cpu", dtype="float32")
FAST = Settings(computation="fast", device="cpu", dtype="float32")


def picture(size: tuple[int, int], seed: int = 0) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (5, 4, 3), np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


def jpeg(size: tuple[int, int], seed: int = 0) -> bytes:
    buffer = io.BytesIO()
    picture(size, seed).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


SIZES = [(64, 96), (96, 64), (64, 96), (320, 256), (100, 77), (301, 199)]
PAGES = [PageContent(picture=jpeg(size, seed)) for seed, size in enumerate(SIZES)]
QUERIES = {
    "text": Query("umbrella sales by region"),
    "image": Query(image=picture((90, 130), 9)),
    "both": Query("where is this?", picture((64, 200), 8)),
}
ASKED = pytest.mark.parametrize("query", QUERIES.values(), ids=[*QUERIES])


@pytest.fixture(scope="module")
def exact(tiny: Callable[..., Path]) -> Qwen3VLReranker:
    return Qwen3VLReranker(str(tiny("reranker")), settings=EXACT)


@pytest.fixture(scope="module")
def fast(tiny: Callable[..., Path]) -> Qwen3VLReranker:
    return Qwen3VLReranker(str(tiny("reranker")), settings=FAST)


@pytest.mark.parametrize("tied", [True, False])
def test_a_score_is_the_librarys_softmax_over_yes_and_no(
    tied: bool, tiny: Callable[..., Path]
) -> None:
    from transformers import Qwen3VLForConditionalGeneration

    folder = tiny("reranker", tied=tied)
    ours = Qwen3VLReranker(str(folder), settings=EXACT)
    library = Qwen3VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    pairs = [
        (Input(["apple"]), Input(["pear"])),
        (Input(["apple"]), Input(["pear"], [picture((64, 96))])),
        (Input(images=[picture((64, 64))]), Input(images=[picture((96, 96), 1)])),
    ]
    for query, document in pairs:
        prompt = ours._maker.reranking(query, document, prompts.RERANKING_INSTRUCTION)
        with torch.inference_mode():
            batch = _batch([prompt], ours._model.tokenizer, torch.device("cpu"))
            logits = library(**batch, use_cache=False).logits[0, -1]
        wanted = logits[[9693, 2152]].softmax(0)[0]
        (score,) = ours.scores(query, [document])
        assert abs(score - float(wanted)) <= 1e-5
        assert 0 <= score <= 1


@ASKED
def test_the_fast_path_equals_the_exact_one_over_pages_of_every_size(
    query: Query, exact: Qwen3VLReranker, fast: Qwen3VLReranker
) -> None:
    theirs = exact.score(query, PAGES)
    assert np.allclose(fast.score(query, PAGES), theirs, rtol=0, atol=1e-5)
    assert len({round(score, 4) for score in theirs}) > 1


@ASKED
def test_a_batch_equals_its_pairs_alone(query: Query, exact: Qwen3VLReranker) -> None:
    alone = [exact.score(query, [page])[0] for page in PAGES]
    assert np.allclose(exact.score(query, PAGES), alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("path", ["exact", "fast"])
@ASKED
def test_a_broken_page_has_no_score_and_the_others_theirs(
    path: str, query: Query, request: pytest.FixtureRequest
) -> None:
    reranker: Qwen3VLReranker = request.getfixturevalue(path)
    short = PageContent(picture=PAGES[3].picture[:600])
    first, *failed, last = reranker.score(query, [PAGES[0], PageContent(), short, PAGES[3]])
    assert failed == [None, None]
    wanted = reranker.score(query, [PAGES[0], PAGES[3]])
    assert np.allclose([first, last], wanted, rtol=0, atol=1e-5)
    assert reranker.score(query, []) == []


@pytest.mark.parametrize("path", ["exact", "fast"])
def test_a_query_image_that_cannot_be_read_is_an_invalid_query(
    path: str, request: pytest.FixtureRequest
) -> None:
    reranker: Qwen3VLReranker = request.getfixturevalue(path)
    with pytest.raises(InvalidQuery):
        reranker.score(Query("a", Image.new("RGB", (1000, 1))), PAGES[:1])


def test_documents_of_every_kind_may_be_mixed(exact: Qwen3VLReranker) -> None:
    query = Input(["apple"], [picture((64, 64))])
    documents = [
        Input(["pear"]),
        Input(images=[b"no image"]),
        Input(images=[picture((96, 64))]),
        Input(["long " * 300], [picture((64, 64)), picture((64, 128))]),
        Input(),
    ]
    found: list[Any] = exact.scores(query, documents)
    assert isinstance(found.pop(1), UnreadableFile)
    del documents[1]
    alone = [exact.scores(query, [document])[0] for document in documents]
    assert np.allclose(found, alone, rtol=0, atol=1e-5)


def test_a_querys_own_instruction_counts(exact: Qwen3VLReranker) -> None:
    (usual,), (own,), (spelled,) = (
        exact.scores(Input(["apple"], instruction=told), [Input(["pear"])])
        for told in (None, "Find a fruit.", prompts.RERANKING_INSTRUCTION)
    )
    assert usual == spelled
    assert usual != own


def test_a_reranker_of_texts_reads_the_text(tiny: Callable[..., Path]) -> None:
    reranker = create(
        FAST, 1280, model=str(tiny("reranker")), reads="text", instruction="Find a fruit."
    )
    query = Query("apple")
    pages = [PageContent(text="pear"), PageContent(text="umbrella", picture=b"no image")]
    wanted = reranker.scores(Input(["apple"]), [Input(["pear"]), Input(["umbrella"])])
    assert reranker.score(query, pages) == wanted


def test_fewer_pictures_than_texts_are_reranked_by_default() -> None:
    assert create(Settings(), 1280, model="x").candidates == 20
    assert create(Settings(), 1280, model="x", reads="text").candidates == 50
    assert create(Settings(), 1280, model="x", candidates=7).candidates == 7
