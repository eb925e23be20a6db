"""A site that asks for a login, whose time the test sets."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from tests.ui.access.guarded import USERS, Clock, visit


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(clock: Clock) -> TestClient:
    return visit(users=USERS, clock=clock)
