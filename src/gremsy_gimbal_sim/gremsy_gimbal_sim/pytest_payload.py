# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the simulated payload for any package: `pytest_plugins = ['gremsy_gimbal_sim.pytest_payload']`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from gremsy_gimbal_sim.payload_fixture import RunningPayload, running_payload


@pytest.fixture
def run_payload() -> Iterator[Callable[..., RunningPayload]]:
    """Call it with the arguments of `running_payload`; what it started ends with the test."""
    with ExitStack() as stack:
        yield lambda *given, **named: stack.enter_context(running_payload(*given, **named))
