"""The Qwen3-VL encoder: cutting, batches, both paths, threads, adapters."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mmsearch.config import Settings
from mmsearch.encoders import PageContent
from mmsearch.encoders.qwen3_vl import Qwen3VLEncoder, create
from mmsearch.errors import InvalidQuery, InvalidSetting, UnreadableFile, UnusableModel
from mmsearch.qwen3_vl import model, prompts
from mmsearch.qwen3_vl.inputs import Input
from mmsearch.types import Query
from tests.builders import write_turned_jpeg

EXACT = Settings(computation="exact", device="cpu", dtype="float32")
FAST = Settings(computation="fast", device="cpu", dtype="float32")
SIZES = [(64, 96), (96, 64), (64, 96), (320, 256), (100, 77), (301, 199), (64, 96)]


def picture(size: tuple[int, int], seed: int = 0) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (5, 4, 3), np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


def jpeg(size: tuple[int, int], seed: int = 0) -> bytes:
    buffer = io.BytesIO()
    picture(size, seed).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


PAGES = [PageContent(picture=jpeg(size, seed)) for seed, size in enumerate(SIZES)]


@pytest.fixture(scope="module")
def folder(tiny: Callable[..., Path]) -> str:
    return str(tiny("embedding"))


@pytest.fixture(scope="module")
def exact(folder: str) -> Qwen3VLEncoder:
    return Qwen3VLEncoder(folder, dimension=64, settings=EXACT)


@pytest.fixture(scope="module")
def fast(folder: str) -> Qwen3VLEncoder:
    return Qwen3VLEncoder(folder, dimension=64, settings=FAST)


def same(ours: Any, theirs: Any, within: float = 1e-5) -> bool:
    return float(np.abs(np.stack(ours) - np.stack(theirs)).max()) <= within


def counted(encoder: Qwen3VLEncoder, work: Callable[[], object]) -> int:
    """How often the network runs."""
    calls: list[int] = []
    encoder.encode([Input(["load"])])
    hook = encoder._model.network.register_forward_hook(lambda *_: calls.append(1))
    try:
        work()
    finally:
        hook.remove()
    return len(calls)


def test_a_vector_is_float32_of_length_1(exact: Qwen3VLEncoder, fast: Qwen3VLEncoder) -> None:
    vectors = [
        *exact.encode([Input(["a"]), Input(), Input(["b"], [picture((64, 64))])]),
        *exact.encode_pages(PAGES[:1]),
        *fast.encode_pages(PAGES),
        fast.encode_query(Query("umbrella")),
    ]
    for vector in vectors:
        assert vector.dtype == np.float32
        assert vector.shape == (64,)
        assert abs(float(np.linalg.norm(vector)) - 1) < 1e-6


def test_a_shorter_vector_is_the_longer_one_cut_then_normalised(tmp_path: Path) -> None:
    """On a checkpoint wider than the shortest vector that there is."""
    from tests import tiny_qwen3_vl

    config = tiny_qwen3_vl.model_config("float32")
    config["text_config"]["hidden_size"] = config["vision_config"]["out_hidden_size"] = 96
    tiny_qwen3_vl.build(tmp_path, "embedding", "full", config=config)
    full, short = (
        Qwen3VLEncoder(str(tmp_path), dimension=dimension, settings=FAST)
        for dimension in (model.width(tmp_path), 64)
    )
    for work in (lambda e: e.encode_pages(PAGES[:2]), lambda e: e.encode([Input(["a"])])):
        for long, cut in zip(work(full), work(short), strict=True):
            assert (len(long), len(cut)) == (96, 64)
            assert np.allclose(cut, long[:64] / np.linalg.norm(long[:64]), atol=1e-6)


@pytest.mark.parametrize("dimension", [0, -64, 63, 65, 1024])
def test_a_dimension_that_the_model_does_not_have_is_refused(folder: str, dimension: int) -> None:
    encoder = Qwen3VLEncoder(folder, dimension=dimension, settings=FAST)
    with pytest.raises(InvalidSetting, match="64 to 64"):
        _ = encoder.identity


def test_a_broken_image_among_inputs_fails_alone(exact: Qwen3VLEncoder, tmp_path: Path) -> None:
    path = tmp_path / "short.png"
    Image.effect_noise((200, 200), 90).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    good = [Input(images=[PAGES[0].picture]), Input(["words"]), Input(images=[PAGES[3].picture])]
    broken: list[Any] = [b"", b"no image", path, Image.open(path), Image.new("RGB", (201, 1))]
    mixed = [good[0], *(Input(["x"], [image]) for image in broken), *good[1:]]
    first, *failed, second, third = exact.encode(mixed)
    assert all(isinstance(error, UnreadableFile) for error in failed)
    singles = [exact.encode([given])[0] for given in good]
    assert same([first, second, third], singles)


@pytest.mark.parametrize("path", ["exact", "fast"])
def test_a_broken_page_fails_alone(path: str, request: pytest.FixtureRequest) -> None:
    encoder: Qwen3VLEncoder = request.getfixturevalue(path)
    short = PageContent(picture=PAGES[3].picture[:600])
    pages = [PAGES[0], PageContent(), short, PageContent(picture=b"no image"), PAGES[3]]
    first, *failed, last = encoder.encode_pages(pages)
    assert [type(error) for error in failed] == [UnreadableFile] * 3
    assert same([first, last], [encoder.encode_pages([page])[0] for page in (PAGES[0], PAGES[3])])


@pytest.mark.parametrize("path", ["exact", "fast"])
def test_a_batch_of_mixed_sizes_equals_its_pages_alone(
    path: str, request: pytest.FixtureRequest
) -> None:
    encoder: Qwen3VLEncoder = request.getfixturevalue(path)
    singles = [encoder.encode_pages([page])[0] for page in PAGES]
    assert same(encoder.encode_pages(PAGES), singles)


def test_inputs_of_every_kind_in_one_batch_equal_themselves_alone(exact: Qwen3VLEncoder) -> None:
    given = [
        Input(["short"]),
        Input(["long " * 200]),
        Input(images=[picture((320, 256))]),
        Input(["both"], [picture((64, 64)), picture((96, 64))]),
        Input(),
    ]
    assert same(exact.encode(given), [exact.encode([one])[0] for one in given])


def test_the_fast_path_equals_the_exact_one_at_every_size(
    exact: Qwen3VLEncoder, fast: Qwen3VLEncoder, tmp_path: Path
) -> None:
    turned = write_turned_jpeg(tmp_path / "turned.jpg", picture((96, 160))).read_bytes()
    pages = [*PAGES, PageContent(picture=turned)]
    assert same(fast.encode_pages(pages), exact.encode_pages(pages))


def test_the_same_words_are_computed_once(exact: Qwen3VLEncoder) -> None:
    query = Query("the same words")
    assert counted(exact, lambda: [exact.encode_query(query) for _ in range(3)]) == 1
    assert counted(exact, lambda: exact.encode_query(Query("other words"))) == 1


def test_the_words_kept_are_the_latest(exact: Qwen3VLEncoder) -> None:
    for number in range(70):
        exact.encode_query(Query(f"{number}"))
    assert len(exact._queries) <= 64
    assert "69" in exact._queries and "0" not in exact._queries


def test_each_kind_of_query_has_its_instruction(exact: Qwen3VLEncoder) -> None:
    image = picture((64, 64))
    asked, told = prompts.PAGE_INSTRUCTION, prompts.EMBEDDING_INSTRUCTION
    vectors = [
        exact.encode_query(query)
        for query in (Query("umbrella"), Query(image=image), Query("umbrella", image))
    ]
    wanted = exact.encode(
        [
            Input(["umbrella"], instruction=asked),
            Input(images=[image], instruction=told),
            Input(["umbrella"], [image], instruction=asked),
        ]
    )
    assert same(vectors, wanted)
    assert exact.encode_query(Query(" \n")) is None


def test_a_query_image_that_cannot_be_read_is_an_invalid_query(exact: Qwen3VLEncoder) -> None:
    with pytest.raises(InvalidQuery):
        exact.encode_query(Query(image=Image.new("RGB", (1000, 1))))


def test_the_identity_is_the_revision_the_dimension_and_what_is_told(folder: str) -> None:
    usual = Qwen3VLEncoder(folder, dimension=64, settings=EXACT)
    identity = usual.identity
    assert identity == f"{usual.checkpoint.identity}/64"
    assert usual.checkpoint.revision[:12] in identity
    assert Qwen3VLEncoder(folder, dimension=64, settings=Settings()).identity == identity
    told = create(Settings(), 1280, model=folder, dimension=64, query_instruction="Find it.")
    assert told.identity == f"{identity}/Find it."


def test_reading_the_identity_imports_nothing_heavy(folder: str) -> None:
    code = (
        "import sys; from mmsearch.encoders.qwen3_vl import Qwen3VLEncoder; "
        f"print(Qwen3VLEncoder({folder!r}, dimension=64).identity); "
        "print([name for name in ('torch', 'transformers', 'qwen_vl_utils', 'peft') "
        "if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    identity, heavy = done.stdout.splitlines()
    assert identity.endswith("/64")
    assert heavy == "[]"


def test_bfloat16_is_close_to_float32(folder: str, exact: Qwen3VLEncoder) -> None:
    for computation in ("exact", "fast"):
        settings = Settings(computation=computation, device="cpu", dtype="bfloat16")
        brain = Qwen3VLEncoder(folder, dimension=64, settings=settings)
        assert brain.encode_pages(PAGES[:1])[0].dtype == np.float32
        for ours, theirs in zip(brain.encode_pages(PAGES), exact.encode_pages(PAGES), strict=True):
            assert ours @ theirs > 0.99


@pytest.mark.parametrize("settings", [EXACT, FAST], ids=["exact", "fast"])
def test_four_threads_at_once_load_once_and_get_the_same_vectors(
    folder: str, settings: Settings
) -> None:
    encoder = Qwen3VLEncoder(folder, dimension=64, settings=settings)
    with ThreadPoolExecutor(4) as pool:
        found = [*pool.map(lambda _: encoder.encode_pages(PAGES), range(4))]
        asked = [*pool.map(lambda n: encoder.encode_query(Query(f"word {n % 2}")), range(4))]
    for vectors in found[1:]:
        assert same(vectors, found[0])
    assert same(asked[:2], asked[2:])


def adapter(base: Any, folder: Path, **changes: Any) -> dict[str, torch.Tensor]:
    """Save a LoRA adapter of random weights; its sums by the names of the network's weights."""
    from peft import LoraConfig, get_peft_model

    targets = {"target_modules": ["q_proj", "down_proj"], **changes}
    adapted = get_peft_model(base, LoraConfig(r=4, lora_alpha=12, **targets))
    generator = torch.Generator().manual_seed(1)
    parts = {}
    for name, value in adapted.named_parameters():
        if "lora_" in name:
            value.data = torch.randn(value.shape, generator=generator) * 0.1
            parts[name] = value.data.clone()
    adapted.save_pretrained(folder)
    added = {}
    for name, down in parts.items():
        if "lora_A" in name:
            up = parts[name.replace("lora_A", "lora_B")]
            place = name.removeprefix("base_model.model.").removeprefix("model.")
            added[place.replace("lora_A.default.", "")] = 12 / 4 * up @ down
    return added


