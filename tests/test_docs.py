"""The docs say what the code does: settings, commands, the README's examples."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from mmsearch.cli import app
from mmsearch.config import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_setting_is_documented_with_its_default() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", page, re.MULTILINE))
    assert rows == {
        item.name: f"{f'`{item.default}` ' if item.default != '' else ''}| {item.metadata['doc']}"
        for item in fields(Settings)
    }


def test_every_command_is_documented() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    names = {command.name or command.callback.__name__ for command in app.registered_commands}
    documented = set(re.findall(r"^## `mmsearch (\w+)", page, re.MULTILINE))
    assert documented == names | {"models"}


def test_every_option_is_documented() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    for command in app.registered_commands:
        name = command.name or command.callback.__name__
        shown = subprocess.run(
            [sys.executable, "-m", "mmsearch.cli", name, "--help"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            env={"COLUMNS": "200", "PATH": "/usr/bin:/bin", "TERM": "dumb"},
        ).stdout
        section = page.split(f"## `mmsearch {name}")[1].split("\n## ")[0]
        for option in set(re.findall(r"--[a-z][a-z-]+", shown)) - {"--help"}:
            assert f"`{option}" in section, f"{name} {option}"


def test_the_python_example_of_the_readme_runs(
    tmp_path: Path, sample_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example, _ = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (tmp_path / "scans").symlink_to(sample_dir / "corpus" / "reports")
    (tmp_path / "screenshot.png").symlink_to(sample_dir / "screenshots" / "report-page-4.jpg")
    monkeypatch.chdir(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", example],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(Path.home())},
    )
    assert done.returncode == 0, done.stderr
    assert "Annual Report 2025, page 4" in done.stdout


def test_the_example_of_the_readme_for_qwen_runs(
    tmp_path: Path, tiny: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, example = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (tmp_path / "Qwen3-VL-Embedding-2B").symlink_to(tiny("embedding"))
    shutil.copy(ROOT / "tests" / "golden" / "images" / "page.png", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MMSEARCH_MODEL_DIR", str(tmp_path))
    names: dict[str, Any] = {}
    exec(example.replace("dimension=1024", "dimension=64"), names)  # what the tiny model has
    assert names["page"].shape == names["both"].shape == (64,)


def test_the_commands_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert target in targets
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    for name in re.findall(r"^mmsearch (\w+)", README, re.MULTILINE):
        assert name in commands | {"models"}
