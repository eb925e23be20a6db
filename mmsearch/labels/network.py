"""EfficientNet-Lite0 as an ONNX graph, written from its published weights.

The graph takes a picture and says how sure it is of each of the 1000 classes of ImageNet:

    picture (n, 224, 224, 3) uint8, RGB  ->  probabilities (n, 1000) float32, rows that add up to 1

Batch normalisations are folded into the convolutions before them.

Network: Tan & Le 2019, EfficientNet, arXiv:1905.11946, in its Lite form: no squeeze-and-excitation,
ReLU6 for swish, and stem and head that do not grow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmsearch.labels.torch_file import read_tensors
from mmsearch.onnx_file import TYPES, Graph

Array = NDArray[Any]

SIDE = 224  # pixels of the picture
CLASSES = 1000
GRAPH_VERSION = 1  # another graph is another file in the cache
_MEAN, _SCALE = 127.0, 128.0  # of what the network was trained on
_EPSILON = 1e-3  # of the batch normalisations


class _Block(NamedTuple):
    kernel: int
    stride: int
    expands: bool
    keeps: bool  # its input is added to its output


def _blocks() -> Iterator[_Block]:
    # repeats, kernel, stride, whether it expands
    stages = (
        *((1, 3, 1, False), (2, 3, 2, True), (2, 5, 2, True), (3, 3, 2, True)),
        *((3, 5, 1, True), (4, 5, 2, True), (1, 3, 1, True)),
    )
    for repeats, kernel, stride, expands in stages:
        yield _Block(kernel, stride, expands, keeps=False)
        for _ in range(repeats - 1):
            yield _Block(kernel, 1, expands, keeps=True)


def build(weights_file: Path) -> bytes:
    """Make the graph from the published file; an ONNX model of 19 MB.

    Raises:
        UnusableModel: the file holds no tensors.
    """
    return write(read_tensors(weights_file))


def write(weights: Mapping[str, Array]) -> bytes:
    """Write the network as an ONNX model; the weights are arrays by their published names."""
    graph = Graph()
    value = graph.add("Cast", "picture", to=TYPES["float32"])
    value = graph.add("Transpose", value, perm=(0, 3, 1, 2))
    value = graph.add("Sub", value, graph.constant(np.float32(_MEAN)))
    value = graph.add("Mul", value, graph.constant(np.float32(1 / _SCALE)))
    layer = _Layers(graph, weights, SIDE)
    value = layer.add(value, "_conv_stem", "_bn0", stride=2)
    for number, block in enumerate(_blocks()):
        name, before = f"_blocks.{number}.", value
        if block.expands:
            value = layer.add(value, f"{name}_expand_conv", f"{name}_bn0")
        value = layer.add(value, f"{name}_depthwise_conv", f"{name}_bn1", stride=block.stride)
        value = layer.add(value, f"{name}_project_conv", f"{name}_bn2", linear=True)
        value = graph.add("Add", value, before) if block.keeps else value
    value = layer.add(value, "_conv_head", "_bn1")
    value = graph.add("Flatten", graph.add("GlobalAveragePool", value))
    last = [graph.constant(weights[f"_fc.{part}"]) for part in ("weight", "bias")]
    made = graph.add("Softmax", graph.add("Gemm", value, *last, transB=1))
    return graph.model(
        "efficientnet-lite0",
        ("picture", "uint8", ("n", SIDE, SIDE, 3)),
        (made, "float32", ("n", CLASSES)),
    )


def session(model: str | bytes) -> Any:
    """An ONNX Runtime session of one thread over a model's path or content."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # pictures run side by side instead
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class _Layers:
    """Adds convolutions to a graph; knows how large the picture still is."""

    def __init__(self, graph: Graph, weights: Mapping[str, Array], side: int) -> None:
        self._graph = graph
        self._weights = weights
        self._side = side

    def add(
        self, value: str, name: str, norm: str, *, stride: int = 1, linear: bool = False
    ) -> str:
        """A convolution, its normalisation and, unless it is `linear`, ReLU6."""
        kernels = self._weights[f"{name}.weight"]
        size = kernels.shape[-1]
        scale, shift = self._folded(norm)
        out = -(-self._side // stride)
        # As TensorFlow pads: where the two sides cannot be equal, the last one gets more.
        missing = max((out - 1) * stride + size - self._side, 0)
        first, last = missing // 2, missing - missing // 2
        self._side = out
        value = self._graph.add(
            "Conv",
            value,
            self._graph.constant(kernels * scale[:, None, None, None]),
            self._graph.constant(shift),
            group=len(kernels) if kernels.shape[1] == 1 else 1,
            kernel_shape=(size, size),
            pads=(first, first, last, last),
            strides=(stride, stride),
        )
        if linear:
            return value
        low, high = (self._graph.constant(np.float32(bound)) for bound in (0, 6))
        return self._graph.add("Clip", value, low, high)

    def _folded(self, norm: str) -> tuple[Array, Array]:
        """A batch normalisation as factor and summand of each channel."""
        weight, bias, mean, variance = (
            self._weights[f"{norm}.{part}"]
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = weight / np.sqrt(variance + np.float32(_EPSILON))
        return scale, bias - mean * scale
