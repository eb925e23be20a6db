"""What is computed together, and what happens where the memory does not suffice."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
import torch

from mmsearch.errors import LimitExceeded
from mmsearch.qwen3_vl.batches import by_length, halving, in_powers


def tenfold(most: int, sizes: list[int] | None = None):
    """Computes up to `most` inputs at once; notes how many it was asked for."""

    def compute(batch: list[int]) -> list[int]:
        if sizes is not None:
            sizes.append(len(batch))
        if len(batch) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [10 * value for value in batch]

    return compute


@pytest.mark.parametrize("budget", [1, 64, 1000, 10**6])
def test_every_input_is_in_one_batch_within_the_budget_the_longest_first(budget: int) -> None:
    lengths = random.Random(0).choices(range(1, 400), k=200)
    batches = [*by_length(lengths, budget)]
    assert sorted(number for batch in batches for number in batch) == [*range(200)]
    order = [lengths[number] for batch in batches for number in batch]
    assert order == sorted(lengths, reverse=True)
    for batch in batches:
        padded = max(lengths[number] for number in batch) * len(batch)
        assert padded <= budget or len(batch) == 1
    # No batch has room for the next input.
    for batch, following in pairwise(batches):
        assert lengths[batch[0]] * (len(batch) + 1) > budget
        assert following


def test_no_inputs_make_no_batch() -> None:
    assert [*by_length([], 100)] == []


def test_inputs_of_one_length_keep_their_order() -> None:
    assert [*by_length([5, 5, 5, 5, 5], 10)] == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize("most", [1, 2, 3, 5, 16, 100])
def test_a_batch_that_is_too_much_is_computed_in_parts_and_in_order(most: int) -> None:
    assert halving(tenfold(most), [*range(17)]) == [10 * value for value in range(17)]


def test_what_fits_is_computed_at_once() -> None:
    sizes: list[int] = []
    halving(tenfold(8, sizes), [*range(8)])
    assert sizes == [8]


def test_an_input_that_is_too_much_by_itself_fails_alone() -> None:
    def compute(batch: list[int]) -> list[int]:
        if 7 in batch:
            raise torch.OutOfMemoryError
        return batch

    *before, error, after = halving(compute, [1, 2, 3, 7, 4])
    assert [*before, after] == [1, 2, 3, 4]
    assert isinstance(error, LimitExceeded)
    assert "tokens_per_page" in str(error) and "\n" not in str(error)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
    ],
)
def test_every_device_says_in_its_own_way_that_memory_is_out(error: Exception) -> None:
    def compute(batch: list[int]) -> list[int]:
        if len(batch) > 1:
            raise error
        return batch

    assert halving(compute, [1, 2, 3]) == [1, 2, 3]


@pytest.mark.parametrize("kind", [RuntimeError, ValueError, KeyError])
def test_any_other_error_is_raised_through(kind: type[Exception]) -> None:
    def compute(batch: list[int]) -> list[int]:
        raise kind("shapes differ")

    with pytest.raises(kind, match="shapes differ"):
        halving(compute, [1, 2])


@pytest.mark.parametrize(
    ("count", "most", "sizes"),
    [(20, 12, [8, 8, 4]), (7, 8, [4, 2, 1]), (3, 0, [1, 1, 1]), (0, 4, []), (64, 64, [64])],
)
def test_batches_of_few_sizes_hold_every_number_once(
    count: int, most: int, sizes: list[int]
) -> None:
    parts = list(in_powers(range(count), most))
    assert [len(part) for part in parts] == sizes
    assert [number for part in parts for number in part] == list(range(count))
