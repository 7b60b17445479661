# SPDX-License-Identifier: Apache-2.0
"""The README names what there is: parameters, topics, services, JSON fields, command lines that are taken."""

from __future__ import annotations

import inspect
import json
import re
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from gremsy_common.parameters.parameter_docs import markdown_table, with_table
from gremsy_common.parameters.parameter_fields import specs_of
from gremsy_common.ros import topics
from gremsy_common.ros.transport.topic import Topic
from gremsy_common.types.control_state import ControlState
from gremsy_common.types.plant_model import PlantModel
from gremsy_gimbal_driver import gimbal_driver_node
from gremsy_gimbal_driver.attitude.joint_chain import JOINTS
from gremsy_gimbal_driver.cli import gremsy_gimbal
from gremsy_gimbal_driver.device.gimbal_device import SILENCE_NS
from gremsy_gimbal_driver.gimbal_driver_parameters import GimbalDriverParameters
from gremsy_gimbal_driver.goals.goal import GoalPath, GoalProgress, GoalState
from gremsy_gimbal_driver.links import link_keeper
from gremsy_gimbal_driver.mavlink import gimbal_protocol
from gremsy_gimbal_driver.motion import mode_machine
from gremsy_gimbal_driver.motion.mode_machine import ModeState
from gremsy_gimbal_driver.motion.motion_output import GimbalMode
from gremsy_gimbal_driver.ros import telemetry_topics
from gremsy_gimbal_sim import sim_payload
from tools.test.document_tables import by_name, names, rows

DOCUMENT = 'src/gremsy_gimbal_driver/README.md'
README = (Path(__file__).parents[1] / 'README.md').read_text(encoding='utf-8')
URDF = (Path(__file__).parents[2] / 'gremsy_bringup' / 'urdf' / 'gremsy.urdf.xacro').read_text(encoding='utf-8')
FRAMES = GimbalDriverParameters()
NODE = inspect.getsource(gimbal_driver_node)
CODE_LINES = [
    line.partition(' #')[0]
    for block in re.findall(r'```sh\n(.*?)```', README, re.DOTALL)
    for line in block.splitlines()
]


def section(title: str) -> str:
    """Its text, up to the next one."""
    return README.partition(f'\n## {title}\n')[2].partition('\n## ')[0]


def message_name(kind: type[Any]) -> str:
    package, _, _ = kind.__module__.partition('.')
    return f'{package}/{kind.__name__}'


def test_the_parameter_table_is_up_to_date() -> None:
    assert with_table(README, 'gimbal_driver', markdown_table(GimbalDriverParameters)) == README


def test_topics_are_those_of_the_source_with_their_types() -> None:
    names = set(re.findall(r'topics\.([A-Z_]+)', NODE + inspect.getsource(telemetry_topics)))
    used: list[Topic[Any]] = [getattr(topics, name) for name in names]
    assert by_name(DOCUMENT, '## Topics') == {topic.name: message_name(topic.message_type) for topic in used}


def test_services_are_those_of_the_source_with_their_types() -> None:
    served = dict.fromkeys(re.findall(r"triggered\('([^']+)'", NODE), 'std_srvs/Trigger')
    served |= dict.fromkeys(re.findall(r"switched\('([^']+)'", NODE), 'std_srvs/SetBool')
    assert len(served) == NODE.count('triggered(') + NODE.count('switched(') - 2
    assert by_name(DOCUMENT, '## Services') == served


def test_the_json_texts_have_the_fields_of_the_source() -> None:
    (block,) = re.findall(r'```json\n(.*?)```', README, re.DOTALL)
    goal = GoalProgress(3, 'operator', GoalState.MOVING, False, '', (0.0, 0.0), GoalPath.ANGLE)
    examples = [json.loads(each) for each in re.findall(r'\{.*?\}', block, re.DOTALL)]
    shown = {example.pop('topic'): example for example in examples}
    assert {name: list(example) for name, example in shown.items()} == {
        'gimbal/control': [each.name for each in fields(ControlState)],
        'gimbal/goal': list(json.loads(goal.to_json())),
        'gimbal/plant': [each.name for each in fields(PlantModel)],
    }
    assert ControlState.from_json(json.dumps(shown['gimbal/control'])).holder == 'operator'
    assert PlantModel.from_json(json.dumps(shown['gimbal/plant'])).source == 'calibrated'
    words = set(re.findall(r'`(\w+)`', section('Topics').partition('```json')[2]))
    assert {each.value for kind in (GoalState, GoalPath, ModeState) for each in kind} <= words


