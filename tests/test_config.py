from __future__ import annotations

from pathlib import Path

import pytest

from mmsearch.config import Settings, load
from mmsearch.errors import InvalidSetting


def test_option_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    (tmp_path / "mmsearch.toml").write_text('index = "file"\nport = 1\nworkers = 3\n')
    environment = {"MMSEARCH_INDEX": "environment", "MMSEARCH_PORT": "2", "OTHER": "x"}
    settings = load({"index": "option", "profile": None}, environment=environment, folder=tmp_path)
    assert settings.index == "option"
    assert settings.port == 2
    assert settings.workers == 3
    assert settings.profile == "auto"


def test_defaults_need_no_file(tmp_path: Path) -> None:
    assert load(environment={}, folder=tmp_path) == Settings()


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("prot = 1", "'prot': there is no such setting"),
        ('port = "x"', "port='x': expected int"),
        ("port = -1", "must be finite and not negative"),
        ('ocr = "magic"', "allowed are auto, rapidocr, tesseract, off"),
        ("port = ", "not readable as TOML"),
    ],
)
def test_a_wrong_file_is_one_clear_line(tmp_path: Path, toml: str, said: str) -> None:
    (tmp_path / "mmsearch.toml").write_text(toml)
    with pytest.raises(InvalidSetting, match=said) as caught:
        load(environment={}, folder=tmp_path)
    assert "\n" not in str(caught.value)


def test_environment_of_another_tool_is_left_alone(tmp_path: Path) -> None:
    assert load(environment={"MMSEARCH_CACHE": "/x"}, folder=tmp_path) == Settings()


@pytest.mark.parametrize("value", ["nan", "inf", "-1"])
def test_a_limit_is_a_finite_number(tmp_path: Path, value: str) -> None:
    with pytest.raises(InvalidSetting, match="must be finite and not negative"):
        load(environment={"MMSEARCH_PAGE_TIMEOUT": value}, folder=tmp_path)
