# SPDX-License-Identifier: Apache-2.0
"""Messages as text and back: as rosidl_runtime_py does it, which is what the `ros2` program shows and takes."""

import argparse

import pytest

pytest.importorskip('geometry_msgs.msg', reason='the workspace is not built: run ./gremsy setup')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import PointStamped, PoseWithCovariance
from rcl_interfaces.msg import ParameterDescriptor, ParameterType
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Byte, Float64, String
from std_srvs.srv import SetBool

from gremsy_bringup.ask.ask_arguments import parser, type_and_values
from gremsy_bringup.ask.ask_node import as_yaml, described
from gremsy_bringup.ask.field_messages import FieldError, fill, plain
from gremsy_bringup.film.recorder_parameters import RecorderParameters
from gremsy_common.parameters.parameter_declaration import descriptor
from gremsy_common.parameters.parameter_fields import specs_of


def test_text_is_that_of_ros2_topic_echo():
    """The text is what rosidl_runtime_py 0.14.0 makes of the same message (`message_to_yaml`)."""
    message = PointStamped()
    message.header.frame_id = 'eo_optical_frame'
    message.point.x = 320.0
    assert as_yaml(message, None) == (
        'header:\n  stamp:\n    sec: 0\n    nanosec: 0\n  frame_id: eo_optical_frame\n'
        'point:\n  x: 320.0\n  y: 0.0\n  z: 0.0\n'
    )


def test_a_parameter_is_described_as_ros2_param_describe_does():
    """With what the suite says of each beside: range in words, default, whether it is set at start only."""
    (spec,) = (each for each in specs_of(RecorderParameters) if each.name == 'rate_hz')
    assert described(descriptor(spec)) == [
        'Parameter name: rate_hz',
        '  Type: integer',
        '  Description: Constant frame rate of the film. [Hz]',
        '  Constraints:',
        '    Min value: 1',
        '    Max value: 120',
        '    Step: 1',
        '    Additional constraints: 1 .. 120; default: 30; set at start only',
    ]
    assert described(ParameterDescriptor(name='on', type=ParameterType.PARAMETER_BOOL_ARRAY, read_only=True)) == [
        'Parameter name: on',
        '  Type: boolean array',
        '  Constraints:',
        '    Read only: true',
    ]


def test_numpy_arrays_and_octets_are_plain_values():
    assert plain(PoseWithCovariance())['covariance'] == [0.0] * 36
    assert plain(Byte(data=b'\x07')) == {'data': '\x07'}
    assert plain(DiagnosticArray(status=[DiagnosticStatus(level=b'\x02', values=[KeyValue(key='a', value='b')])]))[
        'status'
    ] == [{'level': '\x02', 'name': '', 'message': '', 'hardware_id': '', 'values': [{'key': 'a', 'value': 'b'}]}]


def test_long_lists_are_shortened_and_say_how_long_they_are_and_sentences_stay_whole():
    shown = plain(Image(data=bytes(range(100))), 3)
    assert shown['data'] == [0, 1, 2, '... 100 in all']
    assert plain(String(data='abcdef'), 3) == {'data': 'abcdef'}


def test_values_from_yaml_get_the_types_of_the_fields():
    point = PointStamped()
    fill(point, {'header': 'auto', 'point': {'x': 320, 'y': 240.5}})
    assert (point.point.x, point.point.y, point.point.z) == (320.0, 240.5, 0.0)
    assert point.header.stamp.sec > 1_500_000_000
    state = JointState()
    fill(state, {'name': ['azimuth'], 'position': [1], 'header': {'stamp': 'now'}})
    assert state.name == ['azimuth'] and list(state.position) == [1.0] and state.header.stamp.sec > 1_500_000_000
    array = DiagnosticArray()
    fill(array, {'status': [{'name': 'a', 'level': 2, 'values': [{'key': 'k'}]}]})
    assert array.status[0].level == b'\x02' and array.status[0].values[0].key == 'k'
    pose = PoseWithCovariance()
    fill(pose, {'covariance': list(range(36))})
    assert pose.covariance[35] == 35.0


@pytest.mark.parametrize(
    ('message', 'values', 'sentence'),
    [
        (PointStamped(), {'pint': {}}, 'There is no field "pint": the message has header, point.'),
        (PointStamped(), {'point': {'w': 1}}, 'There is no field "point.w": point has x, y, z.'),
        (PointStamped(), {'point': 3}, 'point needs its fields by name, as in "{x: ..., y: ..., z: ...}", not 3.'),
        (
            PointStamped(),
            'text',
            'The message needs its fields by name, as in "{header: ..., point: ...}", not \'text\'.',
        ),
        (Float64(), {'data': 'much'}, 'Field "data" is double and cannot be \'much\'.'),
        (Float64(), {'data': True}, 'Field "data" is double and cannot be True.'),
        (SetBool.Request(), {'data': 1}, 'Field "data" is boolean and cannot be 1.'),
        (JointState(), {'position': 1.0}, 'Field "position" is sequence<double> and cannot be 1.0.'),
        (
            DiagnosticArray(),
            {'status': [{'values': [{'kee': 1}]}]},
            'There is no field "status[0].values[0].kee": status[0].values[0] has key, value.',
        ),
        (PoseWithCovariance(), {'covariance': [1.0]}, 'Field "covariance" is double[36] and cannot be [1.0].'),
        (Byte(), {'data': 256}, 'Field "data" is octet and cannot be 256.'),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(message, values, sentence):
    with pytest.raises(FieldError) as refused:
        fill(message, values)
    assert str(refused.value) == sentence


def test_a_type_may_be_said_as_ros2_wants_it():
    assert type_and_values(['geometry_msgs/msg/Twist', '{}']) == ('geometry_msgs/msg/Twist', '{}')
    assert type_and_values(['std_srvs/srv/Trigger']) == ('std_srvs/srv/Trigger', '')
    assert type_and_values(['{data: true}']) == (None, '{data: true}')
    assert type_and_values([]) == (None, '')
    with pytest.raises(ValueError, match='put the fields into one pair of quotes'):
        type_and_values(['{data:', 'true}'])


@pytest.mark.parametrize('words', [['--count', '0', 't'], ['--timeout', '-1', 't'], ['--timeout', 'nan', 't'], []])
def test_bad_options_end_with_status_2(words, capsys):
    with pytest.raises(SystemExit) as ended:
        parser('echo').parse_args(words)
    assert ended.value.code == 2 and 'echo: error:' in capsys.readouterr().err


def test_every_command_explains_itself():
    for name in ('topics', 'echo', 'rate', 'publish', 'call', 'param', 'log-level'):
        made = parser(name)
        assert isinstance(made, argparse.ArgumentParser) and made.format_help().startswith(f'usage: ./gremsy {name} ')
