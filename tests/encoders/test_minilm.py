"""MiniLM: our graph against sentence-transformers, a NumPy network and itself."""

from __future__ import annotations

import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmsearch import models
from mmsearch.config import Settings
from mmsearch.encoders import Encoder, PageContent, minilm_graph, passages
from mmsearch.encoders.minilm import MiniLmEncoder, create
from mmsearch.errors import MissingModel
from mmsearch.types import Query

# First numbers of the vectors of sentence-transformers 6.2.0 with torch 2.14.1, float32, CPU.
GOLDEN = {
    "The quick brown fox jumps over the lazy dog.": (
        0.043934, 0.058934, 0.048178, 0.077548, 0.026744, -0.03763,
    ),
    "revenue by region": (0.089711, 0.054803, -0.022623, -0.062356, -0.044055, -0.026727),
    "Überraschung: café naïve, 東京タワー 2024": (
        0.005078, 0.071736, 0.079913, -0.05781, -0.029283, 0.041113,
    ),
    "invoice number INV-2024/0013 " * 60: (  # longer than 256 tokens: cut
        -0.042808, -0.077497, 0.025214, -0.120361, -0.057494, 0.016816,
    ),
}  # fmt: skip
LONG = "Umbrella sales rose by 12 % in the northern region while sandals fell. " * 40


@pytest.fixture(scope="module")
def folder() -> Path:
    try:
        return models.find(models.MINILM)
    except MissingModel as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def encoder(folder: Path) -> MiniLmEncoder:
    return MiniLmEncoder(model_dir=str(folder))


def tokens(encoder: MiniLmEncoder, text: str) -> dict[str, Any]:
    return {"tokens": np.array([encoder._loaded[0].encode(text).ids], np.int64)}


def test_the_float32_graph_gives_the_reference_vectors(
    folder: Path, encoder: MiniLmEncoder
) -> None:
    weights = minilm_graph.read_safetensors(folder / "model.safetensors")
    exact = minilm_graph.session(minilm_graph.write(weights, quantised=False))
    for text, golden in GOLDEN.items():
        (vector,) = exact.run(None, tokens(encoder, text))
        np.testing.assert_allclose(vector[0, :6], golden, atol=2e-6)
        quantised = encoder.encode_query(Query(text))
        assert quantised is not None
        assert float(vector[0] @ quantised) > 0.997


@pytest.mark.parametrize("text", GOLDEN)
def test_query_vectors_are_near_the_reference_and_of_unit_length(
    encoder: MiniLmEncoder, text: str
) -> None:
    vector = encoder.encode_query(Query(text))
    assert isinstance(vector, np.ndarray)
    assert (vector.shape, vector.dtype) == ((384,), np.float32)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(vector[:6], GOLDEN[text], atol=0.012)


def test_a_page_has_a_row_a_passage_and_an_empty_page_has_none(encoder: MiniLmEncoder) -> None:
    short, empty, long = encoder.encode_pages(
        [PageContent("revenue by region"), PageContent(" \n"), PageContent(LONG)]
    )
    assert empty is None
    assert isinstance(short, np.ndarray)
    assert isinstance(long, np.ndarray)
    assert short.shape == (1, 384)
    assert long.shape == (len(passages.split(LONG)), 384)
    np.testing.assert_allclose(np.linalg.norm(long, axis=1), 1, atol=1e-5)


def test_a_query_without_words_has_no_vector(encoder: MiniLmEncoder) -> None:
    assert encoder.encode_query(Query("  ")) is None


def test_vectors_do_not_depend_on_the_batch_or_the_threads(folder: Path) -> None:
    pages = [PageContent(LONG), PageContent("revenue"), PageContent(LONG[200:900])]
    together = MiniLmEncoder(model_dir=str(folder), threads=3).encode_pages(pages)
    single = MiniLmEncoder(model_dir=str(folder), threads=1)
    for page, expected in zip(pages, together, strict=True):
        (alone,) = single.encode_pages([page])
        np.testing.assert_array_equal(alone, expected)


def test_the_best_passage_finds_a_sentence_deep_in_a_page(encoder: MiniLmEncoder) -> None:
    hidden = LONG + "The committee elected a new treasurer in Lisbon. " + LONG
    page, other = encoder.encode_pages([PageContent(hidden), PageContent(LONG)])
    query = encoder.encode_query(Query("who became treasurer?"))
    assert (page @ query).max() > (other @ query).max() + 0.1
    texts = [passage.text for passage in passages.split(hidden)]
    assert "treasurer" in texts[int((page @ query).argmax())]


def test_a_lone_surrogate_is_encoded_as_an_unknown_character(encoder: MiniLmEncoder) -> None:
    broken = encoder.encode_query(Query("revenue \ud800 by region"))
    assert broken is not None
    assert float(broken @ encoder.encode_query(Query("revenue by region"))) > 0.8


def test_one_encoder_serves_several_threads(folder: Path) -> None:
    shared = MiniLmEncoder(model_dir=str(folder))
    with ThreadPoolExecutor(4) as pool:
        vectors = list(pool.map(shared.encode_query, [Query("revenue by region")] * 8))
    for vector in vectors[1:]:
        np.testing.assert_array_equal(vector, vectors[0])


