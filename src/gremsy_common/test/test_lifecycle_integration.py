# SPDX-License-Identifier: Apache-2.0
"""What anybody may ask of a node's lifecycle, by the services that ROS gives to every one of them."""

import gc
import time
from dataclasses import dataclass

import pytest

rclpy = pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.parameter import Parameter

from gremsy_common.parameters.parameter_fields import NodeParameters, ParameterError, Span, live_param, param
from gremsy_common.ros.diagnostics import Health, Level
from gremsy_common.ros.suite_node import SuiteNode

pytestmark = pytest.mark.integration

# A program of its own, so that the request comes as anybody's would; it says whether it was granted.
ASKING = """
from lifecycle_msgs.srv import ChangeState
client = node.create_client(ChangeState, '/resting/change_state')
while spin_some() and not client.service_is_ready():
    pass
for number in ({numbers}):
    request = ChangeState.Request()
    request.transition.id = number
    answer = client.call_async(request)
    while spin_some() and not answer.done():
        pass
    print(answer.result().success, flush=True)
while spin_some():
    pass
"""


LISTENING = """
from diagnostic_msgs.msg import DiagnosticArray
def told(array):
    for status in array.status:
        if status.name == '/resting' and status.level == b'\\x01':
            print('WARN', status.message, flush=True)
listener = node.create_subscription(DiagnosticArray, '/diagnostics', told, 10)
while spin_some():
    pass
"""


@dataclass(frozen=True)
class NoParameters(NodeParameters):
    pass


class Resting(SuiteNode[NoParameters]):
    node_name = 'resting'
    parameters_type = NoParameters


def test_a_transition_that_there_is_none_of_now_is_refused_and_ends_nothing(host, foreign):
    host.run(Resting)
    # configure and activate of one that is active, and a number that is none; then deactivate, which works.
    asking = foreign(ASKING.format(numbers='1, 3, 99, 4'))
    assert [asking.line() for _ in range(4)] == ['False', 'False', 'False', 'True']
    assert host.crash is None
    assert host.nodes[0].diagnostics.last_error == (
        "The transition '99' was asked of /resting, which has none of the kind while it is active: ask it for its "
        'available transitions first.'
    )


@pytest.mark.parametrize('arguments', [[], ['--ros-args', '-p', 'use_sim_time:=true']])
def test_timers_go_whatever_becomes_of_the_clock(host_with, until, arguments):
    """One that is set back, simulated and sent by nobody, or standing still."""
    host = host_with(arguments)
    host.run(Resting)
    node = host.nodes[0]
    fired = []
    host.on_executor(lambda: node.every(0.1, lambda: fired.append(1)))
    assert {timer.clock.clock_type.name for timer in node.timers} == {'STEADY_TIME'}
    until(lambda: len(fired) > 1)


def test_now_is_the_clock_that_rclpy_has_simulated_or_not(host_with):
    host = host_with(['--ros-args', '-p', 'use_sim_time:=true'])
    host.run(Resting)
    node = host.nodes[0]
    assert node.now_ns() == node.get_clock().now().nanoseconds == 0  # nobody sends a /clock
    node.set_parameters([Parameter('use_sim_time', value=False)])
    before_ns = node.get_clock().now().nanoseconds
    assert before_ns <= node.now_ns() <= node.get_clock().now().nanoseconds


def test_a_simulated_clock_that_nobody_sends_is_said_in_diagnostics_that_come_all_the_same(host_with, foreign):
    host = host_with(['--ros-args', '-p', 'use_sim_time:=true'])
    host.run(Resting)
    listening = foreign(LISTENING)
    assert listening.line() == (
        'WARN `use_sim_time` is set and nothing comes on /clock, so no stamp can be compared with now: start what '
        'publishes it (`ros2 bag play --clock 100`, a simulator), or set `use_sim_time` to false.'
    )


class Ailing(Resting):
    told = Health()

    def health(self) -> Health:
        return self.told


def test_a_clock_that_does_not_come_is_said_and_not_what_may_come_of_it(host_with, until):
    host = host_with(['--ros-args', '-p', 'use_sim_time:=true'])
    (node,) = host.run(Ailing)
    node.told = Health(Level.STALE, 'Nothing comes.')
    until(lambda: node._own_health().message != 'Nothing comes.')
    assert node._own_health() == Health(
        Level.STALE,
        '`use_sim_time` is set and nothing comes on /clock, so no stamp can be compared with now: start what publishes '
        'it (`ros2 bag play --clock 100`, a simulator), or set `use_sim_time` to false.',
    )


def test_an_error_of_a_time_that_is_over_is_not_shown_as_of_now(host):
    host.run(Ailing)
    node = host.nodes[0]
    node.told = Health(Level.STALE, 'Nothing comes.')
    time.sleep(0.5)
    node.report_error('The wire is cut.')
    node.told = Health()
    end_s = time.monotonic() + 5.0
    while node.diagnostics.recent_error and time.monotonic() < end_s:
        time.sleep(0.05)
    assert not node.diagnostics.recent_error and node.diagnostics.last_error == 'The wire is cut.'
    # One of a node that does its work is shown for a while.
    node.report_error('A page was lost.')
    time.sleep(0.5)
    assert node.diagnostics.recent_error


