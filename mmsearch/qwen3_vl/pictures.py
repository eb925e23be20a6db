"""The geometry of Qwen3-VL: which size a picture is brought to, and how it is cut into patches.

A token stands for 32 x 32 pixels: 2 x 2 patches of 16 x 16, and in a video for a pair of frames.
Resizing is Pillow's bicubic, as in the published scripts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmsearch.errors import UnreadableFile
from mmsearch.images import open_image

if TYPE_CHECKING:
    import torch

PATCH = 16  # pixels of a patch's side
MERGE = 2  # patches of a token's side
FACTOR = PATCH * MERGE
PIXELS_PER_TOKEN = FACTOR * FACTOR
MIN_TOKENS = 4
MAX_TOKENS = 1800
FRAMES = 64  # of a video, at most
FRAME_TOKENS = range(128, 769)  # of a pair of frames
VIDEO_TOKENS = 7680  # of a whole video
FRAMES_A_SECOND = 1.0
_LISTED_FRAMES_A_SECOND = 2.0  # what the published scripts take a list of frames for

Picture = Image.Image | bytes | Path | str  # a string is a path


@dataclass(frozen=True, slots=True)
class Media:
    """A picture or video as the model sees it.

    `pixels` is (frames, height, width, 3) uint8, with sides in multiples of 32 and one frame, or
    for a video an even number of them. `seconds` is the time of each frame of a video.
    """

    pixels: NDArray[np.uint8]
    seconds: tuple[float, ...] = ()

    @property
    def grid(self) -> tuple[int, int, int]:
        """Patches in time, height and width."""
        frames, height, width, _ = self.pixels.shape
        return (frames + 1) // 2, height // PATCH, width // PATCH

    @property
    def tokens(self) -> int:
        """How many tokens it takes."""
        time, height, width = self.grid
        return time * height * width // MERGE**2


def size(width: int, height: int, tokens: int) -> tuple[int, int]:
    """The width and height that the published geometry gives a picture.

    Args:
        width, height: in pixels.
        tokens: the most that it may take.

    Raises:
        UnreadableFile: one side is more than 200 times the other.
    """
    from qwen_vl_utils.vision_process import smart_resize

    try:
        tall, wide = smart_resize(
            height,
            width,
            factor=FACTOR,
            min_pixels=MIN_TOKENS * PIXELS_PER_TOKEN,
            max_pixels=max(tokens, MIN_TOKENS) * PIXELS_PER_TOKEN,
        )
    except (ValueError, ZeroDivisionError):
        raise UnreadableFile(
            f"image of {width} x {height} pixels: a side is more than 200 times the other; crop it"
        ) from None
    # A side that is lifted to 32 pixels can push a long strip over the budget, or down to nothing.
    wide, tall = max(wide, FACTOR), max(tall, FACTOR)
    while wide * tall > max(tokens, MIN_TOKENS) * PIXELS_PER_TOKEN:
        wide, tall = (wide - FACTOR, tall) if wide > tall else (wide, tall - FACTOR)
    return wide, tall


def opened(picture: Picture) -> Image.Image:
    """The decoded RGB image, upright, transparency on white.

    Raises:
        UnreadableFile: it is no image, or damaged.
    """
    if not isinstance(picture, Image.Image):
        return open_image(Path(picture) if isinstance(picture, str) else picture)
    try:
        picture.load()  # Pillow opens a file and decodes it later
    except (OSError, ValueError, SyntaxError) as error:
        raise UnreadableFile(f"image: damaged ({error}); give a whole one") from error
    return picture if picture.mode == "RGB" else _on_white(picture)


def image(picture: Picture, tokens: int = MAX_TOKENS) -> Media:
    """Bring an image to the size that the model sees.

    Raises:
        UnreadableFile: it is no image, damaged, or far too long.
    """
    opened_ = opened(picture)
    return Media(_array(opened_.resize(size(*opened_.size, tokens)))[None])


def frames(
    pictures: Sequence[Picture],
    seconds: Sequence[float] | None = None,
    *,
    tokens: int = VIDEO_TOKENS,
) -> Media:
    """Bring the frames of a video to the size that the model sees.

    All take the size that suits the first one; an odd one at the end is doubled; of more than 64,
    64 are taken evenly.

    Args:
        seconds: the time of each frame; by default two frames a second, as the published scripts
            take a list for.
        tokens: the most that the whole video may take.

    Raises:
        UnreadableFile: a frame is no image or damaged, or there is none.
    """
    taken, times = _sampled(pictures, seconds)
    images = [opened(picture) for picture in taken]
    most = max(2 * tokens // len(images), MIN_TOKENS)
    width, height = _frame_size(*images[0].size, most)
    return Media(np.stack([_array(i.resize((width, height))) for i in images]), times)


def published_frames(pictures: Sequence[Picture], *, tokens: int = VIDEO_TOKENS) -> Media:
    """The frames as the published scripts see them, their detour over multiples of 64 included.

    Source: `fetch_video` of qwen-vl-utils 0.0.14 as called by QwenLM/Qwen3-VL-Embedding.

    Raises:
        UnreadableFile: a frame is no image or damaged, frames differ in size, or there is none.
    """
    from qwen_vl_utils.vision_process import fetch_video

    taken, times = _sampled(pictures, None)
    listed = {
        "video": [opened(picture) for picture in taken],
        "total_pixels": tokens * PIXELS_PER_TOKEN,
    }
    try:
        video = fetch_video(listed, image_patch_size=PATCH)
    except (RuntimeError, ValueError) as error:
        cause = " ".join(str(error).split())[:200]
        raise UnreadableFile(
            f"frames: cannot become a video ({cause}); give equal sizes"
        ) from error
    pixels = video.permute(0, 2, 3, 1).round().clamp(0, 255).byte().numpy()
    return Media(pixels, times)


def video(path: Path | str | bytes, *, tokens: int = VIDEO_TOKENS) -> Media:
    """Decode a video file, one frame a second, and bring the frames to the size the model sees.

    Raises:
        UnreadableFile: it is no video, or damaged.
    """
    from mmsearch.video import frames as decoded

    source = Path(path) if isinstance(path, str) else path
    found = decoded(source, fps=FRAMES_A_SECOND, max_frames=FRAMES)
    return frames([f.image for f in found], [f.seconds for f in found], tokens=tokens)


def patches(pixels: torch.Tensor) -> torch.Tensor:
    """Cut pictures of one size into the rows that the vision tower takes.

    Args:
        pixels: (n, frames, 3, height, width), integers from 0 to 255 of any type, with one frame
            or an even number.

    Returns:
        (n, patches, 1536) float32 in [-1, 1], the four patches of a token side by side.
    """
    import torch

    n, count, _, height, width = pixels.shape
    values = (pixels.to(torch.float32) - 127.5) / 127.5
    if count == 1:
        values = values.expand(n, 2, 3, height, width)
        count = 2
    tall, wide = height // PATCH, width // PATCH
    cut = values.reshape(
        n, count // 2, 2, 3, tall // MERGE, MERGE, PATCH, wide // MERGE, MERGE, PATCH
    )
    ordered = cut.permute(0, 1, 4, 7, 5, 8, 3, 2, 6, 9)
    return ordered.reshape(n, (count // 2) * tall * wide, 3 * 2 * PATCH * PATCH)


def _sampled(
    pictures: Sequence[Picture], seconds: Sequence[float] | None
) -> tuple[list[Picture], tuple[float, ...]]:
    """At most 64 frames and an even number, with the time of each."""
    if not pictures:
        raise UnreadableFile("video: has no frame; give at least one")
    taken = list(pictures)
    times = list(seconds) if seconds is not None else []
    if times and len(times) != len(taken):
        raise UnreadableFile(
            f"video: {len(taken)} frames and {len(times)} times; give a time for each frame"
        )
    if len(taken) > FRAMES:
        chosen = np.linspace(0, len(taken) - 1, FRAMES, dtype=int).tolist()
        taken = [taken[number] for number in chosen]
        times = [times[number] for number in chosen] if times else []
    if len(taken) % 2:
        taken.append(taken[-1])
        times += times[-1:]
    return taken, tuple(times) or tuple(n / _LISTED_FRAMES_A_SECOND for n in range(len(taken)))


def _frame_size(width: int, height: int, most: int) -> tuple[int, int]:
    """A frame's size: as large as it is, within what a pair of frames may take."""
    wide, tall = size(width, height, min(FRAME_TOKENS[-1], most))
    least = min(FRAME_TOKENS[0], most)
    if wide * tall < least * PIXELS_PER_TOKEN:
        # Small frames are enlarged: the model knows none of so few tokens.
        grow = (least * PIXELS_PER_TOKEN / (width * height)) ** 0.5
        wide, tall = size(round(width * grow), round(height * grow), most)
    return wide, tall


def _on_white(picture: Image.Image) -> Image.Image:
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layered = picture.convert("RGBA")
    page = Image.new("RGB", layered.size, "white")
    page.paste(layered, mask=layered.getchannel("A"))
    return page


def _array(picture: Image.Image) -> NDArray[Any]:
    return np.asarray(picture, np.uint8)
