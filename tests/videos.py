"""Makes small videos. A frame shows its own number, which survives lossy encoding and turning."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

BITS = 12  # of a frame's number: 4 columns of 3 blocks, the lowest bit first
SIZE = (128, 96)  # pixels


def numbered(number: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """A picture of white and black blocks that says `number`."""
    blocks = [255 * (number >> bit & 1) for bit in range(BITS)]
    picture = Image.fromarray(np.array(blocks, np.uint8).reshape(3, 4))
    return picture.resize(size, Image.Resampling.NEAREST).convert("RGB")


def number(image: Image.Image) -> int:
    """The number that a decoded picture says."""
    blocks = np.asarray(image.convert("L").resize((4, 3), Image.Resampling.BOX)).ravel()
    return sum((int(value) > 128) << bit for bit, value in enumerate(blocks))


def video(
    pictures: int | Sequence[Image.Image],
    *,
    container: str = "mp4",
    codec: str = "libx264",
    pixels: str = "yuv420p",
    rate: int | Fraction = 25,
    seconds: Sequence[float] = (),
    turn: float | None = None,
    mirrored: bool = False,
    key_every: int = 12,
    pixel_aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
) -> bytes:
    """An encoded video.

    Args:
        pictures: frames of one size, or how many numbered ones.
        container: FFmpeg's name of the format.
        codec: FFmpeg's name of the encoder.
        pixels: FFmpeg's name of the pixel format.
        rate: frames a second.
        seconds: when each frame is shown, for a varying rate.
        turn: degrees that a player turns the picture counter-clockwise.
        mirrored: a player mirrors the picture, too.
        key_every: frames from one key frame to the next at most.
        pixel_aspect: width of a pixel over its height.
        tags: of the file, such as its title.
    """
    if isinstance(pictures, int):
        pictures = [numbered(index) for index in range(pictures)]
    tick = Fraction(1, 1000) if seconds else 1 / Fraction(rate)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        file.metadata.update(tags or {})
        stream = file.add_stream(codec, rate=rate)
        stream.width, stream.height = pictures[0].size
        stream.pix_fmt = pixels
        stream.gop_size = key_every
        stream.options = options or {}
        stream.codec_context.time_base = tick
        if pixel_aspect:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        if turn is not None:
            stream.set_display_rotation(turn, hflip=mirrored)
        for index, picture in enumerate(pictures):
            source = "rgba" if picture.mode == "RGBA" else "rgb24"
            frame = av.VideoFrame.from_ndarray(np.array(picture), source).reformat(format=pixels)
            frame.time_base = tick
            frame.pts = round(seconds[index] / tick) if seconds else index
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return buffer.getvalue()


def sound(container: str = "mp4", codec: str = "aac") -> bytes:
    """Half a second of silence and no picture."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        stream = file.add_stream(codec, rate=48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 24_000), np.float32), "fltp", "mono")
        frame.sample_rate = 48_000
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return buffer.getvalue()


def write(path: Path, content: bytes) -> Path:
    """The content as a file."""
    path.write_bytes(content)
    return path


def subtitled(
    pictures: Sequence[Image.Image],
    lines: Sequence[tuple[float, str]],
    *,
    container: str = "matroska",
    codec: str = "subrip",
    rate: int = 5,
) -> bytes:
    """A video with a track of text; each line is on show for a second from its time on."""
    header = b"[Script Info]\n[V4+ Styles]\n[Events]\n"
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        stream = file.add_stream("mpeg4", rate=rate)
        stream.width, stream.height = pictures[0].size
        stream.pix_fmt = "yuv420p"
        track = file.add_stream(codec)
        track.codec_context.subtitle_header = header
        packets: list[av.Packet] = []
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.array(picture), "rgb24")
            frame.pts, frame.time_base = index, Fraction(1, rate)
            packets += stream.encode(frame)
        packets += stream.encode()
        for second, text in lines:
            raw = text.encode()
            packet = av.Packet(len(raw).to_bytes(2, "big") + raw if codec == "mov_text" else raw)
            packet.stream, packet.time_base = track, Fraction(1, 1000)
            packet.pts = packet.dts = round(second * 1000)
            packet.duration = 1000
            packets.append(packet)
        for packet in sorted(packets, key=lambda packet: float(packet.dts * packet.time_base)):
            file.mux(packet)
    return buffer.getvalue()