@dataclass(frozen=True)
class SomeParameters(NodeParameters):
    size_m: float = param(1.0, 'How large it is.', Span(0.5, unit='m'))
    names: tuple[str, ...] = param(('a',), 'Of what.')
    weights: tuple[float, ...] = live_param((1.0,), 'Of what.')


class Some(SuiteNode[SomeParameters]):
    node_name = 'some'
    parameters_type = SomeParameters


def set_to(node, name, value, kind=None):
    """As a service call does; the refusal's sentence, empty for none."""
    result = node.set_parameters_atomically([Parameter(name, kind, value)])
    return '' if result.successful else result.reason


@pytest.fixture
def no_garbage_collection():
    """What lives until then is not gone."""
    gc.disable()
    yield
    gc.enable()


def test_a_node_that_was_closed_is_seen_no_more(host, no_garbage_collection):
    witness = rclpy.create_node('witness')
    node = Some(host)
    node.start()
    assert 'some' in witness.get_node_names()
    node.close()
    assert 'some' not in witness.get_node_names()
    witness.destroy_node()


def test_a_node_that_its_parameters_do_not_let_start_is_not_seen(host_with, no_garbage_collection):
    host = host_with(['--ros-args', '-p', 'size_m:=0.1'])
    witness = rclpy.create_node('witness')
    with pytest.raises(ParameterError) as refused:
        Some(host)
    assert str(refused.value) == '/some: Parameter `size_m` is 0.1, out of its range: use 0.5 or more m.'
    assert 'some' not in witness.get_node_names()
    witness.destroy_node()


def test_what_is_read_at_the_start_can_be_set_until_then_and_is_read_only_afterwards(host):
    host.nodes.append(node := Some(host))
    assert not node.describe_parameter('size_m').read_only
    assert set_to(node, 'size_m', 2) == ''
    assert (node.parameters.size_m, node.get_parameter('size_m').value) == (2.0, 2.0)

    node.trigger_configure()
    assert node.describe_parameter('size_m').read_only
    assert not node.describe_parameter('weights').read_only
    assert set_to(node, 'size_m', 3.0) == (
        'Parameter `size_m` cannot change while the node runs: set it in the parameter file and restart.'
    )
    # A dump of all parameters that is loaded again.
    assert set_to(node, 'size_m', 2.0) == ''
    node.trigger_cleanup()
    assert set_to(node, 'size_m', 3.0) == ''
    assert node.parameters.size_m == 3.0


@pytest.mark.parametrize(
    ('value', 'kind'),
    [
        # What `ros2 param set` makes of `[]`; `['']` is how ROS's users empty a list in a parameter file.
        ([], Parameter.Type.BOOL_ARRAY),
        ([''], Parameter.Type.STRING_ARRAY),
    ],
)
@pytest.mark.parametrize('name', ['names', 'weights'])
def test_a_list_can_be_emptied_and_filled_again(name, value, kind, host):
    host.nodes.append(node := Some(host))
    before = list(getattr(node.parameters, name))
    assert set_to(node, name, value, kind) == ''
    assert (getattr(node.parameters, name), list(node.get_parameter(name).value)) == ((), [])
    assert set_to(node, name, before) == ''
    assert list(getattr(node.parameters, name)) == list(node.get_parameter(name).value) == before


@pytest.mark.parametrize(
    ('name', 'value', 'sentence'),
    [
        ('size_m', 0.1, 'Parameter `size_m` is 0.1, out of its range: use 0.5 or more m.'),
        ('size_m', 'large', "Parameter `size_m` is 'large': use a number."),
        ('size', 1.0, '/some has no parameter `size`: did you mean `size_m`?'),
        ('colour', 1.0, '/some has no parameter `colour`: `ros2 param list /some` names those that it has.'),
        ('weights', ['heavy'], "Parameter `weights` is 'heavy': use a number."),
        # `ros2 param delete`.
        ('size_m', None, 'Parameter `size_m` cannot be removed: set it to another value.'),
        # rclpy's own, of which it says "Wrong parameter type, expected 'Type.BOOL' got 'Type.STRING'".
        ('use_sim_time', 'yes', "Parameter `use_sim_time` is 'yes': use true or false."),
        # It was said to be done.
        (
            'qos_overrides./some.depth',
            2,
            'Parameter `qos_overrides./some.depth` cannot change while the node runs: set it in the parameter file and '
            'restart.',
        ),
    ],
)
def test_a_value_that_is_refused_is_refused_in_one_sentence(name, value, sentence, host):
    host.nodes.append(node := Some(host))
    node.declare_parameter('qos_overrides./some.depth', 1, ParameterDescriptor(read_only=True))
    before = node.parameters
    assert set_to(node, 'qos_overrides./some.depth', 1) == ''
    assert set_to(node, name, value) == sentence
    assert node.parameters == before
