from __future__ import annotations

from mmsearch.snippets import snippet

TEXT = " ".join(f"filler{n}" for n in range(200)) + " the pump seal leaks. " + "more " * 200


def test_shows_the_stretch_with_the_words() -> None:
    shown = snippet(TEXT, "seal of the pump")
    assert "the pump seal leaks." in shown
    assert shown.startswith("… ")
    assert shown.endswith(" …")
    assert len(shown) <= 210


def test_without_a_match_the_beginning_is_shown() -> None:
    assert snippet(TEXT, "absent").startswith("filler0 filler1")
    assert snippet("short text", "") == "short text"


def test_is_one_line() -> None:
    assert snippet("a\nb\n\tc", "b") == "a b c"


def test_an_empty_page_has_none() -> None:
    assert snippet("  \n", "word") == ""


def test_one_endless_word_is_cut() -> None:
    assert len(snippet("x" * 1_000_000, "y")) <= 210
