# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gremsy_common.installing import is_managed, pip_install


@pytest.mark.parametrize(
    ('environment', 'managed', 'extra', 'command'),
    [
        ({}, False, '', 'python3 -m pip install tensorrt-rtx cuda-python'),
        ({}, True, '', 'python3 -m pip install --break-system-packages tensorrt-rtx cuda-python'),
        (
            {},
            True,
            'encode',
            'python3 -m pip install --break-system-packages tensorrt-rtx cuda-python',
        ),
        (
            {'GREMSY_ENVIRONMENT': 'wheels'},
            True,
            '',
            './gremsy exec python -m pip install tensorrt-rtx cuda-python',
        ),
        ({'GREMSY_ENVIRONMENT': 'wheels'}, True, 'encode', './gremsy setup --extra encode'),
    ],
)
def test_the_command_is_for_the_python_that_runs_the_suite(
    environment: dict[str, str], managed: bool, extra: str, command: str
) -> None:
    made = pip_install('tensorrt-rtx', 'cuda-python', extra=extra, environment=environment, managed=managed)
    assert made == command


def test_a_distributions_python_is_known_by_its_marker(tmp_path: Path) -> None:
    assert not is_managed(tmp_path, virtual=False)
    (tmp_path / 'EXTERNALLY-MANAGED').touch()
    assert is_managed(tmp_path, virtual=False)
    assert not is_managed(tmp_path, virtual=True)


def test_pip_of_such_a_python_refuses_without_that_option() -> None:
    """The truth from Debian 12's own Python, which has the marker as Ubuntu 24.04's has."""
    python = Path('/usr/bin/python3')
    if not list(Path('/usr/lib').glob('python3*/EXTERNALLY-MANAGED')):
        pytest.skip('The Python of this system takes what pip installs.')
    asked = [str(python), '-m', 'pip', 'install', '--dry-run', '--no-index', 'no-such-package-here']
    plain = subprocess.run(asked, capture_output=True, text=True, check=False)
    if 'No module named pip' in plain.stderr:
        pytest.skip('The Python of this system has no pip.')
    assert 'externally-managed-environment' in plain.stderr
    allowed = subprocess.run([*asked, '--break-system-packages'], capture_output=True, text=True, check=False)
    assert 'externally-managed-environment' not in allowed.stderr
