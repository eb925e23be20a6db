"""Passwords: how they are hashed, what a line of `users` may be, and the command that makes one."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mmsearch.config import CONFIG_FILE, load
from mmsearch.errors import InvalidSetting
from ui.access import passwords

COMMAND = [sys.executable, "-m", "mmsearch.cli", "password"]
SAID = "correct horse"
# Made once, so that hashes that people keep go on being read.
KEPT = "scrypt:32768:8:3:B1-YKUVQvrwUO-gfwE6_Nw:tucvk4Y7wbcpIapm5H3wlbONBeJrOjWPdq9uWJ3lpGA"


def test_a_hash_that_was_made_before_matches_its_password_alone() -> None:
    (kept,) = passwords.users(f"ann:{KEPT}").values()
    assert passwords.matches(SAID, kept)
    assert not passwords.matches(SAID + " ", kept)
    assert not passwords.matches("", kept)
    assert str(kept) == KEPT
    assert KEPT.split(":")[-1] not in repr(kept)


def test_a_new_hash_has_a_salt_of_its_own_and_no_character_that_needs_quoting() -> None:
    one, other = (str(passwords.new_hash(SAID)) for _ in range(2))
    assert one != other
    assert re.fullmatch(r"[\w:-]+", one, re.ASCII)


@pytest.mark.parametrize("password", ["", "1234567", "x" * 257])
def test_a_short_or_endless_password_is_refused(password: str) -> None:
    with pytest.raises(InvalidSetting, match="choose one of 8 to 256"):
        passwords.new_hash(password)


def test_a_password_is_the_same_however_its_accents_were_typed() -> None:
    composed, decomposed = "Zürich am See", "Zu\u0308rich am See"
    assert passwords.matches(decomposed, passwords.new_hash(composed))


@pytest.mark.parametrize("between", ["\n", ",", " ,\r\n\n"])
def test_users_are_lines_or_joined_by_commas(between: str) -> None:
    found = passwords.users(f"ann:{KEPT}{between}Bob B.:{KEPT}\n")
    assert list(found) == ["ann", "Bob B."]


@pytest.mark.parametrize("blank", ["\n", " ", ",\n,"])
def test_a_setting_that_holds_nobody_does_not_open_the_page(blank: str) -> None:
    assert passwords.users("") == {}
    with pytest.raises(InvalidSetting, match="is blank"):
        passwords.users(blank)


@pytest.mark.parametrize(
    "broken",
    [
        "secret",
        "scrypt",
        KEPT.replace("scrypt", "bcrypt"),
        KEPT.replace("32768", "32767"),
        KEPT.replace("32768", "0"),
        KEPT.replace("32768", "1"),
        KEPT.replace("32768", "33554432"),
        KEPT.replace(":8:", ":0:"),
        KEPT.replace(":3:", ":99:"),
        KEPT[:-1],
        KEPT + "A",
        KEPT.replace("Nw:", ":"),
    ],
)
def test_a_broken_line_is_named_by_its_user_and_never_shown(broken: str) -> None:
    with pytest.raises(InvalidSetting) as told:
        passwords.users(f"bob:{KEPT}\nann:{broken}")
    assert "'ann'" in str(told.value)
    assert "mmsearch password ann" in str(told.value)
    assert not any(part in str(told.value) for part in broken.split(":") if len(part) > 6)


@pytest.mark.parametrize("line", ["hunter22", KEPT.split(":")[-1], "ann"])
def test_a_line_without_a_name_is_not_shown(line: str) -> None:
    with pytest.raises(InvalidSetting, match="entry 1 is not NAME:HASH") as told:
        passwords.users(line)
    assert line not in str(told.value).replace("NAME", "")


def test_a_user_that_is_there_twice_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="'ann' is there twice"):
        passwords.users(f"ann:{KEPT},ann:{KEPT}")


@pytest.mark.parametrize("name", ["", "  ", "a:b", "a,b", "a\nb", "a\x00b", "x" * 257])
def test_a_name_that_could_not_be_set_is_refused(name: str) -> None:
    with pytest.raises(InvalidSetting, match="a name has 1 to 256 characters"):
        passwords.name(name)


def test_the_command_makes_a_line_from_a_pipe_that_the_setting_takes(tmp_path: Path) -> None:
    made = _password("Ann B", SAID + "\n", tmp_path)
    assert made.returncode == 0, made.stderr
    assert made.stdout.count("\n") == 1
    assert "MMSEARCH_USERS" in made.stderr
    assert SAID not in made.stdout + made.stderr
    (tmp_path / CONFIG_FILE).write_text(f'users = "{made.stdout.strip()}"\n')
    found = passwords.users(load(environment={}, folder=tmp_path).users)
    assert passwords.matches(SAID, found["Ann B"])


@pytest.mark.parametrize(("name", "typed"), [("ann", "short\n"), ("ann", ""), ("a:b", SAID)])
def test_the_command_refuses_what_would_not_work(name: str, typed: str, tmp_path: Path) -> None:
    made = _password(name, typed, tmp_path)
    assert (made.returncode, made.stdout) == (1, "")
    assert made.stderr.startswith("mmsearch: ")
    assert made.stderr.count("\n") == 1


@pytest.mark.parametrize(("again", "code"), [(SAID, 0), ("correct house", 1)])
def test_the_command_asks_twice_without_echo_at_a_terminal(
    again: str, code: int, tmp_path: Path
) -> None:
    terminal, side = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "ann"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
        stdin=side,
        stdout=subprocess.PIPE,
        stderr=side,
        text=True,
        start_new_session=True,
    )
    os.close(side)
    shown = b""
    for prompt, typed in ((b"New password of ann:", SAID), (b"The same again:", again)):
        while prompt not in shown:
            shown += os.read(terminal, 1000)
        os.write(terminal, f"{typed}\n".encode())
    made, _ = process.communicate(timeout=30)
    os.close(terminal)
    assert process.returncode == code
    assert SAID.encode() not in shown
    assert made.startswith("ann:scrypt:") if code == 0 else made == ""


def _password(name: str, typed: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, name],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
