"""all-MiniLM-L6-v2 as an ONNX graph, written from its published weights.

The graph takes one passage at a time, so that no vector depends on what else is encoded and no
work is spent on padding:

    tokens (1, length) int64  ->  vector (1, 384) float32, a unit row

Matrix products run on int8 weights (one scale a column) and uint8 activations (one scale a
token), everything else in float32: twice as fast as float32, cosine .9992 to it. ONNX Runtime's
usual one scale a tensor is a sixth faster still, but its cosine is .994 and it finds less.

Operators of `com.microsoft`: ONNX Runtime's ContribOperators.md. Network: Devlin et al. 2019, BERT,
arXiv:1810.04805; mean pooling: Reimers & Gurevych 2019, arXiv:1908.10084.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmsearch.onnx_file import TYPES, Graph

Array = NDArray[Any]
Weights = Mapping[str, Array]

LAYERS, HEADS, WIDTH, LONGEST = 6, 12, 384, 512
EPSILON = 1e-12  # of the layer normalisations

# Four channels of the residual stream are 3 to 10 times as large as the others in every layer, so
# a token's scale would follow them and the others lose bits. They are divided before rounding and
# the weights' rows multiplied: the product stays the same. Measured on this one set of weights.
LOUD_CHANNELS = {99: 4.0, 63: 2.0, 157: 2.0, 223: 2.0}
LOWEST_GELU = -0.17

# "The quick brown fox jumps over the lazy dog." and the least cosine that int8 must reach on it.
PROBE = (101, 1996, 4248, 2829, 4419, 14523, 2058, 1996, 13971, 3899, 1012, 102)
FAITHFUL = 0.99


def build(weights_file: Path) -> bytes:
    """Make the graph that this machine runs best.

    That is int8, unless the processor gets it wrong: those without VNNI may clip the sums of
    int8 products (x86 before 2019). Then it is float32.

    Args:
        weights_file: the published `model.safetensors`.

    Returns:
        An ONNX model, about 34 MB (90 MB in float32).
    """
    weights = read_safetensors(weights_file)
    small, exact = (write(weights, quantised=quantised) for quantised in (True, False))
    cosine = float(_probe(small) @ _probe(exact))
    return small if cosine >= FAITHFUL else exact


def session(model: str | bytes) -> Any:
    """An ONNX Runtime session of one thread over a model's path or content."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # passages run side by side instead
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # every passage has another length
    # The graph is as it should run; the optimiser would fuse it into slower operators.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def write(weights: Weights, *, quantised: bool) -> bytes:
    """Write the network as an ONNX model.

    Args:
        weights: arrays by their published names.
        quantised: int8 matrix products, and token embeddings in float16; else float32 throughout.
    """
    graph = _Graph(quantised=quantised)
    hidden = _embeddings(graph, weights)
    for layer in range(LAYERS):
        prefix = f"encoder.layer.{layer}."
        part = {
            name.removeprefix(prefix): array
            for name, array in weights.items()
            if name.startswith(prefix)
        }
        hidden = _feed_forward(graph, part, _attention(graph, part, hidden))
    mean = graph.add("ReduceMean", hidden, graph.constant(np.array([1])), keepdims=0)
    vector = graph.add("LpNormalization", mean, axis=-1, p=2)
    return graph.model(
        "minilm", ("tokens", "int64", (1, "length")), (vector, "float32", (1, WIDTH))
    )


def read_safetensors(path: Path) -> dict[str, Array]:
    """Map a safetensors file's float32 tensors, read-only; the file is not read until used.

    Source: the format's README, huggingface/safetensors.
    """
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    content = np.memmap(path, mode="r", offset=8 + length)
    return {
        name: content[slice(*entry["data_offsets"])].view("<f4").reshape(entry["shape"])
        for name, entry in header.items()
        if entry.get("dtype") == "F32"
    }


def _probe(model: bytes) -> Array:
    (vector,) = session(model).run(None, {"tokens": np.array([PROBE])})
    row: Array = vector[0]
    return row


# --- the network


