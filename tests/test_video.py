"""Decoding untrusted video: which frames, when, and what is refused."""

from __future__ import annotations

import socket
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from mmsearch import video
from mmsearch.errors import LimitExceeded, UnreadableFile
from mmsearch.video import decoding, sampling
from tests import videos

KINDS = [  # container, codec, pixel format
    ("mp4", "libx264", "yuv420p"),
    ("mp4", "libx265", "yuv420p10le"),
    ("mov", "prores_ks", "yuv422p10le"),
    ("matroska", "libx264", "gray"),
    ("webm", "libvpx-vp9", "yuv420p"),
    ("avi", "mjpeg", "yuvj420p"),
    ("avi", "mpeg4", "yuv420p"),
    ("mpegts", "libx264", "yuv420p"),
    ("mpeg", "mpeg2video", "yuv420p"),
    ("flv", "flv", "yuv420p"),
    ("asf", "wmv2", "yuv420p"),
    ("h264", "libx264", "yuv420p"),  # a bare stream: no times, no length, no index
]
QUIET = {"x265-params": "log-level=none"}


def numbers(frames: list[video.Frame]) -> list[int]:
    return [videos.number(frame.image) for frame in frames]


@pytest.mark.parametrize(("container", "codec", "pixels"), KINDS)
def test_every_container_yields_the_frames_asked_for(
    container: str, codec: str, pixels: str
) -> None:
    options = QUIET if codec == "libx265" else {}
    content = videos.video(100, container=container, codec=codec, pixels=pixels, options=options)
    frames = video.frames(content, fps=2)
    assert numbers(frames) == [0, 14, 28, 42, 57, 71, 85, 99]
    assert [frame.seconds for frame in frames] == [number / 25 for number in numbers(frames)]
    assert {(frame.image.mode, frame.image.size) for frame in frames} == {("RGB", videos.SIZE)}


@pytest.mark.parametrize(("container", "codec", "pixels"), KINDS)
def test_frames_in_any_order(container: str, codec: str, pixels: str) -> None:
    options = QUIET if codec == "libx265" else {}
    content = videos.video(100, container=container, codec=codec, pixels=pixels, options=options)
    with video.open_video(content) as opened:
        assert (opened.count, opened.duration, opened.rate) == (100, 4.0, 25.0)
        order = [50, 51, 52, 99, 3, 3, 60, 0]
        assert numbers([opened.frame(index) for index in order]) == order
        with pytest.raises(IndexError, match="frame 100 of 100"):
            opened.frame(100)


@pytest.mark.parametrize(
    ("count", "rate", "options", "indices"),
    [
        (300, 30, {}, [0, 33, 66, 100, 133, 166, 199, 233, 266, 299]),
        (300, 25, {}, [0, 27, 54, 82, 109, 136, 163, 190, 217, 245, 272, 299]),
        (275, 25, {}, [0, 30, 61, 91, 122, 152, 183, 213, 244, 274]),  # 11 seconds: even, so 10
        (50, 25, {}, [0, 16, 33, 49]),  # never fewer than 4
        (5, 25, {}, [0, 1, 3, 4]),
        (3, 25, {}, [0, 2]),
        (2, 25, {}, [0, 1]),
        (1, 25, {}, [0]),
        (9000, 30, {"max_frames": 5}, [0, 3000, 5999, 8999]),
        (9000, 30, {"max_frames": 2}, [0, 8999]),
        (60, 30, {"fps": 3}, [0, 12, 24, 35, 47, 59]),
    ],
)
def test_sample(count: int, rate: float, options: dict[str, float], indices: list[int]) -> None:
    assert video.sample(count, rate, **options) == indices


def test_sample_equals_the_published_code() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    published = pytest.importorskip(
        "qwen_vl_utils.vision_process", reason="qwen-vl-utils is not installed"
    )
    for count in (2, 3, 4, 7, 64, 65, 123, 1000, 1799, 18_000, 215_784):
        for rate in (10.0, 24.0, 25.0, 30_000 / 1001, 60.0):
            for fps, most in ((1, 64), (2, 64), (0.5, 16), (30, 768)):
                wanted = published.smart_nframes({"fps": fps, "max_frames": most}, count, rate)
                line = torch.linspace(0, count - 1, wanted)
                ours = video.sample(count, rate, fps=fps, max_frames=most)
                assert len(ours) == wanted
                # float32 falls to either side of a half
                assert np.abs(line.numpy() - ours).max() <= 0.5 + count * 1e-7


