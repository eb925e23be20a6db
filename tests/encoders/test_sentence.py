"""Text encoders of sentence-transformers against plain transformers, MiniLM and themselves."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmsearch import models
from mmsearch.config import Settings
from mmsearch.encoders import Encoder, PageContent, passages
from mmsearch.encoders.minilm import MiniLmEncoder
from mmsearch.encoders.sentence import MOST, SentenceEncoder, batched, create, windows
from mmsearch.errors import InvalidSetting, LimitExceeded, MissingModel, UnusableModel
from mmsearch.types import Query

pytest_plugins = ("tests.tiny_qwen3",)

ASKED = (
    "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"
)
TEXTS = [
    "revenue by region",
    "  Überraschung: café naïve,\n\n東京タワー 2024 👩‍👩‍👧 \t",
    "Umbrella sales rose by 12 % in the northern region while sandals fell. " * 20,
    "0013 1234567890 " * 30,
    "x",
]
LONG = " ".join(f"Sentence {number} tells of {number * number} umbrellas." for number in range(90))


@pytest.fixture(scope="module")
def plain(tiny_embedding: Path) -> Callable[[str], Any]:
    """The vector of a whole prompt as the model's documentation computes it, full width."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_embedding)
    model = AutoModel.from_pretrained(tiny_embedding, dtype=torch.float32)

    def vector(prompt: str) -> Any:
        ids = tokenizer(prompt)["input_ids"]
        assert ids[-1] == 151643
        with torch.no_grad():
            state = model(torch.tensor([ids])).last_hidden_state[0, -1].numpy()
        return state / np.linalg.norm(state)

    return vector


@pytest.fixture(scope="module")
def encoder(tiny_embedding: Path) -> SentenceEncoder:
    return create(Settings(device="cpu"), model=str(tiny_embedding), dimension=64)


def copied(folder: Path, to: Path) -> Path:
    """A checkpoint that a test may change: small files copied, weights linked."""
    shutil.copytree(folder, to, ignore=shutil.ignore_patterns("model.safetensors"))
    (to / "model.safetensors").hardlink_to(folder / "model.safetensors")
    return to


def pages(*texts: str) -> list[PageContent]:
    return [PageContent(text) for text in texts]


def rows(encoder: SentenceEncoder, *texts: str) -> list[Any]:
    """The only vector of each page."""
    vectors = encoder.encode_pages(pages(*texts))
    assert [getattr(vector, "shape", ())[:1] for vector in vectors] == [(1,)] * len(texts)
    return [vector[0] for vector in vectors]


def test_pages_are_encoded_as_they_are(
    encoder: SentenceEncoder, plain: Callable[[str], Any]
) -> None:
    for text, row in zip(TEXTS, rows(encoder, *TEXTS), strict=True):
        assert row.dtype == np.float32
        np.testing.assert_allclose(row, plain(text), atol=1e-5)


def test_a_query_follows_the_instruction(
    encoder: SentenceEncoder, tiny_embedding: Path, plain: Callable[[str], Any]
) -> None:
    asked = create(
        Settings(device="cpu"),
        model=str(tiny_embedding),
        dimension=64,
        query_instruction="Find  bugs",
    )
    for text in TEXTS:
        words = text.strip()
        np.testing.assert_allclose(
            encoder.encode_query(Query(text)), plain(ASKED + words), atol=1e-5
        )
    np.testing.assert_allclose(
        asked.encode_query(Query("x")), plain("Instruct: Find bugs\nQuery:x"), atol=1e-5
    )
    assert asked.identity == encoder.identity + "/Find bugs"


def test_vectors_do_not_depend_on_the_batch(encoder: SentenceEncoder) -> None:
    together = encoder.encode_pages(pages(*TEXTS))
    for text, expected in zip(TEXTS, together, strict=True):
        (alone,) = encoder.encode_pages(pages(text))
        np.testing.assert_allclose(alone, expected, atol=1e-5)


def test_vectors_are_cut_then_brought_to_unit_length(
    encoder: SentenceEncoder, tiny_embedding: Path
) -> None:
    short = create(Settings(device="cpu"), model=str(tiny_embedding), dimension=32)
    for row, full in zip(rows(short, *TEXTS), rows(encoder, *TEXTS), strict=True):
        np.testing.assert_allclose(row, full[:32] / np.linalg.norm(full[:32]), atol=1e-6)
        assert np.linalg.norm(row) == pytest.approx(1, abs=1e-6)
    assert short.dimension == 32
    assert short.identity != encoder.identity


