"""The vocabulary of visual words: learned from pages that are drawn for it or real.

    python -m bench.visual_words OUT [--texts FOLDER]... [--drawings FOLDER]... [--photos FOLDER]...
        [--fonts FOLDER]... [--words FILE] [--pages N]

Three pages in five hold text, one a drawing, one a photo. Of text and of drawings half are drawn
here (text of every script that the fonts have, tables, forms, code, formulas, boxes with arrows;
charts by matplotlib, `pip install matplotlib`), and half are pages of the PDFs under `--texts` and
`--drawings`; photos lie alone or among text. Each page becomes a stored picture, its features
are found as in a search, and at most 300 of them are learned from: RootSIFT, principal components,
and k-means of every other component from the first, and from the second.

`mmsearch/screenshots/words.npz` is learned from 200 pages, 55,339 features, with packages of
Debian 12 unpacked into the folders. Texts: c++-annotations-pdf, debian-reference-{de,ja,zh-cn},
erlang-doc, freefem-doc, ghostscript-doc, maxima-doc, octave-doc, python-reportlab-doc,
auto-multiple-choice-doc-pdf, texlive-{publishers,science}-doc, texlive-lang-{arabic,chinese,cjk,
japanese}. Drawings: texlive-pictures-doc, gnuplot-doc, gri-pdf-doc, r-doc-pdf, and the vignettes
of 14 r-cran- and r-bioc- packages. Photos: plasma-workspace-wallpapers, gnome-backgrounds,
mate-backgrounds, ukui-wallpapers, lomiri-wallpapers-{16.04,20.04}, and the pictures within
scikit-image 0.26 and scikit-learn 1.9. Fonts: Noto, DejaVu, Liberation, and 27 other packages
(Lato, Roboto, TeX Gyre, Latin Modern, EB Garamond, URW, IPA, Arphic, Nanum, ...). Words: wamerican.
Learned again it comes out alike, not the same: other versions, other rounding.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench import training_pages
from mmsearch import images
from mmsearch.screenshots import features
from mmsearch.types import Float32

DIMS, CENTROIDS, HALVES = 64, 1024, 2
MOST_A_PAGE = 300
ROUNDS = 40  # of k-means
_BATCH = 20_000


class Vocabulary(NamedTuple):
    """`mean` (128,), `rotation` (128, 64), `centroids` (2, 1024, 32); float32."""

    mean: Float32
    rotation: Float32
    centroids: Float32


def main() -> None:
    """Learn, print the figures, and write OUT."""
    arguments = _arguments()
    descriptors, counts = sample(training_pages.pages(_sources(arguments)), arguments.pages)
    print("pages", dict(counts), " descriptors", len(descriptors), flush=True)
    began = time.process_time()
    vocabulary, figures = learn(descriptors)
    print(figures, f" learned in {time.process_time() - began:.0f} s of CPU", flush=True)
    with arguments.out.open("wb") as out:
        np.savez_compressed(
            out,
            mean=vocabulary.mean,
            rotation=vocabulary.rotation.astype(np.float16),
            centroids=vocabulary.centroids.astype(np.float16),
        )
    print(arguments.out, arguments.out.stat().st_size, "bytes")


def sample(
    pages: Iterator[tuple[str, Image.Image]], count: int, seed: int = 1
) -> tuple[Float32, Counter[str]]:
    """RootSIFT of at most 300 features of each of `count` pages, (n, 128), and pages of a kind."""
    chance = np.random.default_rng(seed)
    counts: Counter[str] = Counter()
    parts = []
    for kind, page in islice(pages, count):
        found = _descriptors(page)
        chosen = chance.permutation(len(found))[:MOST_A_PAGE]
        parts.append(found[np.sort(chosen)].astype(np.uint8))
        counts[kind] += 1
    return features.rooted(np.concatenate(parts).astype(np.float32)), counts


def _descriptors(page: Image.Image) -> Float32:
    picture, _, _ = images.page_picture(page.convert("RGB"))
    grey = features.shrunk(features.grey_of(picture), features.PAGE_PIXELS)
    descriptors: Float32 = features.detect(grey)[1]
    return descriptors


def learn(
    descriptors: Float32, dims: int = DIMS, centroids: int = CENTROIDS, seed: int = 1
) -> tuple[Vocabulary, dict[str, float]]:
    """A vocabulary, and how well it describes descriptors that it has not seen."""
    chance = np.random.default_rng(seed)
    mixed = descriptors[chance.permutation(len(descriptors))]
    unseen, seen = np.split(mixed, [len(mixed) // 20])
    mean = seen.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(seen.T))
    rotation = np.ascontiguousarray(vectors[:, ::-1][:, :dims]).astype(np.float32)
    rotated = (seen - mean) @ rotation
    halves = [_k_means(rotated[:, half::HALVES], centroids, chance) for half in range(HALVES)]
    vocabulary = Vocabulary(mean, rotation, np.stack(halves))
    figures = {"variance kept": float(values[::-1][:dims].sum() / values.sum())}
    for name, part in ("seen", seen[: len(unseen)]), ("unseen", unseen):
        _, errors = nearest(part, vocabulary)
        figures[f"error {name}"] = float(errors.mean() / ((part - mean) ** 2).sum(axis=1).mean())
    return vocabulary, figures


def nearest(rooted: Float32, vocabulary: Vocabulary) -> tuple[NDArray[np.int64], Float32]:
    """The word of each descriptor, and its squared distance within the kept components."""
    rotated = ((rooted - vocabulary.mean) @ vocabulary.rotation).astype(np.float32)
    found, errors = np.zeros(len(rooted), np.int64), np.zeros(len(rooted), np.float32)
    for half, centroids in enumerate(vocabulary.centroids):
        indices, distances = _assign(rotated[:, half::HALVES], centroids)
        found, errors = found * len(centroids) + indices, errors + distances
    return found, errors


def _k_means(points: Float32, count: int, chance: np.random.Generator) -> Float32:
    """Lloyd's algorithm; a centroid without points starts again at a point that is far off."""
    points = np.ascontiguousarray(points)
    centroids = points[chance.choice(len(points), count, replace=False)]
    for _ in range(ROUNDS):
        indices, distances = _assign(points, centroids)
        held = np.bincount(indices, minlength=count)
        sums = np.stack([np.bincount(indices, column, count) for column in points.T], axis=1)
        centroids = (sums / np.maximum(held, 1)[:, None]).astype(np.float32)
        empty = np.flatnonzero(held == 0)
        centroids[empty] = points[np.argsort(-distances)[: len(empty)]]
    return centroids


