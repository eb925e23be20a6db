"""Writes ONNX models: nodes and constants of a graph, as a protobuf message.

An ONNX file needs few of protobuf's fields, so they are written by hand and the `onnx` package is
not needed. Field numbers: onnx.proto3 of ONNX 1.17.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_OPERATORS = 18  # version of the operators, and of the file format
_FORMAT = 9
# Of tensors, by NumPy's name, and their numbers in the format.
TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int64": 7, "float16": 10}

Shape = Sequence[int | str]  # a size that is known only when the model runs has a name


class Graph:
    """An ONNX graph in the making; values are known by name.

    Args:
        domains: operators that are not ONNX's own, and the domain of each.
    """

    def __init__(self, domains: Mapping[str, str] | None = None) -> None:
        self._domains = domains or {}
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []

    def constant(self, array: Any) -> str:
        """Keep an array in the graph."""
        array = np.asarray(array)
        name = f"constant{len(self._constants)}"
        dims = b"".join(_field(1, size) for size in array.shape)
        kind = _field(2, TYPES[array.dtype.name])
        self._constants.append(dims + kind + _field(8, name) + _field(9, array.tobytes()))
        return name

    def add(self, kind: str, *inputs: str, **attributes: float | Sequence[int]) -> str:
        """Apply an operator of one output; the output's name."""
        return self.add_many(1, kind, *inputs, **attributes)[0]

    def add_many(
        self, outputs: int, kind: str, *inputs: str, **attributes: float | Sequence[int]
    ) -> list[str]:
        """Apply an operator; the names of its outputs."""
        names = [f"value{len(self._nodes)}.{number}" for number in range(outputs)]
        node = b"".join(_field(1, name) for name in inputs)
        node += b"".join(_field(2, name) for name in names)
        node += _field(3, names[0]) + _field(4, kind)
        node += b"".join(_field(5, _attribute(*item)) for item in attributes.items())
        node += _field(7, self._domains.get(kind, ""))
        self._nodes.append(node)
        return names

    def model(
        self, name: str, given: tuple[str, str, Shape], made: tuple[str, str, Shape]
    ) -> bytes:
        """The whole file: a graph from one value to another, each by name, type and shape."""
        graph = b"".join(_field(1, node) for node in self._nodes) + _field(2, name)
        graph += b"".join(_field(5, constant) for constant in self._constants)
        graph += _field(11, _value(*given)) + _field(12, _value(*made))
        versions = [("", _OPERATORS), *((domain, 1) for domain in {*self._domains.values()})]
        operators = [_field(1, domain) + _field(2, version) for domain, version in versions]
        return (
            _field(1, _FORMAT)
            + _field(2, "mmsearch")
            + _field(7, graph)
            + b"".join(_field(8, entry) for entry in operators)
        )


def _attribute(name: str, value: float | Sequence[int]) -> bytes:
    if isinstance(value, int):
        return _field(1, name) + _field(3, value) + _field(20, 2)
    if isinstance(value, float):
        return _field(1, name) + _varint(2 << 3 | 5) + struct.pack("<f", value) + _field(20, 1)
    return _field(1, name) + b"".join(_field(8, number) for number in value) + _field(20, 7)


def _value(name: str, kind: str, shape: Shape) -> bytes:
    sizes = [_field(1, _field(1 if isinstance(size, int) else 2, size)) for size in shape]
    tensor = _field(1, TYPES[kind]) + _field(2, b"".join(sizes))
    return _field(1, name) + _field(2, _field(1, tensor))


def _field(number: int, value: int | str | bytes) -> bytes:
    """A protobuf field: a number as varint, anything else with its length before it."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # negative numbers are written as two's complement
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