@pytest.mark.parametrize("dimension", [31, 0, -64, 64.0, "64", True, None])
def test_a_dimension_that_no_model_has_is_refused(dimension: Any) -> None:
    with pytest.raises(InvalidSetting, match=r"^dimension=.*whole number from 32$"):
        create(Settings(), model="Qwen/Qwen3-Embedding-0.6B", dimension=dimension)


def test_a_dimension_that_the_model_lacks_is_refused_with_both_numbers(
    tiny_embedding: Path,
) -> None:
    with pytest.raises(InvalidSetting, match=r"have 64 dimensions, the profile asks for 1024; "):
        create(Settings(), model=str(tiny_embedding)).encode_query(Query("x"))


def test_nothing_has_no_vector_and_loads_no_model() -> None:
    encoder = create(Settings(), model="nowhere/at-all")
    assert encoder.encode_pages(pages("", " \n\t")) == [None, None]
    assert encoder.encode_query(Query(" ")) is None


def test_the_models_own_tokens_in_a_text_are_words(
    encoder: SentenceEncoder, plain: Callable[[str], Any]
) -> None:
    (row,) = rows(encoder, "a<|endoftext|>b<|im_end|>")
    np.testing.assert_allclose(row, plain("a< |endoftext|>b< |im_end|>"), atol=1e-5)
    np.testing.assert_allclose(
        encoder.encode_query(Query("<|im_start|>x")), plain(ASKED + "< |im_start|>x"), atol=1e-5
    )


def test_a_lone_surrogate_is_an_unknown_character(
    encoder: SentenceEncoder, plain: Callable[[str], Any]
) -> None:
    (row,) = rows(encoder, "revenue \ud800 by region")
    np.testing.assert_allclose(row, plain("revenue ? by region"), atol=1e-5)
    assert encoder.encode_query(Query("\udfff")) is not None


def test_a_longer_page_is_cut_into_windows(
    tiny_embedding: Path, plain: Callable[[str], Any]
) -> None:
    from transformers import AutoTokenizer

    encoder = create(
        Settings(device="cpu"), model=str(tiny_embedding), dimension=64, max_tokens=600
    )
    (vectors,) = encoder.encode_pages(pages(LONG))
    assert isinstance(vectors, np.ndarray)
    spans = AutoTokenizer.from_pretrained(tiny_embedding)(
        LONG, add_special_tokens=False, return_offsets_mapping=True
    )["offset_mapping"]
    cut = windows(LONG, spans, 599)  # the last token of 600 is <|endoftext|>
    assert len(cut) == len(vectors) == 3
    for piece, vector in zip(cut, vectors, strict=True):
        np.testing.assert_allclose(vector, plain(piece.text), atol=1e-5)