@pytest.mark.parametrize("options", [{"fps": 0}, {"fps": float("nan")}, {"max_frames": 1}])
def test_what_cannot_be_sampled(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="fps="):
        video.sample(100, 25, **options)


def test_long_video_is_bounded() -> None:
    frames = video.frames(videos.video(1700, codec="mpeg4"), max_frames=64)
    assert numbers(frames) == video.sample(1700, 25)
    assert len(frames) == 64


def test_single_frame_is_alone() -> None:
    frames = video.frames(videos.video(1))
    assert [(frame.seconds, videos.number(frame.image)) for frame in frames] == [(0.0, 0)]


@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_varying_rate_keeps_its_times(container: str) -> None:
    shown = [0.0, 0.1, 0.2, 5.0, 5.1, 5.2, 9.0, 9.5, 9.6, 10.0]
    content = videos.video(10, container=container, seconds=shown, key_every=4)
    with video.open_video(content) as opened:
        assert opened.count == 10
        assert [opened.frame(index).seconds for index in range(10)] == pytest.approx(shown)
        assert opened.duration == pytest.approx(10.4, abs=1.2)  # the last frame's length is a guess


def test_times_rounded_by_the_container_are_exact_again() -> None:
    content = videos.video(60, container="matroska", rate=30)
    with video.open_video(content) as opened:
        assert opened.rate == 30
        assert [opened.frame(index).seconds for index in (1, 2, 59)] == [1 / 30, 2 / 30, 59 / 30]


def test_times_count_from_the_first_frame() -> None:
    content = videos.video(20, container="matroska", seconds=[3 + k / 25 for k in range(20)])
    assert video.frames(content)[0].seconds == 0


def test_one_key_frame_at_the_beginning_is_decoded_through_once() -> None:
    content = videos.video(200, key_every=1000, options={"x264-params": "scenecut=0"})
    with video.open_video(content) as opened:
        order = [0, 66, 133, 199]
        assert numbers([opened.frame(index) for index in order]) == order
        assert opened._spent <= 200 * decoding._LEAST_COST  # not once for each


def test_far_frames_are_reached_by_key_frames() -> None:
    with video.open_video(videos.video(1000, codec="mpeg4", key_every=10)) as opened:
        assert videos.number(opened.frame(905).image) == 905
        assert opened._spent < 30 * decoding._LEAST_COST


def test_too_long_without_key_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_DECODED_PIXELS", 20 * decoding._LEAST_COST)
    with pytest.raises(LimitExceeded, match=r"^video: too long for its few key frames; cut it"):
        video.frames(videos.video(60, container="h264"))


def test_too_many_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_MOST_FRAMES", 20)
    with pytest.raises(LimitExceeded, match="more than 20 frames"):
        video.frames(videos.video(21))


def test_too_many_pixels_to_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "_TOTAL_PIXELS", 3 * 128 * 96)
    with pytest.raises(LimitExceeded, match="lower side or max_frames"):
        video.frames(videos.video(50))
    assert len(video.frames(videos.video(50), side=64)) == 4


def corner(image: Image.Image) -> str:
    """Where the dark quarter of the picture lies."""
    grey = np.asarray(image.convert("L").resize((2, 2), Image.Resampling.BOX))
    assert (grey < 128).sum() == 1
    return ["top left", "top right", "bottom left", "bottom right"][int(grey.argmin())]


@pytest.mark.parametrize(
    ("turn", "mirrored", "where"),
    [
        (0, False, "top left"),
        (90, False, "bottom left"),  # counter-clockwise
        (180, False, "bottom right"),
        (-90, False, "top right"),
    ],
)
def test_turned_phone_videos_are_upright(turn: float, mirrored: bool, where: str) -> None:
    picture = Image.new("RGB", (96, 64), "white")
    picture.paste("black", (0, 0, 48, 32))
    content = videos.video([picture] * 4, turn=turn, mirrored=mirrored)
    image = video.frames(content)[0].image
    assert image.size == ((64, 96) if abs(turn) == 90 else (96, 64))
    assert corner(image) == where


@pytest.mark.parametrize("turn", [0, 90, 180, -90])
def test_mirrored_videos_are_mirrored_back(turn: float) -> None:
    picture = Image.new("RGB", (96, 64), "white")
    picture.paste("black", (0, 0, 48, 32))
    plain, mirrored = (
        video.frames(videos.video([picture] * 4, turn=turn, mirrored=flip))[0].image
        for flip in (False, True)
    )
    assert mirrored.size == plain.size
    assert corner(mirrored) != corner(plain)