TOOL_LINES = [line for line in CODE_LINES if line.startswith('gremsy_gimbal ')]


@pytest.mark.parametrize('line', TOOL_LINES)
def test_the_tool_takes_the_command_line(line: str) -> None:
    _, *arguments = shlex.split(line)
    if arguments[0] == 'sim':
        sim_payload._payload_options(sim_payload._parser().parse_args(arguments[1:]))
    else:
        assert gremsy_gimbal._parser().parse_args(arguments).command == arguments[0]


def test_every_command_of_the_tool_has_an_example() -> None:
    actions = gremsy_gimbal._parser()._subparsers
    assert actions is not None
    (commands,) = [each.choices for each in actions._group_actions]
    assert {shlex.split(line)[1] for line in TOOL_LINES} == set(commands or ())


def test_topics_and_services_in_command_lines_exist() -> None:
    for line in CODE_LINES:
        words = shlex.split(line)
        if words[:3] == ['ros2', 'service', 'call']:
            name = words[3].replace('/robot/gimbal_driver/', '~/')
            assert by_name(DOCUMENT, '## Services')[name] == words[4].replace('/srv/', '/')
        elif words[:3] == ['ros2', 'topic', 'pub']:
            name = words[4].replace('/robot/gimbal_driver/', '~/')
            assert by_name(DOCUMENT, '## Topics')[name] == words[5].replace('/msg/', '/')
            assert isinstance(yaml.safe_load(words[6]), dict)


def test_the_modes_are_those_of_the_parameter_and_off() -> None:
    told = {row[0].strip('`'): row[2] for row in rows(DOCUMENT, '## Modes')}
    (mode,) = (spec for spec in specs_of(GimbalDriverParameters) if spec.name == 'mode')
    assert [*told] == [*mode.meta.choices, GimbalMode.OFF]
    assert [name for name, way in told.items() if way == 'default'] == [mode.default]
    assert [(told[name], f"switched('{told[name].strip('`')}'" in NODE) for name in ('lock', 'off')] == [
        ('`~/lock`', True),
        ('`~/motors`', True),
    ]


def test_the_frames_are_those_of_the_driver_and_of_the_urdf() -> None:
    (own, own_by, _), (urdf, *_), (joining, joining_by, _) = rows(DOCUMENT, '## Frames')
    assert names(own) == [f'<robot>/{FRAMES.level_frame}', f'<robot>/{FRAMES.camera_frame}', 'optical_frames']
    assert names(joining) == [f'<robot>/{FRAMES.base_frame}', f'<robot>/{FRAMES.level_frame}']
    links = re.findall(r'<link name="(?:\$\{frame\})?(\w+)"', URDF)
    base, *tips = names(urdf)
    assert base == f'<robot>/{FRAMES.base_frame}'
    chain = [FRAMES.base_frame, *(f'gimbal_{kind}_link' for kind in ('yaw', 'roll', 'pitch')), *tips]
    assert [each for each in links if each not in (FRAMES.level_frame, 'base_link')] == chain
    kinds = re.findall('yaw|roll|pitch', urdf)
    assert [f'gimbal_{kind}_joint' for kind in kinds] == [*JOINTS]
    assert '`joint_states`' in rows(DOCUMENT, '## Frames')[1][1] and '/tf' in own_by
    parameter, argument = names(joining_by)
    assert hasattr(GimbalDriverParameters(), parameter)
    assert f'arg name="{argument.partition(":=")[0]}"' in URDF


def test_the_times_of_what_it_says_when_something_is_wrong_are_those_of_the_source() -> None:
    told = dict(rows(DOCUMENT, '## What it says when something is wrong'))
    times = {
        'no such port': f'tried again every {link_keeper._LONGEST_WAIT_S:g} s at most',
        'something else is sending there': f'after {gimbal_protocol.PATIENCE_S:g} s',
        'the mode is not taken': f'asked for again every {mode_machine._SLOWLY_NS / 1e9:g} s',
    }
    for beginning, time in times.items():
        assert [what for when, what in told.items() if when.startswith(beginning) and time in what], (beginning, time)
    assert f'the mode is not taken within {mode_machine._GIVE_UP_NS / 1e9:g} s' in told
    assert any(f'is silent for {SILENCE_NS / 1e9:g} s' in when for when in told)
