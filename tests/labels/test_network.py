"""The ONNX graph of the classifier against the published network."""

from __future__ import annotations

import numpy as np
import pytest

from mmsearch import models
from mmsearch.errors import MissingModel
from mmsearch.labels import network

# Of efficientnet-lite-pytorch 0.1.0 with torch 2.14.1 on the two patterns, by class.
RINGS = {506: 0.70925, 646: 0.09217, 818: 0.02836, 782: 0.02481}
CHECKS = {918: 0.09508, 789: 0.02668, 904: 0.02632, 731: 0.02077}


def patterns() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    y, x = np.mgrid[:224, :224]
    rings = np.stack([((x - 112) ** 2 + (y - 112) ** 2) // 600 % 2 * 255, x, y], -1)
    checks = np.stack([(x // 28 + y // 28) % 2 * 255] * 3, -1)
    return np.stack([rings, checks]).astype(np.uint8)


def test_the_graph_gives_the_probabilities_of_the_published_network() -> None:
    try:
        folder = models.find(models.EFFICIENTNET)
    except MissingModel as error:
        pytest.skip(str(error))
    graph = network.build(folder / models.EFFICIENTNET.files[0].name)
    (made,) = network.session(graph).run(None, {"picture": patterns()})
    assert made.shape == (2, network.CLASSES)
    assert made.sum(axis=1) == pytest.approx([1, 1], abs=1e-5)
    for row, expected in zip(made, (RINGS, CHECKS), strict=True):
        assert [int(n) for n in np.argsort(-row)[:4]] == list(expected)
        assert [float(row[n]) for n in expected] == pytest.approx(list(expected.values()), abs=2e-5)