@pytest.mark.parametrize("kind", ["Qwen3VLModel", "Qwen3VLForConditionalGeneration"])
def test_an_adapter_is_its_sum_with_the_weights(
    kind: str, folder: str, exact: Qwen3VLEncoder, tmp_path: Path
) -> None:
    import transformers

    base = getattr(transformers, kind).from_pretrained(folder, dtype=torch.float32)
    added = adapter(base, tmp_path)
    ours = Qwen3VLEncoder(folder, dimension=64, adapter=str(tmp_path), settings=EXACT)
    vectors = ours.encode_pages(PAGES)
    assert not same(vectors, exact.encode_pages(PAGES), 1e-2)
    summed = Qwen3VLEncoder(folder, dimension=64, settings=EXACT)
    weights = dict(summed._model.network.named_parameters())
    assert len(added) == 8
    for name, value in added.items():
        weights[name].data += value
    assert same(vectors, summed.encode_pages(PAGES), 1e-4)
    quick = Qwen3VLEncoder(folder, dimension=64, adapter=str(tmp_path), settings=FAST)
    assert same(quick.encode_pages(PAGES), vectors, 1e-4)
    assert ours.identity != exact.identity


def test_an_adapter_of_another_model_is_refused(folder: str, tmp_path: Path) -> None:
    from transformers import Qwen3VLConfig, Qwen3VLModel

    from tests.tiny_qwen3_vl import model_config

    for name, change in {
        "wider": {"intermediate_size": 160},
        "deeper": {"num_hidden_layers": 5},
    }.items():
        config = model_config("float32")
        config["text_config"] |= {"vocab_size": 100, **change}
        adapter(Qwen3VLModel(Qwen3VLConfig(**config)), tmp_path / name)
        encoder = Qwen3VLEncoder(folder, dimension=64, adapter=str(tmp_path / name), settings=EXACT)
        with pytest.raises(UnusableModel) as error:
            encoder.encode([Input(["a"])])
        assert "adapter" in str(error.value) and "\n" not in str(error.value)
