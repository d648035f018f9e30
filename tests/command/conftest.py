"""For every test of commands: a desk of its own."""

from __future__ import annotations

import pytest
from tests.command.desk import Desk


@pytest.fixture
def desk() -> Desk:
    return Desk()
