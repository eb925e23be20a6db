"""Sizes, transparency, orientation and frames, against the published geometry."""

from __future__ import annotations

import io
import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from qwen_vl_utils.vision_process import smart_resize

from mmsearch.errors import UnreadableFile
from mmsearch.qwen3_vl import pictures
from mmsearch.qwen3_vl.pictures import Media
from tests import videos
from tests.builders import write_turned_jpeg


def plain(width: int, height: int, colour: object = "navy") -> Image.Image:
    return Image.new("RGB", (width, height), colour)


def squares(width: int, height: int) -> Image.Image:
    """Red on the left, blue on the right, a green bar on top."""
    picture = plain(width, height, "red")
    picture.paste("blue", (width // 2, 0, width, height))
    picture.paste("lime", (0, 0, width, height // 4))
    return picture


@pytest.mark.parametrize("tokens", [4, 64, 256, 1280, 1800])
def test_sizes_are_those_of_the_published_library(tokens: int) -> None:
    rng = random.Random(tokens)
    for _ in range(200):
        width, height = (int(rng.lognormvariate(6, 1.2)) + 1 for _ in range(2))
        if max(width, height) / min(width, height) > 3:
            continue
        tall, wide = smart_resize(
            height, width, factor=32, min_pixels=4096, max_pixels=tokens * 1024
        )
        ours = pictures.size(width, height, tokens)
        if wide * tall <= tokens * 1024:
            assert ours == (wide, tall), (width, height)
        assert ours[0] * ours[1] <= tokens * 1024


@pytest.mark.parametrize(
    ("given", "seen"),
    [((595, 842), (608, 832)), ((1240, 1754), (1120, 1600)), ((1920, 1080), (1792, 992))],
)
def test_pages_and_screens_have_the_documented_size(
    given: tuple[int, int], seen: tuple[int, int]
) -> None:
    assert pictures.size(*given, 1800) == seen


@pytest.mark.parametrize("given", [(200, 1), (1, 200), (20_000, 100), (100, 20_000), (31, 6000)])
def test_a_strip_of_up_to_200_to_1_stays_within_the_budget(given: tuple[int, int]) -> None:
    for tokens in (4, 16, 50, 1800):
        width, height = pictures.size(*given, tokens)
        assert width % 32 == height % 32 == 0
        assert 0 < width * height <= tokens * 1024


@pytest.mark.parametrize("given", [(201, 1), (1, 201), (20_001, 100), (0, 0), (0, 5)])
def test_a_longer_strip_and_an_empty_image_are_unreadable(given: tuple[int, int]) -> None:
    with pytest.raises(UnreadableFile) as error:
        pictures.image(Image.new("RGB", given))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "PA"])
@pytest.mark.parametrize("saved", [False, True])
def test_transparency_of_every_kind_is_on_white(mode: str, saved: bool) -> None:
    clear = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    clear.paste((0, 0, 0, 255), (32, 0, 64, 64))
    picture: Image.Image | bytes
    if mode == "P":
        picture = Image.new("P", (64, 64), 0)
        picture.putpalette([0, 0, 0, 0, 0, 0])
        picture.paste(1, (32, 0, 64, 64))
        picture.info["transparency"] = 0
    elif mode == "PA":
        picture = Image.new("P", (64, 64), 0).convert("PA")
        picture.putpalette([0, 0, 0], "RGB")
        picture.putalpha(clear.getchannel("A"))
    else:
        picture = clear.convert(mode)
    if saved:
        buffer = io.BytesIO()
        (picture.convert("RGBA") if mode == "PA" else picture).save(buffer, "PNG")
        picture = buffer.getvalue()
    pixels = pictures.image(picture).pixels[0]
    assert pixels[32, 4].tolist() == [255, 255, 255]
    assert pixels[32, 60].tolist() == [0, 0, 0]


@pytest.mark.parametrize("mode", ["1", "L", "CMYK", "YCbCr", "HSV"])
def test_an_image_of_any_mode_becomes_rgb(mode: str) -> None:
    assert pictures.image(plain(64, 64).convert(mode)).pixels.shape == (1, 64, 64, 3)


def test_a_photo_taken_sideways_is_upright_where_the_published_scripts_leave_it(
    tmp_path: Path,
) -> None:
    from qwen_vl_utils.vision_process import fetch_image

    upright = squares(96, 160)
    path = write_turned_jpeg(tmp_path / "photo.jpg", upright)
    wanted = pictures.image(upright).pixels.astype(int)
    for picture in (path, path.read_bytes()):
        ours = pictures.image(picture).pixels.astype(int)
        assert ours.shape == wanted.shape
        assert np.abs(ours - wanted).mean() < 4
    assert fetch_image({"image": str(path)}, image_patch_size=16).size == (160, 96)


def test_a_picture_that_ends_too_early_is_unreadable_however_it_is_given(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.effect_noise((200, 200), 90).convert("RGB").save(buffer, "PNG")
    short = buffer.getvalue()[:2000]
    path = tmp_path / "short.png"
    path.write_bytes(short)
    for picture in (short, path, Image.open(path)):
        with pytest.raises(UnreadableFile) as error:
            pictures.image(picture)
        assert "\n" not in str(error.value)


def test_an_image_has_one_frame_and_a_token_for_32_by_32_pixels() -> None:
    media = pictures.image(plain(640, 320))
    assert media.grid == (1, 20, 40)
    assert media.tokens == 200


@pytest.mark.parametrize("frames", [1, 4])
def test_patches_are_those_of_the_librarys_processor(frames: int) -> None:
    from transformers import Qwen2VLImageProcessor

    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (frames, 64, 96, 3), np.uint8)
    ours = pictures.patches(torch.from_numpy(pixels).permute(0, 3, 1, 2)[None])[0]
    assert ours.shape == (max(frames // 2, 1) * 4 * 6, 1536)
    if frames == 1:
        processor = Qwen2VLImageProcessor(
            patch_size=16, image_mean=[0.5] * 3, image_std=[0.5] * 3, do_resize=False
        )
        theirs = processor([Image.fromarray(pixels[0])], return_tensors="pt")["pixel_values"]
        assert torch.allclose(ours, theirs.float(), atol=1e-6)
    else:
        values = ours.view(2, 2, 3, 2, 2, 3, 2, 16, 16)  # time, tokens, patches, RGB, pair
        first = torch.from_numpy(pixels[2, :16, :16]).permute(2, 0, 1) / 127.5 - 1
        assert torch.allclose(values[1, 0, 0, 0, 0, :, 0], first, atol=1e-6)


def test_frames_of_unequal_size_take_the_size_that_suits_the_first() -> None:
    media = pictures.frames([plain(640, 480), plain(100, 300), plain(1000, 1000), plain(33, 32)])
    assert media.pixels.shape[1:3] == pictures.frames([plain(640, 480)]).pixels.shape[1:3]
    assert len(media.pixels) == 4


def test_frames_of_unequal_size_are_unreadable_as_published() -> None:
    with pytest.raises(UnreadableFile) as error:
        pictures.published_frames([plain(640, 480), plain(100, 300)])
    assert "equal sizes" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("make", [pictures.frames, pictures.published_frames])
def test_an_odd_frame_at_the_end_is_doubled(make: type[Media]) -> None:
    media = make([plain(256, 256, (40 * n, 0, 0)) for n in range(3)])
    assert [frame[0, 0, 0] for frame in media.pixels] == [0, 40, 80, 80]
    assert media.seconds == (0.0, 0.5, 1.0, 1.5)


def test_an_odd_frame_at_the_end_is_doubled_with_its_time() -> None:
    assert pictures.frames([plain(64, 64)] * 3, [0, 5, 9]).seconds == (0, 5, 9, 9)


def test_of_more_than_64_frames_64_are_taken_evenly() -> None:
    media = pictures.frames([plain(64, 64, (n, 0, 0)) for n in range(200)], [*range(200)])
    shown = [int(frame[0, 0, 0]) for frame in media.pixels]
    assert len(shown) == 64
    assert shown == list(media.seconds)
    assert (shown[0], shown[-1]) == (0, 199)
    assert {after - before for before, after in pairwise(shown)} == {3, 4}


@pytest.mark.parametrize("seconds", [[0, 1], [0, 1, 2, 3, 4]])
def test_times_that_are_not_one_a_frame_are_an_error_of_that_video(seconds: list[float]) -> None:
    with pytest.raises(UnreadableFile, match="time"):
        pictures.frames([plain(64, 64)] * 4, seconds)


@pytest.mark.parametrize("make", [pictures.frames, pictures.published_frames])
def test_a_video_without_a_frame_is_unreadable(make: type[Media]) -> None:
    with pytest.raises(UnreadableFile):
        make([])


def test_frames_keep_their_shape_where_the_published_scripts_squeeze_them() -> None:
    """Their detour over multiples of 64 is kept for exact computation alone."""
    given = [plain(864, 480)] * 8  # 27 x 15 tokens
    ours = pictures.frames(given).pixels.shape
    theirs = pictures.published_frames(given).pixels.shape
    assert (ours[2], ours[1]) == (864, 480)
    assert (theirs[2], theirs[1]) == (896, 512)


def test_frames_that_the_detour_does_not_touch_are_the_published_ones() -> None:
    given = [squares(640, 448), squares(640, 448).rotate(180)]
    ours, theirs = pictures.frames(given), pictures.published_frames(given)
    assert ours.seconds == theirs.seconds == (0.0, 0.5)
    assert np.array_equal(ours.pixels, theirs.pixels)


def test_a_list_of_frames_is_two_a_second_as_published_unless_their_times_are_given() -> None:
    given = [plain(64, 64)] * 4
    assert pictures.frames(given).seconds == (0, 0.5, 1, 1.5)
    assert pictures.frames(given, [0, 10, 20, 30]).seconds == (0, 10, 20, 30)


@pytest.mark.parametrize("make", [pictures.frames, pictures.published_frames])
def test_small_frames_are_enlarged_to_128_tokens_a_pair_as_published(make: type[Media]) -> None:
    media = make([plain(64, 48)] * 4)
    assert 128 <= media.tokens / 2 <= 160


@pytest.mark.parametrize(("width", "height"), [(64, 48), (1024, 768), (1920, 1080), (48, 1000)])
@pytest.mark.parametrize("count", [1, 2, 22, 64])
def test_a_list_of_frames_takes_no_more_than_its_tokens(
    width: int, height: int, count: int
) -> None:
    for tokens in (7680, 2000, 128):
        assert pictures.frames([plain(width, height)] * count, tokens=tokens).tokens <= tokens


def test_a_video_file_is_decoded_without_the_decoders_that_the_published_scripts_need(
    tmp_path: Path,
) -> None:
    content = videos.video(8, rate=1)
    media = pictures.video(content)
    assert [videos.number(Image.fromarray(frame)) for frame in media.pixels] == [*range(8)]
    assert media.seconds == tuple(range(8))
    path = videos.write(tmp_path / "film.mp4", content)
    assert np.array_equal(pictures.video(path).pixels, media.pixels)


@pytest.mark.parametrize("count", [22, 64])
def test_a_long_and_large_video_file_fits_where_the_published_scripts_give_up(count: int) -> None:
    media = pictures.video(videos.video([plain(1024, 768)] * count, rate=1))
    assert len(media.pixels) == count
    assert media.tokens <= 7680


def test_what_is_no_video_is_unreadable() -> None:
    for content in (b"", b"no video", videos.sound()):
        with pytest.raises(UnreadableFile):
            pictures.video(content)
