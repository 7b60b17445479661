# SPDX-License-Identifier: Apache-2.0
"""From docker/.env to parameters, held against what the nodes themselves take."""

import re
from pathlib import Path

import pytest
import yaml

from gremsy_bringup.deployment.environment_parameters import VariableError, main, parameters_of, robot_file

SHARED = Path(__file__).parents[1] / 'config' / 'gremsy.yaml'


def never(_path):
    return False


def of(environment, robot=None, is_file=never):
    sections = parameters_of(environment, robot or {}, is_file)
    return {node: content['ros__parameters'] for node, content in sections.items()}


def test_the_address_of_the_gimbal_is_enough_for_link_and_video():
    said = of({'GREMSY_IP': '192.168.12.240'})
    assert said['/**/gimbal_driver'] == {'link': 'udp://192.168.12.240:14566'}
    assert said['/**/eo/camera'] == {'source': 'rtsp://192.168.12.240:8554/payload'}


def test_what_is_said_apart_wins_over_the_address():
    said = of(
        {
            'GREMSY_IP': '192.168.12.240',
            'GREMSY_LINK': 'serial:///dev/gimbal?baud=115200',
            'EO_SOURCE': '/dev/camera',
            'EO_FIELD_DEG': '62.5',
        }
    )
    assert said['/**/gimbal_driver'] == {'link': 'serial:///dev/gimbal?baud=115200'}
    assert said['/**/eo/camera'] == {'source': '/dev/camera', 'horizontal_field_deg': 62.5}


def test_the_robots_own_file_wins_and_comes_last():
    robot = {
        '/**/eo/camera': {'ros__parameters': {'source': 'sim:'}},
        '/**/eo/tracker': {'ros__parameters': {'zoom_control': True}},
        '/**/detector': None,
    }
    environment = {'EO_SOURCE': '/dev/camera', 'EO_FIELD_DEG': '60', 'GREMSY_IP': '10.0.0.1', 'MODEL': '/models/a.onnx'}
    said = of(environment, robot)
    assert said['/**/eo/camera'] == {'source': 'sim:', 'horizontal_field_deg': 60.0}
    assert said['/**/detector'] == {'model': '/models/a.onnx'}
    assert list(said)[-3:] == list(robot)


def test_nested_namespaces_of_the_robots_file_are_left_as_they_are():
    nested = {'robot': {'eo': {'camera': {'ros__parameters': {'source': 'sim:'}}}}}
    assert parameters_of({}, nested, never)['robot'] == nested['robot']


def test_empty_variables_are_not_there():
    names = (
        'GREMSY_IP',
        'GREMSY_LINK',
        'EO_SOURCE',
        'IR_SOURCE',
        'EO_FIELD_DEG',
        'MODEL',
        'ENGINES',
        'PORT',
        'CAMERAS',
    )
    assert of(dict.fromkeys(names, '')) == {'/**/web': {'host': '0.0.0.0'}}


@pytest.mark.parametrize(
    ('environment', 'cameras'),
    [
        ({}, None),
        ({'CAMERAS': 'eo ir:camera+stream'}, ['eo', 'ir']),
        ({'CAMERAS': 'front,rear'}, ['front', 'rear']),
        ({'COMPOSE_PROFILES': 'recording,ir'}, ['eo', 'ir']),
        ({'CAMERAS': 'eo ir', 'COMPOSE_PROFILES': 'ir'}, ['eo', 'ir']),
        ({'COMPOSE_PROFILES': 'monitoring'}, None),
    ],
)
def test_the_page_knows_every_camera(environment, cameras):
    assert of(environment)['/**/web'].get('cameras') == cameras


def test_profiles_reach_the_nodes_of_this_container():
    said = of({'COMPOSE_PROFILES': 'recording,ir'})
    assert said['/**/stream'] == {'when': 'always'}
    assert said['/**/gimbal_driver'] == {'optical_frames': ['eo_optical_frame', 'ir_optical_frame']}
    assert '/**/gimbal_driver' not in of({'CAMERAS': 'eo ir'})


def test_the_keys_are_a_secret_file_where_there_is_one():
    assert of({}, is_file=lambda path: str(path) == '/run/secrets/gremsy_keys')['/**/web'] == {
        'host': '0.0.0.0',
        'keys_file': '/run/secrets/gremsy_keys',
    }


def test_every_parameter_is_one_of_its_node():
    known = yaml.safe_load(SHARED.read_text())
    environment = dict.fromkeys(
        ('GREMSY_IP', 'EO_SOURCE', 'EO_FIELD_DEG', 'IR_SOURCE', 'IR_FIELD_DEG', 'MODEL', 'ENGINES', 'PORT'), '7'
    )
    for node, values in of({**environment, 'COMPOSE_PROFILES': 'ir,recording'}, is_file=lambda _: True).items():
        name = node.rpartition('/')[2]
        (section,) = (content for pattern, content in known.items() if pattern.endswith(f'/{name}'))
        assert set(values) <= set(section['ros__parameters']), node


@pytest.mark.parametrize(
    ('name', 'value', 'sentence'),
    [
        ('PORT', '80 80', "PORT is '80 80' in .env: give a number from 1 to 65535, or nothing."),
        ('PORT', '0', "PORT is '0' in .env: give a number from 1 to 65535, or nothing."),
        ('PORT', '99999', "PORT is '99999' in .env: give a number from 1 to 65535, or nothing."),
        ('EO_FIELD_DEG', 'wide', "EO_FIELD_DEG is 'wide' in .env: give a number from 1 to 179, or nothing."),
        ('IR_FIELD_DEG', 'nan', "IR_FIELD_DEG is 'nan' in .env: give a number from 1 to 179, or nothing."),
    ],
)
def test_a_number_that_is_none_is_named(name, value, sentence):
    with pytest.raises(VariableError, match=f'^{re.escape(sentence)}$'):
        parameters_of({name: value}, {}, never)


@pytest.mark.parametrize('text', ['- a\n', 'a: 1\n', 'a: {ros__parameters: 3}\n'])
def test_a_file_that_is_no_parameter_file_is_named(tmp_path, text):
    path = tmp_path / 'my_robot.yaml'
    path.write_text(text)
    with pytest.raises(VariableError, match='is not a parameter file: write'):
        robot_file(path)


def test_a_file_that_is_no_yaml_is_named_and_no_file_is_nothing(tmp_path):
    path = tmp_path / 'my_robot.yaml'
    assert robot_file(path) == {}
    path.write_text('')
    assert robot_file(path) == {}
    path.write_text('a: [')
    with pytest.raises(VariableError, match='cannot be read'):
        robot_file(path)


def test_the_program_writes_a_file_or_ends_with_a_sentence(tmp_path, monkeypatch, capsys):
    shipped = SHARED.parent / 'my_robot.yaml'
    monkeypatch.setenv('ROBOT_FILE', str(shipped))
    monkeypatch.setenv('MODEL', '/models/a.onnx')
    target = tmp_path / 'robot.yaml'
    main([str(target)])
    written = yaml.safe_load(target.read_text())
    own = yaml.safe_load(shipped.read_text())
    assert {node: written[node] for node in own} == own
    monkeypatch.setenv('PORT', 'none')
    with pytest.raises(SystemExit) as ended:
        main([str(target)])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "PORT is 'none' in .env: give a number from 1 to 65535, or nothing.\n"
