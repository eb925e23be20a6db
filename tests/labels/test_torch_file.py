"""Tensors of a PyTorch file are read as data, and nothing else of it is."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmsearch.errors import UnusableModel
from mmsearch.labels import torch_file
from mmsearch.labels.torch_file import read_tensors

MAGIC = 0x1950A86A20F9469CFC6C
SYSTEM = {"protocol_version": 1001, "little_endian": True}


class Named:
    """Pickled as a name of another package, which is not imported."""

    def __init__(self, module: str, name: str) -> None:
        self.line = f"c{module}\n{name}\n".encode()


class Tensor:
    """Pickled as PyTorch does: a storage by its key, and what of it is seen."""

    def __init__(
        self, key: str, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0
    ) -> None:
        self.key, self.shape, self.strides, self.offset = key, shape, strides, offset


class Pickler(pickle._Pickler):  # type: ignore[name-defined,misc]  # the one in Python
    """Writes the names and storages that stand for what is not here."""

    def __init__(self, file: Any, storages: Mapping[str, Any], kind: str) -> None:
        super().__init__(file, protocol=2)
        self._storages, self._kind = storages, kind

    def persistent_id(self, value: Any) -> Any:
        if isinstance(value, str) and value in self._storages:
            kind, length = Named("torch", self._kind), len(self._storages[value])
            return ("storage", kind, f"#{value}", "cpu", length, None)
        return None

    def save(self, value: Any, save_persistent_id: bool = True) -> None:
        if isinstance(value, Named):
            self.write(value.line)
        elif isinstance(value, Tensor):
            self.save(Named("torch._utils", "_rebuild_tensor_v2"))
            self.save((value.key, value.offset, value.shape, value.strides, False, OrderedDict()))
            self.write(pickle.REDUCE)
        else:
            super().save(value, save_persistent_id)


def write(
    path: Path, table: Any, storages: Mapping[str, Any], *, kind: str = "FloatStorage"
) -> Path:
    with path.open("wb") as file:
        for part in (MAGIC, 1001, SYSTEM):
            pickle.dump(part, file, protocol=2)
        Pickler(file, storages, kind).dump(table)
        pickle.dump([f"#{key}" for key in storages], file, protocol=2)
        for numbers in storages.values():
            file.write(len(numbers).to_bytes(8, "little") + numbers.tobytes())
    return path


SIX = np.arange(6, dtype=np.float32)


def test_tensors_come_out_in_the_shape_that_they_were_seen_in(tmp_path: Path) -> None:
    table = OrderedDict(
        rows=Tensor("s1", (2, 3), (3, 1)), columns=Tensor("s1", (3, 2), (1, 3)),
        tail=Tensor("s1", (2,), (1,), offset=4), other=Tensor("s2", (), ()),
    )  # fmt: skip
    found = read_tensors(write(tmp_path / "a.pth", table, {"s1": SIX, "s2": np.float32([7])}))
    assert list(found) == ["rows", "columns", "tail", "other"]
    assert found["rows"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["columns"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert found["tail"].tolist() == [4, 5]
    assert found["other"] == 7
    assert not found["rows"].flags.writeable


@pytest.mark.parametrize(
    ("module", "name"),
    [("posix", "system"), ("builtins", "eval"), ("torch", "load"), ("collections", "Counter"),
     ("torch._utils", "_rebuild_tensor_v3"), ("mmsearch.models", "pull"), ("torch", "HalfStorage")],
)  # fmt: skip
def test_a_name_that_is_no_part_of_a_tensor_is_refused(
    tmp_path: Path, module: str, name: str
) -> None:
    path = write(tmp_path / "a.pth", {"a": Named(module, name)}, {})
    with pytest.raises(UnusableModel, match=rf"it names {module}\.{name}"):
        read_tensors(path)


def test_no_function_is_called_by_the_parts_around_the_table(tmp_path: Path) -> None:
    for before in ([], [MAGIC], [MAGIC, 1001], [MAGIC, 1001, SYSTEM, OrderedDict()]):
        path = tmp_path / "a.pth"
        with path.open("wb") as file:
            for part in before:
                pickle.dump(part, file, protocol=2)
            file.write(b"cos\nmkdir\n(X\x06\x00\x00\x00caughttR.")
        with pytest.raises(UnusableModel, match=r"it names os\.mkdir"):
            read_tensors(path)
    assert not Path("caught").exists()


@pytest.mark.parametrize(
    "tensor",
    [Tensor("s", (7,), (1,)), Tensor("s", (2, 3), (4, 1)), Tensor("s", (2,), (-1,), offset=3),
     Tensor("s", (1,), (1,), offset=6), Tensor("s", (1,), (1,), offset=-1),
     Tensor("s", (0,), (1,)), Tensor("s", (2, 2), (1,))],
)  # fmt: skip
def test_a_tensor_outside_its_storage_is_refused(tmp_path: Path, tensor: Tensor) -> None:
    with pytest.raises(UnusableModel):
        read_tensors(write(tmp_path / "a.pth", {"a": tensor}, {"s": SIX}))


def test_what_is_cut_short_or_no_such_file_is_one_line(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.pth", {"a": Tensor("s", (6,), (1,))}, {"s": SIX}).read_bytes()
    broken = tmp_path / "broken.pth"
    for content in (b"", b"PK\x03\x04" * 9, whole[:-1], whole[:40], b"\x80\x02]" * 9_999):
        broken.write_bytes(content)
        with pytest.raises(UnusableModel, match=r"broken\.pth: .*; run: mmsearch models") as caught:
            read_tensors(broken)
        assert "\n" not in str(caught.value)


def test_storages_larger_than_allowed_are_refused_before_they_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.pth", {"a": Tensor("s", (6,), (1,))}, {"s": SIX})
    monkeypatch.setattr(torch_file, "_MOST_BYTES", 23)
    with pytest.raises(UnusableModel, match="too large"):
        read_tensors(path)
