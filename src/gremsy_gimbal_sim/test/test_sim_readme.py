# SPDX-License-Identifier: Apache-2.0
"""The README names what there is: presets, options, control lines, command lines that are taken."""

from __future__ import annotations

import inspect
import math
import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest

from gremsy_gimbal_sim import sim_payload
from gremsy_gimbal_sim.options.options import OPTION_GROUPS, PRESETS
from gremsy_gimbal_sim.serving import PayloadServer
from tools.test.document_tables import by_name

DOCUMENT = 'src/gremsy_gimbal_sim/README.md'
README = (Path(__file__).parents[1] / 'README.md').read_text(encoding='utf-8')
PAYLOAD_LINES = [
    line.partition(' #')[0]
    for block in re.findall(r'```sh\n(.*?)```', README, re.DOTALL)
    for line in block.splitlines()
    if ' sim_payload ' in line
]


def section(title: str) -> str:
    """Its text, up to the next one."""
    return README.partition(f'\n## {title}\n')[2].partition('\n## ')[0]


@pytest.mark.parametrize('line', PAYLOAD_LINES)
def test_the_simulated_payload_takes_the_command_line(line: str) -> None:
    arguments = shlex.split(line.partition(' sim_payload ')[2])
    sim_payload._payload_options(sim_payload._parser().parse_args(arguments))


def test_presets_are_those_of_the_source_with_their_numbers() -> None:
    def ms(seconds: float) -> str:
        return f'{1e3 * seconds:g}'

    told = by_name(DOCUMENT, '## The simulated payload')
    assert set(told) == set(PRESETS)
    ideal, gremsy, realistic, moving, old = (PRESETS[name] for name in told)
    assert told['ideal'].startswith(f'{ms(ideal.plant.delay_s)} ms delay, {ms(ideal.plant.lag_s)} ms lag,')
    dead_zone = f'a dead zone of {math.degrees(gremsy.plant.dead_zone_rad_s):g} deg/s'
    assert told['gremsy'] == f'{ms(gremsy.plant.delay_s)} and {ms(gremsy.plant.lag_s)} ms, {dead_zone}'
    for number in (
        f'{100 * realistic.zero_triple_share:g} % zero triples',
        f'{math.degrees(realistic.attitude_noise_rad):g} deg noise',
        f'{ms(realistic.attitude_age_s)} ms old telemetry',
        f'{100 * realistic.lost_byte_share:g} % lost bytes',
    ):
        assert number in told['realistic']
    sway = f'sways by {math.degrees(moving.vehicle_yaw_rad):g} deg in {moving.vehicle_period_s:g} s'
    window = f'a follow window of {math.degrees(moving.follow_window_rad):g} deg'
    assert sway in told['moving'] and window in told['moving']
    version, newer = ('.'.join(map(str, each.firmware)) for each in (old, ideal))
    assert f'firmware {version},' in told['old_firmware'] and f'the others have that of {newer}' in told['old_firmware']
    assert {name for name, each in PRESETS.items() if each.firmware != ideal.firmware} == {'old_firmware'}


def test_control_lines_are_taken() -> None:
    lines = re.search(
        r'Lines for `--control` \(.*?\): (.*?)\.$', section('The simulated payload'), re.DOTALL | re.MULTILINE
    )
    assert lines is not None
    shown = {each.split()[0] for each in re.findall(r'`([^`]+)`', lines[1])}
    assert shown == set(re.findall(r"case \['(\w+)'", inspect.getsource(PayloadServer.control)))


def test_options_are_those_of_the_source_in_their_groups() -> None:
    shown = {
        group: set(re.findall(r'`([^`]+)`', names))
        for group, names in by_name(DOCUMENT, '## Options', column=-1).items()
    }
    assert list(shown) == [group.__name__ for group in OPTION_GROUPS]
    for group in OPTION_GROUPS:
        assert shown[group.__name__] <= {field.name for field in fields(group)}