def test_identity_names_model_weights_and_passages() -> None:
    encoder: Encoder = create(Settings())
    assert encoder.identity.startswith("all-MiniLM-L6-v2@53aa51172d14/")
    assert passages.SCHEME in encoder.identity
    assert (encoder.kind, encoder.reads, encoder.dimension) == ("multi", "text", 384)


def test_missing_weights_are_reported_at_first_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MMSEARCH_CACHE", "HF_HUB_CACHE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(models, "find_spec", lambda _: None)
    encoder = MiniLmEncoder()
    assert encoder.encode_pages([PageContent("")]) == [None]
    with pytest.raises(MissingModel, match="mmsearch models pull lite"):
        encoder.encode_query(Query("revenue"))


def test_importing_the_module_loads_no_runtime() -> None:
    heavy = "{'onnxruntime', 'tokenizers', 'torch', 'onnx'}"
    code = f"import sys, mmsearch.encoders.minilm; sys.exit(str({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "set()"


# --- without the published weights: the network on random ones


def random_weights(words: int = 50, wide: int = 64) -> dict[str, Any]:
    draw = np.random.default_rng(7)
    width = minilm_graph.WIDTH

    def array(*shape: int) -> Any:
        return draw.normal(scale=0.08, size=shape).astype(np.float32)

    def norm(name: str) -> dict[str, Any]:
        return {
            f"{name}.LayerNorm.weight": 1 + array(width),
            f"{name}.LayerNorm.bias": array(width),
        }

    def dense(name: str, outputs: int, inputs: int) -> dict[str, Any]:
        return {f"{name}.weight": array(outputs, inputs), f"{name}.bias": array(outputs)}

    weights = norm("embeddings")
    for name, rows in (("word", words), ("position", minilm_graph.LONGEST), ("token_type", 2)):
        weights[f"embeddings.{name}_embeddings.weight"] = array(rows, width)
    for layer in range(minilm_graph.LAYERS):
        prefix = f"encoder.layer.{layer}."
        for name in ("query", "key", "value"):
            weights |= dense(f"{prefix}attention.self.{name}", width, width)
        weights |= dense(f"{prefix}attention.output.dense", width, width)
        weights |= dense(f"{prefix}intermediate.dense", wide, width)
        weights |= dense(f"{prefix}output.dense", width, wide)
        weights |= norm(f"{prefix}attention.output") | norm(f"{prefix}output")
    return weights


def bert(weights: dict[str, Any], ids: list[int]) -> Any:
    """BERT as the paper has it, in NumPy, with mean pooling."""

    def dense(name: str, hidden: Any) -> Any:
        return hidden @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(name: str, hidden: Any) -> Any:
        centred = hidden - hidden.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return scaled * weights[f"{name}.LayerNorm.weight"] + weights[f"{name}.LayerNorm.bias"]

    def heads(name: str, hidden: Any) -> Any:
        return dense(name, hidden).reshape(len(ids), minilm_graph.HEADS, -1).transpose(1, 0, 2)

    table = {name: weights[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position")}
    segment = weights["embeddings.token_type_embeddings.weight"][0]
    hidden = norm("embeddings", table["word"][ids] + table["position"][: len(ids)] + segment)
    for layer in range(minilm_graph.LAYERS):
        name = f"encoder.layer.{layer}"
        query, key, value = (
            heads(f"{name}.attention.self.{part}", hidden) for part in ("query", "key", "value")
        )
        scores = np.exp(query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1]))
        heard = (scores / scores.sum(-1, keepdims=True)) @ value
        joined = heard.transpose(1, 0, 2).reshape(len(ids), -1)
        attended = dense(f"{name}.attention.output.dense", joined)
        hidden = norm(f"{name}.attention.output", hidden + attended)
        wide = dense(f"{name}.intermediate.dense", hidden)
        wide = wide * (1 + np.vectorize(math.erf)(wide / math.sqrt(2))) / 2
        hidden = norm(f"{name}.output", hidden + dense(f"{name}.output.dense", wide))
    mean = hidden.mean(0)
    return mean / np.linalg.norm(mean)


@pytest.mark.parametrize(("quantised", "least"), [(False, 0.999999), (True, 0.998)])
def test_the_graph_computes_bert(quantised: bool, least: float) -> None:
    weights, ids = random_weights(), [3, 41, 7, 7, 19, 0, 49]
    graph = minilm_graph.session(minilm_graph.write(weights, quantised=quantised))
    (vector,) = graph.run(None, {"tokens": np.array([ids])})
    assert float(vector[0] @ bert(weights, ids)) > least


def test_safetensors_are_read_in_place(tmp_path: Path) -> None:
    header = b'{"__metadata__": {"a": "b"}, "x": {"dtype": "F32", "shape": [2, 1], '
    header += b'"data_offsets": [8, 16]}, "ids": {"dtype": "I64", "shape": [1], '
    header += b'"data_offsets": [0, 8]}}'
    data = np.int64(5).tobytes() + np.array([1.5, -2], np.float32).tobytes()
    path = tmp_path / "m.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + data)
    tensors = minilm_graph.read_safetensors(path)
    assert list(tensors) == ["x"]
    assert tensors["x"].tolist() == [[1.5], [-2.0]]
