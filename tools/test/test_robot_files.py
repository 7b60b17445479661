# SPDX-License-Identifier: Apache-2.0
"""docker/robot: what a robot's own machine is told, read by the programs that read it there."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROBOT = Path(__file__).resolve().parents[2] / 'docker' / 'robot'
UNITS = sorted((ROBOT / 'systemd').iterdir())
RULES = ROBOT / 'udev' / '80-gremsy.rules'


@pytest.mark.skipif(not shutil.which('systemd-analyze'), reason='systemd-analyze is missing')
def test_systemd_takes_the_units():
    done = subprocess.run(
        ['systemd-analyze', 'verify', '--man=no', *UNITS], capture_output=True, text=True, check=False
    )
    # What it says of the machine's other units is none of ours.
    ours = [line for line in done.stderr.splitlines() if 'gremsy' in line and 'docker.service' not in line]
    assert ours == []


def test_udev_takes_the_rules():
    udevadm = shutil.which('udevadm')
    helped = subprocess.run([udevadm, 'verify', '--help'], capture_output=True, check=False) if udevadm else None
    if helped is None or helped.returncode != 0:
        pytest.skip('udevadm verify (systemd 254 or newer) is missing')
    done = subprocess.run([udevadm, 'verify', '--no-style', RULES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_of_keys_that_udev_has_and_name_the_two_devices():
    # Keys: udev(7). Every rule asks something and gives a name.
    term = re.compile(r'(SUBSYSTEMS?|ATTRS?\{\w+\}|SYMLINK|GROUP|MODE|ENV\{\w+\})(==|\+=|=)"[^"]*"')
    links = set()
    for line in RULES.read_text().splitlines():
        if line and not line.startswith('#'):
            assert all(term.fullmatch(part) for part in line.split(', ')), line
            links |= set(re.findall(r'SYMLINK\+="([^"]*)"', line))
    assert links == {'gremsy/gimbal', 'gremsy/camera'}


@pytest.mark.skipif(not shutil.which('shellcheck'), reason='shellcheck is missing')
def test_shellcheck_takes_the_agent():
    done = subprocess.run(['shellcheck', ROBOT / 'agent'], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
