"""Reads the tensors of a PyTorch file as data, in the form that PyTorch wrote before version 1.6.

Such a file is a few pickles and then the numbers. A pickle may name any function and have it
called; here it may name those that a table of tensors is made of, and anything else is refused.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from mmsearch.errors import UnusableModel

Array = NDArray[Any]

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_TYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}
_MOST_BYTES = 1 << 30  # of all tensors


def read_tensors(path: Path) -> dict[str, Array]:
    """The tensors of a file, by name.

    Raises:
        UnusableModel: it is no such file, damaged, or names something that is no tensor.
        OSError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return _tensors(file)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # a pickle of a stranger: whatever is wrong with it, it is refused
        cause = " ".join(str(error).split())[:200] or type(error).__name__
        raise UnusableModel(
            f"{path}: is not a file of tensors ({cause}); run: mmsearch models pull lite"
        ) from error


class _Tensors(pickle.Unpickler):
    """Makes the table of tensors; their numbers come later."""

    def __init__(self, file: BinaryIO, storages: dict[str, Array]) -> None:
        super().__init__(file)
        self._storages = storages
        self._named: dict[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuilt,
            **{("torch", name): kind for name, kind in _TYPES.items()},
        }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._named:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return self._named[module, name]

    def persistent_load(self, key: Any) -> Array:
        _, kind, name, _, count, view = key
        if kind not in _TYPES.values() or view is not None or not isinstance(count, int):
            raise pickle.UnpicklingError(f"storage {name} is of another kind")
        if name not in self._storages:
            held = sum(storage.nbytes for storage in self._storages.values())
            if not 0 <= count * np.dtype(kind).itemsize <= _MOST_BYTES - held:
                raise pickle.UnpicklingError("its tensors are too large")
            self._storages[str(name)] = np.zeros(count, kind)
        return self._storages[name]


class _Plain(pickle.Unpickler):
    """Makes numbers, texts, lists and tables."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it names {module}.{name}")


def _tensors(file: BinaryIO) -> dict[str, Array]:
    if (_Plain(file).load(), _Plain(file).load()) != (_MAGIC, _PROTOCOL):
        raise pickle.UnpicklingError("it is of another form")
    if not _Plain(file).load()["little_endian"]:
        raise pickle.UnpicklingError("its numbers are big-endian")
    storages: dict[str, Array] = {}
    table = _Tensors(file, storages).load()
    for name in _Plain(file).load():
        storage = storages[name]
        if int.from_bytes(file.read(8), "little") != len(storage):
            raise pickle.UnpicklingError(f"storage {name} has another length")
        content = file.read(storage.nbytes)
        storage[:] = np.frombuffer(content, storage.dtype)  # ValueError where it was cut short
    return dict(table)


def _rebuilt(
    storage: Array, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
) -> Array:
    """A view of a storage; its numbers may come later."""
    last = offset + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
    inside = offset >= 0 and min(strides, default=0) >= 0 and last < len(storage)
    if not inside or min(shape, default=1) < 1:
        raise pickle.UnpicklingError("a tensor lies outside its storage")
    size = storage.itemsize
    return np.lib.stride_tricks.as_strided(
        storage[offset:], shape, [step * size for step in strides], writeable=False
    )
