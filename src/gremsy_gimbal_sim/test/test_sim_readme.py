# SPDX-License-Identifier: Apache-2.0
"""The README names what there is: presets, options, control lines, command lines that are taken."""

from __future__ import annotations

import inspect
import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest

from gremsy_gimbal_sim import sim_payload
from gremsy_gimbal_sim.options.options import OPTION_GROUPS, PRESETS
from gremsy_gimbal_sim.serving import PayloadServer

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


def table(title: str) -> dict[str, str]:
    """Last column by each name in the first; the first table of that section."""
    rows = [line.strip('|').split('|') for line in section(title).splitlines() if line.startswith('| ')]
    return {name: row[-1].strip() for row in rows[1:] for name in re.findall(r'`([^`]+)`', row[0])}


@pytest.mark.parametrize('line', PAYLOAD_LINES)
def test_the_simulated_payload_takes_the_command_line(line: str) -> None:
    arguments = shlex.split(line.partition(' sim_payload ')[2])
    sim_payload._payload_options(sim_payload._parser().parse_args(arguments))


def test_presets_are_those_of_the_source() -> None:
    assert set(table('The simulated payload')) == set(PRESETS)


def test_control_lines_are_taken() -> None:
    lines = re.search(
        r'Lines for `--control` \(.*?\): (.*?)\.$', section('The simulated payload'), re.DOTALL | re.MULTILINE
    )
    assert lines is not None
    shown = {each.split()[0] for each in re.findall(r'`([^`]+)`', lines[1])}
    assert shown == set(re.findall(r"case \['(\w+)'", inspect.getsource(PayloadServer.control)))


def test_options_are_those_of_the_source_in_their_groups() -> None:
    shown = {group: set(re.findall(r'`([^`]+)`', names)) for group, names in table('Options').items()}
    assert list(shown) == [group.__name__ for group in OPTION_GROUPS]
    for group in OPTION_GROUPS:
        assert shown[group.__name__] <= {field.name for field in fields(group)}
