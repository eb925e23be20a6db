"""The words of a file's name."""

from __future__ import annotations

import pytest

from ingest.file_names import words


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("/a/GoldenRetriever_in-park2.jpg", "Golden Retriever in park"),
        ("sunset over the bay (3).HEIC", "sunset over the bay"),
        ("/in/photos.zip!/2019-07/Käsekuchen.mit.Kirschen.png", "Käsekuchen mit Kirschen"),
        ("NASALaunch.mp4", "NASA Launch"),
        ("2023-05-01 birthday.jpg", "birthday"),
        ("夏祭り.jpg", "夏祭り"),
        ("犬.jpg", "犬"),
    ],
)
def test_a_name_that_people_give_is_its_words(name: str, found: str) -> None:
    assert words(name) == found


@pytest.mark.parametrize(
    "name",
    [
        "IMG_1234.JPG", "DSC0001.jpg", "scan0001.png", "image1.png", "PXL_20240101_120000123.jpg",
        "WhatsApp Image 2023-01-02 at 10.11.12.jpeg", "Screenshot 2024-01-02 101112.png",
        "20230405.jpg", "3f2a9c0d-77ab-4c1e-9d1f-00aa11bb22cc.png", "photo.jpg", "P1010001.JPG",
        "_.jpg", ".jpg", "", "\udcff.jpg", "Untitled copy.png",
    ],
)  # fmt: skip
def test_a_name_that_a_machine_gave_says_nothing(name: str) -> None:
    assert words(name) == ""
