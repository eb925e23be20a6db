from __future__ import annotations

import re
from pathlib import Path

import pytest

import mmsearch
from mmsearch.config import Settings
from mmsearch.errors import NotFound
from mmsearch.paths import absolute


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("~", "/home/me"),
        ("~/a/../b", "/home/me/b"),
        (Path("~/b"), "/home/me/b"),
        ("./~", "{here}/~"),
        ("./~/b", "{here}/~/b"),
        ("~nobody-of-this-name/b", "{here}/~nobody-of-this-name/b"),
    ],
)
def test_a_tilde_is_the_home_folder_only_where_it_comes_first(
    given: str | Path, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    path = expected.format(here=tmp_path)
    assert str(absolute(given)) == path
    with pytest.raises(NotFound, match=f"^{re.escape(path)}: there is no index"):
        mmsearch.open(given, create=False, settings=Settings())