def test_pixels_are_square() -> None:
    content = videos.video(4, pixel_aspect=Fraction(3, 2))
    assert [frame.image.size for frame in video.frames(content)] == [(192, 96)] * 4
    content = videos.video(4, pixel_aspect=Fraction(1, 2))
    assert video.frames(content)[0].image.size == (128, 192)


def test_side_reduces_and_never_enlarges() -> None:
    content = videos.video(4)
    assert video.frames(content, side=64)[3].image.size == (64, 48)
    assert numbers(video.frames(content, side=64)) == [0, 1, 2, 3]
    assert video.frames(content, side=500)[0].image.size == videos.SIZE


@pytest.mark.parametrize("size", [(127, 95), (1, 1), (16, 500)])
def test_odd_sizes(size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size, (200, 30, 30))
    content = videos.video([picture] * 4, container="matroska", codec="ffv1", pixels="yuv444p")
    image = video.frames(content)[0].image
    assert image.size == size
    assert np.abs(np.asarray(image).astype(int) - (200, 30, 30)).max() < 8


@pytest.mark.parametrize(("codec", "pixels"), [("mjpeg", "yuvj420p"), ("libx264", "yuv420p")])
def test_black_white_and_red_stay_so(codec: str, pixels: str) -> None:
    for colour in ((0, 0, 0), (255, 255, 255), (200, 30, 30)):
        pictures = [Image.new("RGB", (64, 64), colour)] * 2
        content = videos.video(pictures, container="matroska", codec=codec, pixels=pixels)
        image = video.frames(content)[0].image
        assert np.abs(np.asarray(image).astype(int) - colour).max() < 12


def test_transparency_lies_on_white() -> None:
    clear = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    clear.paste((0, 0, 255, 255), (0, 0, 32, 64))
    content = videos.video([clear] * 2, container="mov", codec="qtrle", pixels="argb")
    image = video.frames(content)[0].image
    assert (image.getpixel((8, 8)), image.getpixel((50, 8))) == ((0, 0, 255), (255, 255, 255))


def test_pixel_limit_holds_before_decoding(tmp_path: Path) -> None:
    path = videos.write(tmp_path / "big.mp4", videos.video(4))
    with pytest.raises(LimitExceeded, match=r"^big\.mp4: frames of 128 x 96 pixels are more"):
        video.frames(path, max_pixels=128 * 96 - 1)
    assert video.frames(path, max_pixels=128 * 96)


@pytest.mark.parametrize("side", [20_000, 65_535])
def test_absurd_size_claimed_by_the_header(side: int) -> None:
    content = videos.video(4, container="mov", codec="qtrle", pixels="rgb24")
    honest, claim = (128, 96), (side, side)
    sizes = [b"".join(value.to_bytes(2, "big") for value in size) for size in (honest, claim)]
    assert content.count(sizes[0]) == 1
    with pytest.raises(LimitExceeded, match="more pixels than the limit of 36000000"):
        video.frames(content.replace(*sizes))


