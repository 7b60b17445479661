# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from gremsy_common.installing import pip_install


@pytest.mark.parametrize(
    ('environment', 'command'),
    [
        ({}, 'python -m pip install tensorrt-rtx cuda-python'),
        ({'GREMSY_ENVIRONMENT': 'wheels'}, './gremsy exec python -m pip install tensorrt-rtx cuda-python'),
    ],
)
def test_the_command_is_for_the_python_that_runs_the_suite(environment: dict[str, str], command: str) -> None:
    assert pip_install('tensorrt-rtx', 'cuda-python', environment=environment) == command
