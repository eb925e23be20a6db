"""The fast forward against the exact one, compiled and not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from bench import gpu
from mmsearch.config import Settings
from mmsearch.encoders import PageContent
from mmsearch.encoders.qwen3_vl import Qwen3VLEncoder
from mmsearch.images import open_image, page_picture
from mmsearch.qwen3_vl import fast as fast_forward
from mmsearch.qwen3_vl import model, prompts
from mmsearch.qwen3_vl.fast import Fast

CPU = Settings(device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def loaded(tiny: Callable[..., Path]) -> model.Model:
    return model.load(tiny("embedding"), CPU)


@pytest.fixture
def _compilers_own_cache() -> Iterator[None]:
    yield
    torch.compiler.reset()


def states(fast: Fast, loaded: model.Model, count: int = 3) -> np.ndarray:
    """Of pictures of two shapes, the second with a tail that is padded to a multiple."""
    before, after = prompts.embedding("x")
    ids = loaded.tokenizer.ids(before + prompts.IMAGE + after)
    place = ids.index(loaded.tokenizer.image_pad)
    found = []
    for height, width in ((96, 64), (64, 128)):
        generator = torch.Generator().manual_seed(height)
        shape = (count, height, width, 3)
        pixels = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
        found.append(fast.last_states([ids[:place], fast.see(pixels), ids[place + 1 :]]).numpy())
    return np.concatenate(found)


@pytest.mark.usefixtures("_compilers_own_cache")
def test_compiled_and_not_compiled_are_the_same(loaded: model.Model) -> None:
    usual = states(Fast(loaded, compile=False), loaded)
    compiled = Fast(loaded, wait=True, backend="aot_eager")
    ours = states(compiled, loaded)
    assert set(compiled._tower._ready) == {(3, 6, 4), (3, 4, 8)}
    assert set(compiled._layers._ready) == {(3, 64)}
    assert np.abs(ours - usual).max() <= 1e-5
    assert np.array_equal(states(compiled, loaded), ours)


@pytest.mark.usefixtures("_compilers_own_cache")
def test_where_nothing_can_be_compiled_it_is_said_once_and_the_work_goes_on(
    loaded: model.Model, caplog: pytest.LogCaptureFixture
) -> None:
    usual = states(Fast(loaded, compile=False), loaded)
    with caplog.at_level(logging.WARNING):
        broken = Fast(loaded, wait=True, backend="nonsense")
        assert np.array_equal(states(broken, loaded), usual)
        assert np.array_equal(states(broken, loaded), usual)
    (message,) = {record.getMessage() for record in caplog.records if "uncompiled" in record.msg}
    assert "nonsense" in message and "\n" not in message


def test_a_cpu_does_not_compile_unless_it_is_told_to_wait(loaded: model.Model) -> None:
    assert not Fast(loaded)._tower.on
    assert not Fast(loaded, compile=False, wait=True)._tower.on
    assert Fast(loaded, wait=True)._tower.on


def test_a_shape_is_compiled_once_it_has_come_often_enough() -> None:
    compiled = fast_forward._Compiled(lambda x: (x,), "eager", on=True, wait=False)
    half = fast_forward.COMPILE_AFTER // 2
    assert not compiled._due((half, 2, 2))
    assert not compiled._due((half, 4, 4))
    assert compiled._due((half, 2, 2))


def test_every_batch_size_gives_the_same_states(loaded: model.Model) -> None:
    fast = Fast(loaded)
    three, five = states(fast, loaded, 3), states(fast, loaded, 5)
    assert three.shape == (6, loaded.width)
    assert three.dtype == np.float32
    assert np.isfinite(five).all()


def test_the_order_of_pages_is_that_of_the_exact_path(tiny: Callable[..., Path]) -> None:
    drawn = [open_image(gpu.page(number)) for number in range(40)]
    pages = [PageContent(picture=page_picture(image, 100 * 1024)[0]) for image in drawn]
    fast, exact = (
        np.stack(
            Qwen3VLEncoder(
                str(tiny("embedding")),
                dimension=64,
                tokens_per_page=100,
                settings=Settings(computation=computation, device="cpu", dtype="float32"),
            ).encode_pages(pages)
        )
        for computation in ("fast", "exact")
    )
    found = gpu.compared("fast against exact", fast, exact)
    assert found["error"] < 0.05
    assert found["kendall"] >= 0.95
