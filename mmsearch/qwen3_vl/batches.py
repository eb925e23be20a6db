"""What is computed together: inputs of like length, as many as the memory takes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from mmsearch.errors import LimitExceeded

T = TypeVar("T")
R = TypeVar("R")

_log = logging.getLogger(__name__)


def by_length(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Numbers of inputs in batches, the longest first.

    Args:
        lengths: the tokens of each input.
        budget: the most tokens of a batch, padding counted; a longer input is a batch of its own.
    """
    batch: list[int] = []
    for number in sorted(range(len(lengths)), key=lambda n: -lengths[n]):
        if batch and lengths[batch[0]] * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


def in_powers(numbers: Sequence[int], most: int) -> Iterator[Sequence[int]]:
    """Numbers in order, in batches of 2**k: the largest that `most` allows, then smaller ones.

    So few sizes of batch ever occur, each of which may have to be compiled.
    """
    size = 1 << (max(most, 1).bit_length() - 1)
    start = 0
    while start < len(numbers):
        while size > len(numbers) - start:
            size //= 2
        yield numbers[start : start + size]
        start += size


def halving(compute: Callable[[list[T]], list[R]], batch: list[T]) -> list[R | LimitExceeded]:
    """Compute a batch; where the memory does not suffice, compute its halves.

    Returns:
        A result an input, in order; an error in place of one that is too much by itself.
    """
    try:
        return [*compute(batch)]
    except (RuntimeError, MemoryError) as error:
        if not _is_out_of_memory(error):
            raise
    # Outside of the handler, so that the tensors of the failed try are gone.
    _free()
    if len(batch) == 1:
        return [
            LimitExceeded(
                "input: takes more memory than the device has; "
                "lower tokens_per_page in the profile, or set dtype to bfloat16"
            )
        ]
    half = (len(batch) + 1) // 2
    _log.info("out of memory with %d inputs at once; going on with %d", len(batch), half)
    return halving(compute, batch[:half]) + halving(compute, batch[half:])


def _is_out_of_memory(error: Exception) -> bool:
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # The CPU's and Apple's allocators have no exception of their own.
    return "can't allocate memory" in str(error) or "out of memory" in str(error)


def _free() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()