def _embeddings(graph: _Graph, weights: Weights) -> str:
    words = weights["embeddings.word_embeddings.weight"]
    # Every token is of the first segment.
    places = (
        weights["embeddings.position_embeddings.weight"]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    if graph.quantised:
        table = graph.constant(words.astype(np.float16))
        word = graph.add("Cast", graph.add("Gather", table, "tokens"), to=TYPES["float32"])
    else:
        word = graph.add("Gather", graph.constant(words), "tokens")
    length = graph.add("Shape", "tokens", start=1)
    place = graph.add("Slice", graph.constant(places), graph.constant(np.array([0])), length)
    return _normalised(graph, weights, "embeddings.LayerNorm", graph.add("Add", word, place))


def _attention(graph: _Graph, part: Weights, hidden: str) -> str:
    names = [f"attention.self.{name}" for name in ("query", "key", "value")]
    weight = np.concatenate([part[f"{name}.weight"] for name in names]).T
    bias = np.concatenate([part[f"{name}.bias"] for name in names])
    projected = _product(graph, hidden, weight, loud=True)
    parts = graph.add_many(3, "Split", projected, axis=-1, num_outputs=3)
    heard = graph.add("MultiHeadAttention", *parts, graph.constant(bias), num_heads=HEADS)
    output = _product(graph, heard, part["attention.output.dense.weight"].T)
    return _residual(graph, part, "attention.output", output, hidden)


def _feed_forward(graph: _Graph, part: Weights, hidden: str) -> str:
    wide = _product(graph, hidden, part["intermediate.dense.weight"].T, loud=True)
    wide = graph.add("BiasGelu", wide, graph.constant(part["intermediate.dense.bias"]))
    narrow = _product(graph, wide, part["output.dense.weight"].T, lowest=LOWEST_GELU)
    return _residual(graph, part, "output", narrow, hidden)


def _residual(graph: _Graph, part: Weights, name: str, output: str, hidden: str) -> str:
    biased = graph.add("Add", output, graph.constant(part[f"{name}.dense.bias"]))
    return _normalised(graph, part, f"{name}.LayerNorm", graph.add("Add", biased, hidden))


def _normalised(graph: _Graph, weights: Weights, name: str, hidden: str) -> str:
    # Faster than com.microsoft's SkipLayerNormalization, even with the two additions before it.
    scale, shift = (graph.constant(weights[f"{name}.{part}"]) for part in ("weight", "bias"))
    return graph.add("LayerNormalization", hidden, scale, shift, axis=-1, epsilon=EPSILON)


def _product(
    graph: _Graph, hidden: str, weight: Array, *, loud: bool = False, lowest: float = -math.inf
) -> str:
    """`hidden @ weight`, in int8 where the graph is quantised.

    `weight` is (inputs, outputs). `loud`: the input has the loud channels. `lowest`: no value of
    the input is lower, so that rounding need not spend a bit on the sign.
    """
    if not graph.quantised:
        return graph.add("MatMul", hidden, graph.constant(weight))
    if loud:
        factors = np.ones(len(weight), np.float32)
        factors[list(LOUD_CHANNELS)] = list(LOUD_CHANNELS.values())
        hidden = graph.add("Mul", hidden, graph.constant(1 / factors))
        weight = weight * factors[:, None]
    scales = np.abs(weight).max(axis=0) / np.float32(127)
    rounded = np.rint(weight / scales).astype(np.int8)
    if lowest == -math.inf:
        size, levels, zero = graph.add("Abs", hidden), 127, 128
    else:
        hidden = size = graph.add("Sub", hidden, graph.constant(np.float32(lowest)))
        levels, zero = 255, 0
    largest = graph.add("ReduceMax", size, graph.constant(np.array([-1])), keepdims=1)
    step, middle = graph.constant(np.float32(1 / levels)), graph.constant(np.uint8(zero))
    tokens = graph.add("QuantizeLinear", graph.add("Div", hidden, largest), step, middle)
    product = graph.add(
        "MatMulIntegerToFloat",
        *(tokens, graph.constant(rounded), step, graph.constant(scales)),
        *(middle, graph.constant(np.zeros(len(scales), np.int8))),
    )
    product = graph.add("Mul", product, largest)
    if lowest == -math.inf:
        return product
    shift = np.float32(lowest) * scales * rounded.sum(axis=0, dtype=np.float32)
    return graph.add("Add", product, graph.constant(shift))


# --- what a graph is made of

_CONTRIBUTED = dict.fromkeys(
    ("BiasGelu", "MatMulIntegerToFloat", "MultiHeadAttention"), "com.microsoft"
)


class _Graph(Graph):
    """A graph that knows whether its matrix products run on int8."""

    def __init__(self, *, quantised: bool) -> None:
        super().__init__(_CONTRIBUTED)
        self.quantised = quantised
