"""Frames from a process that was taken over cost their sender, not the receiver."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Iterator

import pytest
from PIL import Image

from ingest.frames import (
    check_unread,
    frame_to_page,
    page_to_frame,
    receive,
    send,
    unread_of_frame,
    words_of_frame,
)
from mmsearch.errors import LimitExceeded
from mmsearch.types import Box, Page, PageText, Word


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def raw(said: object) -> bytes:
    text = json.dumps(said).encode()
    return struct.pack(">I", len(text)) + text


def page(**changes: object) -> dict[str, object]:
    header, _ = page_to_frame(Page(1, b"picture", 32, 32))
    return header | changes


@pytest.mark.parametrize(
    "sent",
    [
        struct.pack(">I", 1 << 31),
        raw([{}, [1 << 40]]),
        raw([{}, [-1]]),
        raw([{}, [1e400]]),
        raw([{}, [0] * 1000]),
        raw([[], []]),
        raw("nonsense"),
        struct.pack(">I", 100_000) + b"[" * 100_000,
        struct.pack(">I", 3) + b"\xff\xfe\xfd",
    ],
)
def test_nonsense_is_refused(ends: tuple[socket.socket, socket.socket], sent: bytes) -> None:
    ours, theirs = ends
    theirs.sendall(sent)
    assert receive(ours, within=1.0) is None


def test_who_sends_a_frame_by_drops_is_not_waited_for(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    theirs.sendall(raw([{}, [100]]) + b"drop")
    begun = time.monotonic()
    assert receive(ours, within=0.2) is None
    assert time.monotonic() - begun < 1


def test_a_frame_that_would_be_refused_is_not_sent(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    with pytest.raises(LimitExceeded, match="split it"):
        send(ends[0], {"text": "x" * (1 << 25)})


def test_an_unread_page_arrives_as_it_was(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    words = (Word("half", Box(0.1, 0.2, 0.3, 0.4), 0.5),)
    image = Image.effect_noise((31, 17), 50)
    text = PageText("half\ud800", "layer", words)
    header, blobs = page_to_frame(Page(7, b"picture", 32, 16, text, unread=image))
    send(theirs, header, *blobs)
    frame = receive(ours)
    assert frame is not None
    header, (picture, stored, pixels) = frame
    assert frame_to_page(header, picture).text.text == "half?"
    assert words_of_frame(stored) == words
    assert unread_of_frame(header, pixels).tobytes() == image.tobytes()


@pytest.mark.parametrize(
    "changes",
    [
        {"page": True},
        {"page": "1"},
        {"width": 10**30},
        {"seconds": float("nan")},
        {"text": None},
        {"source": "x"},
    ],
)
def test_a_page_of_wrong_types_is_refused(changes: dict[str, object]) -> None:
    assert frame_to_page(page(), b"").number == 1
    with pytest.raises((TypeError, ValueError)):
        frame_to_page(page(**changes), b"")


@pytest.mark.parametrize("unread", [["L", 4, 5], ["L", -4, -6], ["RGB", 4, 6], ["CMYK", 2, 3]])
def test_pixels_are_counted(unread: list[object]) -> None:
    check_unread({"unread": ["L", 4, 6]}, bytes(24))
    with pytest.raises((KeyError, ValueError)):
        check_unread({"unread": unread}, bytes(24))
