"""Last hidden states of many inputs: by prompts, exactly, or by pictures of one shape, fast."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from mmsearch.errors import LimitExceeded, UnreadableFile
from mmsearch.images import open_image
from mmsearch.qwen3_vl import batches, pictures
from mmsearch.qwen3_vl.inputs import Prompt

if TYPE_CHECKING:
    import torch

    from mmsearch.qwen3_vl.fast import Fast, Prefix
    from mmsearch.qwen3_vl.model import Model
    from mmsearch.types import Float32

_PROMPTS = 64  # whose pixels are in memory at once
_DECODERS = 8
_BATCHES_AHEAD = 3  # decoded while one is computed
_ON_ITS_SIDE = 5  # EXIF orientations from here on swap width and height


class _Shape(NamedTuple):
    """Width and height of a picture as it is, and as the model sees it."""

    given: tuple[int, int]
    seen: tuple[int, int]


def of_prompts(
    model: Model, makers: Sequence[Callable[[], Prompt]]
) -> list[Float32 | UnreadableFile]:
    """Compute prompts as the library does, in batches of like length.

    Args:
        makers: make the prompts; called from several threads, a few ahead of the model.

    Returns:
        (width,) float32 each, in order; the error of one that cannot be made or is too much.
    """
    results: list[Float32 | UnreadableFile] = []
    waiting = iter(makers)
    with ThreadPoolExecutor(_DECODERS) as pool:
        while chunk := list(islice(waiting, _PROMPTS)):
            made = list(pool.map(_made, chunk))
            results += _computed(model, made)
    return results


def of_pictures(
    fast: Fast,
    jpegs: Sequence[bytes],
    tokens: int,
    before: Sequence[int],
    after: Sequence[int],
    *,
    prefix: Prefix | None = None,
) -> list[Float32 | UnreadableFile]:
    """Compute pictures that stand between the same tokens, in batches of one shape.

    Pictures are decoded while others are computed, and go to the device as they are.

    Args:
        tokens: the most that a picture may take.
        prefix: what stands before `before`, where that is computed already.

    Returns:
        (width,) float32 each, in order; the error of one that cannot be read or is too much.
    """
    import torch

    results: dict[int, Float32 | UnreadableFile] = {}
    shapes: dict[_Shape, list[int]] = {}
    for number, jpeg in enumerate(jpegs):
        try:
            shapes.setdefault(_shape(jpeg, tokens), []).append(number)
        except UnreadableFile as error:
            results[number] = error

    def compute(shape: _Shape, part: list[tuple[int, NDArray[np.uint8]]]) -> list[torch.Tensor]:
        seen = fast.see(_on_device(fast.device, [pixels for _, pixels in part], shape.seen))
        return list(fast.last_states([before, seen, after], prefix=prefix))

    states: list[tuple[int, torch.Tensor]] = []
    with ThreadPoolExecutor(_DECODERS) as pool:
        for shape, batch in _ahead(pool, jpegs, shapes, fast):
            whole = []
            for number, future in batch:
                try:
                    whole.append((number, future.result()))
                except UnreadableFile as error:
                    results[number] = error
            rows = batches.halving(partial(compute, shape), whole) if whole else []
            for (number, _), row in zip(whole, rows, strict=True):
                if isinstance(row, LimitExceeded):
                    results[number] = row
                else:
                    states.append((number, row))
    if states:  # only now is the device waited for
        rows_ = torch.stack([state for _, state in states]).cpu().numpy()
        results |= dict(zip((number for number, _ in states), rows_, strict=True))
    return [results[number] for number in range(len(jpegs))]


def _made(maker: Callable[[], Prompt]) -> Prompt | UnreadableFile:
    try:
        return maker()
    except UnreadableFile as error:
        return error


def _computed(
    model: Model, made: Sequence[Prompt | UnreadableFile]
) -> list[Float32 | UnreadableFile]:
    results: dict[int, Float32 | UnreadableFile] = {}
    whole: list[tuple[int, Prompt]] = []
    for number, prompt in enumerate(made):
        if isinstance(prompt, UnreadableFile):
            results[number] = prompt
        else:
            whole.append((number, prompt))

    def compute(part: list[tuple[int, Prompt]]) -> list[Float32]:
        return list(model.last_states([prompt for _, prompt in part]).cpu().numpy())

    for places in batches.by_length([len(prompt) for _, prompt in whole], model.batch_tokens):
        batch = [whole[place] for place in places]
        rows = batches.halving(compute, batch)
        results |= {number: row for (number, _), row in zip(batch, rows, strict=True)}
    return [results[number] for number in range(len(made))]


def _ahead(
    pool: ThreadPoolExecutor,
    jpegs: Sequence[bytes],
    shapes: Mapping[_Shape, list[int]],
    fast: Fast,
) -> Iterator[tuple[_Shape, list[tuple[int, Future[NDArray[np.uint8]]]]]]:
    """Batches of one shape with their pictures; the next few are being decoded meanwhile."""
    waiting: deque[tuple[_Shape, list[tuple[int, Future[NDArray[np.uint8]]]]]] = deque()
    for shape, numbers in shapes.items():
        # A GPU resizes in no time; without one Pillow does, exactly as published.
        resized = shape.seen if fast.device.type == "cpu" else None
        tokens = shape.seen[0] * shape.seen[1] // pictures.PIXELS_PER_TOKEN + 32
        for part in batches.in_powers(numbers, fast.batch_tokens // tokens):
            waiting.append((shape, [(n, pool.submit(_decoded, jpegs[n], resized)) for n in part]))
            if len(waiting) > _BATCHES_AHEAD:
                yield waiting.popleft()
    yield from waiting


def _shape(jpeg: bytes, tokens: int) -> _Shape:
    """The size of a picture, by its header alone, and the one that the model sees."""
    try:
        with Image.open(io.BytesIO(jpeg), formats=("JPEG", "PNG", "WEBP")) as image:
            turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= _ON_ITS_SIDE
            given = image.size[::-1] if turned else image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadableFile(f"page picture: damaged ({error}); ingest its file again") from error
    return _Shape(given, pictures.size(*given, tokens))


def _decoded(jpeg: bytes, seen: tuple[int, int] | None) -> NDArray[np.uint8]:
    """The pixels, brought to a size where one is given."""
    image = open_image(jpeg)
    if seen and seen != image.size:
        image = image.resize(seen)
    return np.asarray(image, np.uint8)


def _on_device(
    device: torch.device, arrays: list[NDArray[np.uint8]], seen: tuple[int, int]
) -> torch.Tensor:
    """(n, height, width, 3) uint8 on the device, brought there to the size the model sees.

    Source: bicubic with antialiasing, as Pillow's, but for its rounding between two passes.
    """
    import torch
    from torch.nn import functional

    stacked = torch.from_numpy(np.stack(arrays))
    if device.type == "cuda":
        stacked = stacked.pin_memory()
    pixels = stacked.to(device, non_blocking=True)
    width, height = seen
    if pixels.shape[1:3] == (height, width):
        return pixels
    planes = pixels.permute(0, 3, 1, 2).float()
    resized = functional.interpolate(planes, (height, width), mode="bicubic", antialias=True)
    return resized.round_().clamp_(0, 255).byte().permute(0, 2, 3, 1)