def _assign(points: Float32, centroids: Float32) -> tuple[NDArray[np.int64], Float32]:
    """The nearest centroid of each point, and the squared distance to it."""
    indices, distances = np.zeros(len(points), np.int64), np.zeros(len(points), np.float32)
    lengths = (centroids**2).sum(axis=1)
    for start in range(0, len(points), _BATCH):
        batch = points[start : start + _BATCH]
        table = lengths - 2 * batch @ centroids.T
        best = table.argmin(axis=1)
        indices[start : start + _BATCH] = best
        distances[start : start + _BATCH] = table[np.arange(len(batch)), best] + (batch**2).sum(1)
    return indices, distances


def _sources(given: argparse.Namespace) -> training_pages.Sources:
    return training_pages.Sources(
        given.texts, given.drawings, given.photos, given.fonts, given.words
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path)
    parser.add_argument("--texts", type=Path, action="append", default=[])
    parser.add_argument("--drawings", type=Path, action="append", default=[])
    parser.add_argument("--photos", type=Path, action="append", default=[])
    parser.add_argument("--fonts", type=Path, action="append")
    parser.add_argument("--words", type=Path, default=Path("/usr/share/dict/words"))
    parser.add_argument("--pages", type=int, default=1800)
    arguments = parser.parse_args()
    arguments.fonts = arguments.fonts or [Path("/usr/share/fonts")]
    return arguments


if __name__ == "__main__":
    main()