@pytest.mark.parametrize("container", ["mpegts", "matroska", "h264", "avi"])
def test_a_cut_recording_is_read_to_its_end(container: str) -> None:
    codec = "mpeg4" if container == "avi" else "libx264"
    content = videos.video(100, container=container, codec=codec)
    frames = video.frames(content[: len(content) * 6 // 10])
    assert len(frames) % 2 == 0
    assert numbers(frames)[0] == 0
    assert 30 < numbers(frames)[-1] < 80


def test_an_mp4_cut_before_its_index_is_an_error_of_one_line(tmp_path: Path) -> None:
    content = videos.video(100)
    path = videos.write(tmp_path / "half.mp4", content[: len(content) // 2])
    with pytest.raises(UnreadableFile, match=r"^half\.mp4: damaged, cut short") as caught:
        video.frames(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("container", "codec", "pixels"), KINDS)
def test_flipped_bytes_never_do_more_than_fail(container: str, codec: str, pixels: str) -> None:
    options = QUIET if codec == "libx265" else {}
    content = videos.video(30, container=container, codec=codec, pixels=pixels, options=options)
    random = np.random.default_rng(7)
    for _ in range(15):
        damaged = bytearray(content)
        for place in random.integers(0, len(content), 20):
            damaged[place] = random.integers(256)
        try:
            frames = video.frames(bytes(damaged), max_pixels=1_000_000)
        except UnreadableFile as error:
            assert "\n" not in str(error)
        else:
            assert frames
            assert all(frame.image.mode == "RGB" for frame in frames)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "is empty"),
        (b"no video at all " * 50, "no video"),
        (b"\0" * 4096, "no video"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 64, "is a picture, not a video"),
        (b"GIF89a" + b"\0" * 64, "is a picture, not a video"),
        (b"RIFF\x24\0\0\0WAVEfmt " + b"\0" * 64, "not a video"),
    ],
)
def test_what_is_no_video(tmp_path: Path, content: bytes, cause: str) -> None:
    path = videos.write(tmp_path / "x.mp4", content)
    with pytest.raises(UnreadableFile, match=cause) as caught:
        video.frames(path)
    assert str(caught.value).startswith("x.mp4: ")
    with pytest.raises(UnreadableFile, match=cause):
        video.frames(content)


@pytest.mark.parametrize(("form", "suffix"), [("PNG", "mp4"), ("JPEG", "avi"), ("AVIF", "mov")])
def test_pictures_with_a_videos_name(tmp_path: Path, form: str, suffix: str) -> None:
    path = tmp_path / f"still.{suffix}"
    videos.numbered(5).save(path, form)
    with pytest.raises(UnreadableFile, match="is a picture, not a video"):
        video.frames(path)


@pytest.mark.parametrize(("container", "codec"), [("mp4", "aac"), ("ogg", "libopus")])
def test_sound_without_pictures(container: str, codec: str) -> None:
    with pytest.raises(UnreadableFile, match="holds no moving pictures"):
        video.frames(videos.sound(container, codec))


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no such file"):
        video.frames(tmp_path / "none.mp4")
    with pytest.raises(UnreadableFile, match="not a regular file"):
        video.frames(tmp_path)


def scripts(target: str) -> dict[str, str]:
    """Files that make FFmpeg read `target`, by the names of its demuxers."""
    return {
        "hls": f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{target}\n"
        "#EXT-X-ENDLIST\n",
        "concat": f"ffconcat version 1.0\nfile '{target}'\n",
        "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'profiles="urn:mpeg:dash:profile:full:2011" mediaPresentationDuration="PT4S">'
        f'<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1">'
        f"<BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>",
        "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    }


@pytest.mark.parametrize("form", ["hls", "concat", "dash", "sdp"])
@pytest.mark.parametrize("suffix", ["mp4", "m3u8", "txt"])
def test_scripts_that_name_another_file_are_refused(tmp_path: Path, form: str, suffix: str) -> None:
    other = videos.write(tmp_path / "secret.ts", videos.video(50, container="mpegts"))
    for target in (other.name, str(other), f"file:{other}"):
        path = tmp_path / f"innocent.{suffix}"
        path.write_text(scripts(target)[form])
        with pytest.raises(UnreadableFile, match=r"^innocent"):
            video.frames(path)


def test_the_playlist_would_have_worked(tmp_path: Path) -> None:
    """The refusal is ours: FFmpeg itself follows the same playlist."""
    videos.write(tmp_path / "secret.ts", videos.video(50, container="mpegts"))
    path = tmp_path / "innocent.m3u8"
    path.write_text(scripts("secret.ts")["hls"])
    with av.open(str(path)) as file:
        assert len(list(file.decode(video=0))) == 50


@pytest.mark.parametrize("form", ["hls", "concat", "dash"])
def test_no_address_is_contacted(tmp_path: Path, form: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        path = tmp_path / "innocent.mp4"
        path.write_text(scripts(f"http://127.0.0.1:{server.getsockname()[1]}/x.ts")[form])
        with pytest.raises(UnreadableFile):
            video.frames(path)
        with pytest.raises(TimeoutError):
            server.accept()


def test_files_are_closed() -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    content = videos.video(10)
    before = descriptors()
    for _ in range(5):
        video.frames(content)
        with pytest.raises(UnreadableFile):
            video.frames(content[:200])
    assert descriptors() == before


def test_ffmpeg_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    content = videos.video(50, container="mpegts")
    capfd.readouterr()
    video.frames(content[1000:3000] + b"junk" * 500 + content[3000:])
    assert capfd.readouterr() == ("", "")


def test_it_is_imported_without_pyav() -> None:
    script = "import sys, mmsearch.video; sys.exit('av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