@pytest.mark.parametrize("tokens", [1, 600, 601, 1200, 3000, 4400, 90_000])
def test_windows_are_equal_overlap_and_leave_nothing_out(tokens: int) -> None:
    text = "ab " * tokens
    spans = [(3 * number, 3 * number + 2) for number in range(tokens)]
    cut = windows(text, spans, 600)
    if tokens <= 600:
        assert [piece.text for piece in cut] == [text]
        return
    assert len({piece.tokens for piece in cut}) == 1
    assert cut[0].tokens <= 592
    seen = sum(piece.tokens for piece in cut)
    if len(cut) < MOST:
        assert seen >= tokens + 37 * (len(cut) - 1)
    assert len(cut) == min(MOST, -(-(tokens - 37) // 555))
    assert all(len(piece.text) == 3 * piece.tokens - 1 for piece in cut)


def test_a_query_beyond_the_limit_keeps_the_last_token(
    tiny_embedding: Path, plain: Callable[[str], Any]
) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_embedding)
    encoder = create(
        Settings(device="cpu"), model=str(tiny_embedding), dimension=64, max_tokens=100
    )
    ids = tokenizer(ASKED + LONG)["input_ids"][:99]
    np.testing.assert_allclose(
        encoder.encode_query(Query(LONG)), plain(tokenizer.decode(ids)), atol=1e-5
    )


def test_a_query_asked_again_is_not_encoded_again(encoder: SentenceEncoder) -> None:
    first = encoder.encode_query(Query("asked twice"))
    assert encoder.encode_query(Query(" asked twice")) is first
    assert isinstance(first, np.ndarray)
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 0


def test_one_encoder_serves_several_threads(tiny_embedding: Path) -> None:
    shared = create(Settings(device="cpu"), model=str(tiny_embedding), dimension=64)
    with ThreadPoolExecutor(4) as pool:
        vectors = list(pool.map(lambda n: shared.encode_pages(pages(TEXTS[n % 5])), range(20)))
        queries = list(pool.map(lambda n: shared.encode_query(Query(f"q{n % 5}")), range(20)))
    for number in range(5, 20):
        np.testing.assert_array_equal(vectors[number][0], vectors[number % 5][0])
        np.testing.assert_array_equal(queries[number], queries[number % 5])


def test_what_the_memory_does_not_take_is_computed_in_halves_or_left_out() -> None:
    import torch

    tried = []

    def compute(numbers: list[int]) -> list[int]:
        tried.append(len(numbers))
        if len(numbers) > 2 or 6 in numbers:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return [10 * number for number in numbers]

    lengths = [50, 10, 70, 20, 60, 30, 90, 40]
    assert batched(compute, lengths) == [0, 10, 20, 30, 40, 50, None, 70]
    assert tried[0] == 8


def test_a_page_that_the_memory_does_not_take_fails_alone(
    tiny_embedding: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    encoder = create(Settings(device="cpu"), model=str(tiny_embedding), dimension=64)
    computed = encoder._vectors

    def vectors(encode: Any, texts: list[str], prompt: str) -> Any:
        if any(len(text) > 1000 for text in texts):
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return computed(encode, texts, prompt)

    monkeypatch.setattr(encoder, "_vectors", vectors)
    short, long, other = encoder.encode_pages(pages("a", LONG, "b"))
    assert isinstance(short, np.ndarray)
    assert isinstance(other, np.ndarray)
    assert isinstance(long, LimitExceeded)
    assert "lower max_tokens" in str(long)
    with pytest.raises(LimitExceeded, match=r"^query: "):
        encoder.encode_query(Query(LONG))


def test_loading_and_encoding_are_silent(
    tiny_embedding: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    encoder = create(Settings(device="cpu"), model=str(tiny_embedding), dimension=64)
    encoder.encode_query(Query("x"))
    encoder.encode_pages(pages("word " * 40_000))
    assert capfd.readouterr() == ("", "")


# --- what it is loaded from


def test_identity_names_model_dimension_and_cuts_and_imports_no_library(
    tiny_embedding: Path,
) -> None:
    encoder: Encoder = create(Settings(), model=str(tiny_embedding), dimension=64)
    assert encoder.identity.startswith(f"{tiny_embedding.name}@")
    assert encoder.identity.split("/")[1:] == ["64", f"8192-windows-8+{passages.SCHEME}"]
    assert (encoder.kind, encoder.reads, encoder.dimension) == ("multi", "text", 64)
    code = (
        "import sys; from mmsearch.config import Settings; "
        "from mmsearch.encoders.sentence import create; "
        f"create(Settings(), model={str(tiny_embedding)!r}).identity; "
        "sys.exit(str({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "set()"


def test_weights_that_are_not_here_are_reported_at_first_use() -> None:
    encoder = create(Settings(), model="nowhere/at-all")
    with pytest.raises(MissingModel, match="nowhere/at-all"):
        encoder.encode_query(Query("x"))
    with pytest.raises(MissingModel, match="nowhere/at-all"):
        _ = encoder.identity


def test_a_device_that_is_not_here_is_refused(tiny_embedding: Path) -> None:
    import torch

    if torch.backends.mps.is_available():
        pytest.skip("this machine has one")
    with pytest.raises(InvalidSetting, match="device='mps'"):
        create(Settings(device="mps"), model=str(tiny_embedding)).encode_query(Query("x"))


def test_weights_in_bfloat16_give_vectors_of_float32(
    tiny_embedding: Path, encoder: SentenceEncoder
) -> None:
    half = create(Settings(device="cpu", dtype="bfloat16"), model=str(tiny_embedding), dimension=64)
    for row, expected in zip(rows(half, *TEXTS), rows(encoder, *TEXTS), strict=True):
        assert row.dtype == np.float32
        assert np.linalg.norm(row) == pytest.approx(1, abs=1e-6)
        assert float(row @ expected) > 0.99


def test_a_tokeniser_that_lost_the_last_token_is_mended(
    tiny_embedding: Path, encoder: SentenceEncoder, tmp_path: Path
) -> None:
    folder = copied(tiny_embedding, tmp_path / "resaved")
    tokenizer = json.loads((folder / "tokenizer.json").read_bytes())
    tokenizer["post_processor"] = tokenizer["post_processor"]["processors"][0]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    mended = create(Settings(device="cpu"), model=str(folder), dimension=64)
    for row, expected in zip(rows(mended, *TEXTS), rows(encoder, *TEXTS), strict=True):
        np.testing.assert_allclose(row, expected, atol=1e-6)


def test_a_language_model_makes_no_vectors(tiny_reranker: Path) -> None:
    with pytest.raises(UnusableModel, match=r"has no modules\.json"):
        create(Settings(), model=str(tiny_reranker)).encode_query(Query("x"))


def test_weights_with_a_gap_are_refused(tiny_embedding: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    folder = copied(tiny_embedding, tmp_path / "gap")
    weights = load_file(folder / "model.safetensors")
    del weights["layers.1.mlp.up_proj.weight"]
    (folder / "model.safetensors").unlink()
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UnusableModel, match=r"1 weights are missing \(layers\.1\.mlp\.up_proj"):
        create(Settings(), model=str(folder), dimension=64).encode_query(Query("x"))


def test_a_broken_config_is_one_line(tiny_embedding: Path, tmp_path: Path) -> None:
    folder = copied(tiny_embedding, tmp_path / "broken")
    config = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "qwen99"}))
    with pytest.raises(UnusableModel, match=r"cannot be loaded \(.*qwen99") as raised:
        create(Settings(), model=str(folder), dimension=64).encode_query(Query("x"))
    assert "\n" not in str(raised.value)


# --- adapters


@pytest.fixture(scope="module", params=["AutoModel", "AutoModelForCausalLM"])
def adapter(
    request: pytest.FixtureRequest, tiny_embedding: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A LoRA adapter of the tiny model as peft saves it, trained without and with the head."""
    pytest.importorskip("peft")
    import torch
    import transformers
    from peft import LoraConfig, get_peft_model

    kind = getattr(transformers, request.param)
    base = kind.from_pretrained(tiny_embedding, dtype=torch.float32)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"])
    torch.manual_seed(2)
    adapted = get_peft_model(base, config)
    with torch.no_grad():
        for name, weights in adapted.named_parameters():
            if "lora_" in name:
                weights.normal_(0.0, 0.3)
    folder = tmp_path_factory.mktemp("adapters") / "invoices"
    adapted.save_pretrained(str(folder))
    return folder


def test_an_adapter_changes_vectors_and_identity(
    tiny_embedding: Path, adapter: Path, encoder: SentenceEncoder
) -> None:
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModel, AutoTokenizer

    adapted = create(
        Settings(device="cpu"), model=str(tiny_embedding), dimension=64, adapter=str(adapter)
    )
    name, _, rest = encoder.identity.partition("/")
    assert adapted.identity.startswith(f"{name}+invoices@")
    assert adapted.identity.endswith(f"/{rest}")

    # By the paper's formula: W + alpha / r * B A.
    model = AutoModel.from_pretrained(tiny_embedding, dtype=torch.float32)
    low_rank = load_file(adapter / "adapter_model.safetensors")
    with torch.no_grad():
        for name, down in low_rank.items():
            if "lora_A" in name:
                up = low_rank[name.replace("lora_A", "lora_B")]
                place = name.removeprefix("base_model.model.").removeprefix("model.")
                model.get_submodule(place.removesuffix(".lora_A.weight")).weight += (
                    8 / 4 * up @ down
                )
        ids = AutoTokenizer.from_pretrained(tiny_embedding)(TEXTS[0])["input_ids"]
        state = model(torch.tensor([ids])).last_hidden_state[0, -1].numpy()
    (row,) = rows(adapted, TEXTS[0])
    np.testing.assert_allclose(row, state / np.linalg.norm(state), atol=1e-5)
    assert float(row @ rows(encoder, TEXTS[0])[0]) < 0.99


def test_an_adapter_of_another_model_is_refused(
    tiny_embedding: Path, adapter: Path, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file, save_file

    other = tmp_path / "other"
    shutil.copytree(adapter, other)
    weights = load_file(other / "adapter_model.safetensors")
    renamed = {name.replace("layers.1", "layers.7"): array for name, array in weights.items()}
    save_file(renamed, other / "adapter_model.safetensors", {"format": "pt"})
    with pytest.raises(UnusableModel, match=r"made for another model \(.*layers"):
        create(
            Settings(), model=str(tiny_embedding), dimension=64, adapter=str(other)
        ).encode_query(Query("x"))


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_an_adapter_in_a_pickle_is_not_opened(
    tiny_embedding: Path, adapter: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(adapter, other)
    (other / "adapter_model.safetensors").unlink()
    (other / "adapter_model.bin").write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    encoder = create(Settings(), model=str(tiny_embedding), dimension=64, adapter=str(other))
    with pytest.raises(UnusableModel, match="weights are a pickle"):
        encoder.encode_query(Query("x"))
    with pytest.raises(UnusableModel, match="weights are a pickle"):
        _ = encoder.identity
    assert not (tmp_path / "sprung").exists()


# --- another model of sentence-transformers


@pytest.fixture(scope="module")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published all-MiniLM-L6-v2, laid out as sentence-transformers does."""
    pytest.importorskip("sentence_transformers")
    try:
        published = models.find(models.MINILM)
    except MissingModel as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("models") / "all-MiniLM-L6-v2"
    (folder / "1_Pooling").mkdir(parents=True)
    for name in ("model.safetensors", "tokenizer.json"):
        shutil.copy(published / name, folder)
    parts = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    content = {
        "modules.json": [
            {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for n, (path, kind) in enumerate(parts.items())
        ],
        "1_Pooling/config.json": {
            "word_embedding_dimension": 384,
            "pooling_mode_mean_tokens": True,
        },
        "sentence_bert_config.json": {"max_seq_length": 256, "do_lower_case": False},
        "tokenizer_config.json": {
            "tokenizer_class": "BertTokenizer",
            "do_lower_case": True,
            "model_max_length": 512,
            "unk_token": "[UNK]",
            "sep_token": "[SEP]",
            "pad_token": "[PAD]",
            "cls_token": "[CLS]",
            "mask_token": "[MASK]",
        },
        "config.json": {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "hidden_size": 384,
            "intermediate_size": 1536,
            "num_attention_heads": 12,
            "num_hidden_layers": 6,
            "max_position_embeddings": 512,
            "type_vocab_size": 2,
            "vocab_size": 30522,
            "hidden_act": "gelu",
            "layer_norm_eps": 1e-12,
            "pad_token_id": 0,
        },
    }
    for name, value in content.items():
        (folder / name).write_text(json.dumps(value), encoding="utf-8")
    return folder


def test_minilm_gives_the_vectors_of_our_own_minilm(minilm: Path) -> None:
    theirs = create(Settings(device="cpu"), model=str(minilm), dimension=384)
    ours = MiniLmEncoder()
    for text in ("revenue by region", "The quick brown fox jumps over the lazy dog."):
        query, expected = theirs.encode_query(Query(text)), ours.encode_query(Query(text))
        assert float(query @ expected) > 0.999  # ours computes in eight bits
    np.testing.assert_allclose(  # of sentence-transformers 6.2.0, float32
        theirs.encode_query(Query("revenue by region"))[:3], (0.089711, 0.054803, -0.022623),
        atol=2e-6,
    )  # fmt: skip


def test_a_model_of_few_tokens_sees_the_passages_that_minilm_sees(minilm: Path) -> None:
    theirs = create(Settings(device="cpu"), model=str(minilm), dimension=384)
    (vectors,) = theirs.encode_pages(pages(LONG))
    (expected,) = MiniLmEncoder().encode_pages(pages(LONG))
    assert isinstance(vectors, np.ndarray)
    assert vectors.shape == expected.shape
    assert (vectors * expected).sum(1).min() > 0.997


def test_a_model_keeps_its_own_prompts_and_takes_no_instruction(
    minilm: Path, tmp_path: Path
) -> None:
    prompted = copied(minilm, tmp_path / "prompted")
    prompts = {"prompts": {"query": "query: ", "passage": "passage: "}}
    (prompted / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    bare = create(Settings(device="cpu"), model=str(minilm), dimension=384)
    own = create(Settings(device="cpu"), model=str(prompted), dimension=384)
    np.testing.assert_allclose(
        own.encode_query(Query("umbrella")), bare.encode_query(Query("query: umbrella")), atol=1e-6
    )
    (row,), (expected,) = rows(own, "umbrella"), rows(bare, "passage: umbrella")
    np.testing.assert_allclose(row, expected, atol=1e-6)
    with pytest.raises(InvalidSetting, match="takes no instruction"):
        create(
            Settings(), model=str(minilm), dimension=384, query_instruction="Find bugs"
        ).encode_query(Query("x"))
