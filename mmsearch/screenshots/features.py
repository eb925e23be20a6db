"""Local features of a picture: where they are, how large, and which visual word each one is.

Upright SIFT: screenshots stand as their pages do, and so b and q stay two things.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmsearch.errors import UnreadableFile
from mmsearch.types import Float32, SparseVector

PAGE_PIXELS = 460_000
# A crop shows a tenth of a page: at this size it has about the resolution of the pages.
QUERY_PIXELS = 100_000
MOST = 2_000  # features of a picture, the strongest
_CONTRAST = 0.03
_LEAST_SIDE = 16  # pixels
_LENGTH_POWER, _LEAST_LENGTH = 0.1, 50  # pages of many words are not found for that alone

_HEADER = struct.Struct("<4sIIHHI")  # mark, signature, checksum, width, height, count
_MARK = b"mmF1"
_PLACES = 65_535
_SIZES = 32  # steps a pixel


@dataclass(frozen=True, slots=True)
class Features:
    """The local features of a picture.

    `places` is (n, 2) float32, x and y in pixels of a picture of `width` x `height`, origin top
    left; `sizes` is (n,) float32, diameters in the same pixels; `words` is (n,) uint32.
    """

    width: int
    height: int
    places: Float32
    sizes: Float32
    words: NDArray[np.uint32]


class _Vocabulary(NamedTuple):
    """`mean` (128,), `rotation` (128, 64), `centroids` (2, k, 32); all float32."""

    mean: Float32
    rotation: Float32
    centroids: Float32
    identity: bytes


def grey_of(picture: bytes) -> NDArray[np.uint8]:
    """A stored page picture, (height, width) uint8."""
    import cv2

    data = np.frombuffer(picture, np.uint8)
    grey = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if len(data) else None
    if grey is None:
        raise UnreadableFile("page picture: damaged; run: mmsearch ingest PATH")
    return np.asarray(grey, np.uint8)


def shrunk(grey: NDArray[np.uint8], pixels: int) -> NDArray[np.uint8]:
    """The picture with at most `pixels` pixels; a smaller one as it is."""
    import cv2

    scale = math.sqrt(pixels / (grey.shape[0] * grey.shape[1]))
    if scale >= 1:
        return grey
    size = tuple(max(1, round(side * scale)) for side in reversed(grey.shape))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


def features(grey: NDArray[np.uint8], pixels: int = PAGE_PIXELS) -> Features:
    """The features of a picture, shrunk to at most `pixels` pixels."""
    grey = shrunk(grey, pixels)
    keypoints, descriptors = detect(grey)
    return _features(grey, keypoints, words(descriptors))


def both_ways(grey: NDArray[np.uint8], pixels: int = QUERY_PIXELS) -> tuple[Features, Features]:
    """The features of a picture as it is, and with light and dark exchanged."""
    small = shrunk(grey, pixels)
    keypoints, descriptors = detect(small)
    # An exchange turns every gradient about: the eight directions of each cell move by four.
    turned = np.roll(descriptors.reshape(-1, 16, 8), 4, axis=2).reshape(-1, 128)
    return (
        _features(small, keypoints, words(descriptors)),
        _features(small, keypoints, words(turned)),
    )


def words(descriptors: Float32) -> NDArray[np.uint32]:
    """The visual word of each descriptor, (n, 128) float32: a pair of centroids, one of each half.

    Source: Jégou et al. 2011, Product quantization.
    """
    vocabulary = _vocabulary()
    rotated = (rooted(descriptors) - vocabulary.mean) @ vocabulary.rotation
    found = np.zeros(len(descriptors), np.uint32)
    for half, centroids in enumerate(vocabulary.centroids):
        part = rotated[:, half::2]
        distance = (centroids**2).sum(axis=1) - 2 * part @ centroids.T
        found = found * np.uint32(len(centroids)) + distance.argmin(axis=1).astype(np.uint32)
    return found


def rooted(descriptors: Float32) -> Float32:
    """Descriptors whose Euclidean distance is Hellinger's, (n, 128) float32.

    Source: Arandjelović & Zisserman 2012, RootSIFT.
    """
    shares: Float32 = descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-9)
    return np.sqrt(shares)


def sparse(found: Features) -> SparseVector | None:
    """The words of a picture as a vector; None for a picture without any."""
    distinct = np.unique(found.words)
    if not len(distinct):
        return None
    weight = max(len(distinct), _LEAST_LENGTH) ** -_LENGTH_POWER
    return SparseVector(distinct, np.full(len(distinct), weight, np.float32))


def identity() -> str:
    """What the words depend on."""
    return f"sift-upright-{PAGE_PIXELS}-{MOST}-{_vocabulary().identity.hex()}"


def encode(found: Features) -> bytes:
    """As they are kept: 10 bytes a feature."""
    longest = max(found.width, found.height)
    places = np.clip(found.places / longest * _PLACES, 0, _PLACES).round().astype("<u2")
    sizes = np.clip(found.sizes * _SIZES, 1, 65_535).round().astype("<u2")
    rows = places.tobytes() + sizes.tobytes() + found.words.astype("<u4").tobytes()
    size = (found.width, found.height, len(found.words))
    return _HEADER.pack(_MARK, _signature(), zlib.crc32(rows), *size) + rows


def decode(data: bytes) -> Features | None:
    """What `encode` wrote; None where it was made otherwise, or is damaged."""
    if len(data) < _HEADER.size:
        return None
    mark, signature, checksum, width, height, count = _HEADER.unpack_from(data)
    if (mark, signature, checksum) != (_MARK, _signature(), zlib.crc32(data[_HEADER.size :])):
        return None
    if len(data) != _HEADER.size + 10 * count or not width or not height:
        return None
    places = np.frombuffer(data, "<u2", 2 * count, _HEADER.size).reshape(-1, 2)
    sizes = np.frombuffer(data, "<u2", count, _HEADER.size + 4 * count)
    found = np.frombuffer(data, "<u4", count, _HEADER.size + 6 * count)
    return Features(
        width,
        height,
        places.astype(np.float32) * np.float32(max(width, height) / _PLACES),
        sizes.astype(np.float32) / np.float32(_SIZES),
        found,
    )


def detect(grey: NDArray[np.uint8]) -> tuple[list[Any], Float32]:
    """The strongest keypoints of OpenCV's SIFT, and their upright descriptors, (n, 128) float32."""
    import cv2

    if min(grey.shape) < _LEAST_SIDE:
        return [], np.zeros((0, 128), np.float32)
    sift = cv2.SIFT.create(contrastThreshold=_CONTRAST)
    distinct: dict[tuple[float, float, float], Any] = {}
    for point in sorted(sift.detect(grey, None), key=lambda point: -point.response):
        # SIFT repeats a point for each of its directions; upright there is one.
        key = (round(point.pt[0], 1), round(point.pt[1], 1), round(point.size, 1))
        if key not in distinct:
            point.angle = 0
            distinct[key] = point
    keypoints = list(distinct.values())[:MOST]
    if not keypoints:
        return [], np.zeros((0, 128), np.float32)
    kept, descriptors = sift.compute(grey, keypoints)
    return list(kept), np.asarray(descriptors, np.float32)


def _features(grey: NDArray[np.uint8], keypoints: list[Any], found: NDArray[np.uint32]) -> Features:
    height, width = grey.shape
    places = np.array([point.pt for point in keypoints], np.float32).reshape(-1, 2)
    sizes = np.array([point.size for point in keypoints], np.float32)
    return Features(width, height, places, sizes, found)


def _signature() -> int:
    return zlib.crc32(identity().encode())


@cache
def _vocabulary() -> _Vocabulary:
    path = Path(__file__).with_name("words.npz")
    with np.load(path, allow_pickle=False) as stored:
        mean, rotation, centroids = (
            stored[name].astype(np.float32) for name in ("mean", "rotation", "centroids")
        )
    mark = zlib.crc32(path.read_bytes()).to_bytes(4, "big")
    return _Vocabulary(mean, rotation, centroids, mark)
