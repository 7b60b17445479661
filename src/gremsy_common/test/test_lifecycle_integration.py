# SPDX-License-Identifier: Apache-2.0
"""What anybody may ask of a node's lifecycle, by the services that ROS gives to every one of them."""

from dataclasses import dataclass

import pytest

pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')

from gremsy_common.parameters.parameter_fields import NodeParameters
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


def test_timers_go_by_the_monotonic_clock_so_that_a_clock_that_is_set_back_stops_none(host):
    host.run(Resting)
    node = host.nodes[0]
    node.every(0.1, lambda: None)
    assert {timer.clock.clock_type.name for timer in node.timers} == {'STEADY_TIME'}


def test_timers_go_by_simulated_time_where_there_is_one(host_with):
    host = host_with(['--ros-args', '-p', 'use_sim_time:=true'])
    host.run(Resting)
    assert {timer.clock.clock_type.name for timer in host.nodes[0].timers} == {'ROS_TIME'}
