"""What guessing at passwords costs, and how often visitors search."""

from __future__ import annotations

import asyncio
import time

import pytest
from fastapi.testclient import TestClient

from mmsearch.config import Settings
from tests.ui.access.guarded import (
    HTML,
    PASSWORDS,
    USERS,
    Clock,
    asking,
    basic,
    header,
    sign_in,
    site,
)
from tests.ui.loops import run
from ui.access import limits, passwords
from ui.access.guard import Access
from ui.access.logins import (
    FAILURES_PER_ADDRESS,
    FAILURES_PER_USER,
    HASHES_WAITING,
    WINDOW,
    Logins,
    Refused,
)


def test_guessing_at_a_user_is_stopped_and_goes_on_later(client: TestClient, clock: Clock) -> None:
    for _ in range(FAILURES_PER_USER):
        assert sign_in(client, "ann", "wrong one").status_code == 401
        clock.now += 1
    stopped = sign_in(client)
    assert stopped.status_code == 429
    assert int(stopped.headers["retry-after"]) == WINDOW - FAILURES_PER_USER
    assert client.get("/", headers=basic("ann:wrong one")).status_code == 429
    assert "10 minutes" in sign_in(client, headers=HTML).text
    assert sign_in(client, "Jörg").status_code == 200
    clock.now += WINDOW - FAILURES_PER_USER
    assert sign_in(client).status_code == 200


def test_guessing_at_many_users_is_stopped() -> None:
    access = Access(Settings(users=USERS))
    app = site(access)
    near, far = (
        TestClient(app, base_url="http://localhost", client=(address, 1))
        for address in ("2001:db8::1", "2001:db8:0:1::1")
    )
    neighbour = TestClient(app, base_url="http://localhost", client=("2001:db8::2", 1))
    names = ["ann", "Jörg"] * 10
    for number, name in enumerate(names):
        wrong = "wrong one" if number % 2 else "wrong two"
        assert sign_in(near, name, wrong).status_code == (401 if number < 10 else 429)
    # Those that were stopped did not count; other names bring it to the limit.
    for number in range(FAILURES_PER_ADDRESS - 10):
        assert sign_in(near, f"user {number}").status_code == 401
    assert sign_in(near).status_code == 429
    assert sign_in(neighbour).status_code == 429
    assert sign_in(far).status_code == 200


def test_signing_in_forgets_the_failures_before(client: TestClient) -> None:
    for _ in range(3):
        for _ in range(FAILURES_PER_USER - 1):
            assert sign_in(client, "ann", "wrong one").status_code == 401
        assert sign_in(client).status_code == 200


def test_few_passwords_are_hashed_at_a_time() -> None:
    logins = Logins(passwords.users(USERS))

    async def many() -> list[str | Refused]:
        tries = [logins.check("ann", "wrong one", f"192.0.2.{number}") for number in range(100)]
        return await asyncio.gather(*tries)

    answers = run(many())
    assert answers.count(Refused()) == HASHES_WAITING
    assert answers.count(Refused(1.0)) == 100 - HASHES_WAITING


def test_an_unknown_name_costs_what_a_known_one_does() -> None:
    known = passwords.new_hash("correct horse")
    logins = Logins({"ann": known})

    async def seconds(name: str) -> float:
        start = time.perf_counter()
        assert await logins.check(name, "wrong one", name) == Refused()
        return time.perf_counter() - start

    assert run(seconds("bob")) > run(seconds("ann")) / 5  # not for nothing


def test_a_refused_login_is_in_the_log_as_one_line(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    sign_in(client, "ann\nroot", "wrong one")
    (line,) = [
        record.getMessage() for record in caplog.records if record.name == "ui.access.logins"
    ]
    assert line == "sign-in refused: user 'ann\\nroot' from 192.0.2.1"


def test_many_guesses_at_once_are_no_more_than_one_after_the_other() -> None:
    app = site(Access(Settings(users=USERS)))

    async def guess() -> list[int]:
        tries = [asking(app, headers=header(f"ann:guess {number}")) for number in range(40)]
        return [answer["status"] for answer in await asyncio.gather(*tries)]

    codes = run(guess())
    assert codes.count(401) == FAILURES_PER_USER
    assert codes.count(429) == 40 - FAILURES_PER_USER


def test_many_requests_at_once_with_the_right_password_all_pass() -> None:
    app = site(Access(Settings(users=USERS)))

    async def ask() -> list[int]:
        tries = [asking(app, headers=header(f"ann:{PASSWORDS['ann']}")) for _ in range(40)]
        return [answer["status"] for answer in await asyncio.gather(*tries)]

    assert run(ask()) == [200] * 40


def test_what_is_counted_stays_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setattr(limits, "MAX_VISITORS", 50)
    failures, rate = limits.Failures(window=600, clock=clock), limits.Rate(1, clock=clock)
    for number in range(200):
        failures.add(number, 5)
        rate.wait(str(number))
    assert len(failures._times) == len(rate._buckets) == 50
    for _ in range(200):
        failures.add("one", 5)
    assert len(failures._times["one"]) == 5
