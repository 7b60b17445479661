# SPDX-License-Identifier: Apache-2.0
"""`./gremsy topics | echo | rate | publish | call | param | log-level` against a node of rclpy alone."""

import threading

import pytest

rclpy = pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')

from geometry_msgs.msg import PointStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.logging import LoggingSeverity
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import String
from std_srvs.srv import SetBool

from gremsy_bringup.ask import ask_node

pytestmark = pytest.mark.integration


class Talker:
    """A best-effort topic at 20 Hz, a latched one, a listener, a service and a parameter."""

    def __init__(self):
        self.context = rclpy.context.Context()
        rclpy.init(args=[], context=self.context, signal_handler_options=SignalHandlerOptions.NO)
        self.node = node = rclpy.create_node('talker', namespace='/there', context=self.context)
        node.declare_parameter('gain', 1.5)
        best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.points = node.create_publisher(PointStamped, 'points', best_effort)
        self.kept = node.create_publisher(String, 'kept', latched)
        self.kept.publish(String(data='said before'))
        self.events = node.create_publisher(String, 'events', QoSProfile(depth=10, durability=latched.durability))
        for number in range(8):
            self.events.publish(String(data=f'event {number}'))
        self.got = []
        node.create_subscription(PointStamped, 'select', self.got.append, 10)
        node.create_service(SetBool, 'arm', self.arm)
        node.create_timer(0.05, lambda: self.points.publish(PointStamped()))
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.spin)
        self.thread.start()

    @staticmethod
    def arm(request, response):
        response.success, response.message = request.data, 'armed' if request.data else 'refused'
        return response

    def spin(self):
        executor = SingleThreadedExecutor(context=self.context)
        executor.add_node(self.node)
        while not self.over.is_set():
            executor.spin_once(timeout_sec=0.1)

    def close(self):
        self.over.set()
        self.thread.join()
        self.node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture(scope='module')
def talker():
    made = Talker()
    yield made
    made.close()


@pytest.fixture
def ask(talker, capsys):
    def run(*words):
        with pytest.raises(SystemExit) as ended:
            ask_node.main([*words, '--timeout', '20'] if '--timeout' not in words else words)
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return run


def test_topics_and_services_are_listed_with_type_and_ends(ask):
    status, out, _ = ask('topics', '/there/')
    assert status == 0
    assert [line.split() for line in out.splitlines()] == [
        ['/there/events', 'std_msgs/msg/String', '1', '->', '0'],
        ['/there/kept', 'std_msgs/msg/String', '1', '->', '0'],
        ['/there/points', 'geometry_msgs/msg/PointStamped', '1', '->', '0'],
        ['/there/select', 'geometry_msgs/msg/PointStamped', '0', '->', '1'],
    ]
    assert ask('topics', '--services', '/there/arm')[:2] == (0, '/there/arm  std_srvs/srv/SetBool\n')


def test_best_effort_and_latched_topics_are_heard(ask):
    status, out, _ = ask('echo', '/there/points', '--count', '2')
    assert status == 0 and out.count('---') == 2 and 'x: 0.0' in out
    assert ask('echo', '/there/kept', '--once')[:2] == (0, 'data: said before\n---\n')
    status, out, _ = ask('rate', '/there/points', '--count', '2')
    assert status == 0 and len(out.splitlines()) == 2 and ' Hz, longest pause ' in out.splitlines()[1]


def test_of_several_messages_that_were_kept_the_newest_are_shown(ask):
    assert ask('echo', '/there/events', '--once')[:2] == (0, 'data: event 7\n---\n')
    assert ask('echo', '/there/events', '--count', '2')[:2] == (0, 'data: event 6\n---\ndata: event 7\n---\n')


def test_a_latched_message_is_shown_whose_publisher_is_discovered_after_a_listener(ask, monkeypatch):
    discovered, asked = Node.get_publishers_info_by_topic, []

    def later(node, topic):
        asked.append(topic)
        return discovered(node, topic) if len(asked) > 2 else []

    monkeypatch.setattr(Node, 'get_publishers_info_by_topic', later)
    assert ask('echo', '/there/kept', '--once')[:2] == (0, 'data: said before\n---\n')


def test_a_message_is_published_to_who_listens(ask, talker):
    assert ask('publish', '/there/select', '{header: auto, point: {x: 320, y: 240}}')[0] == 0
    for _ in range(200):
        if talker.got:
            break
        threading.Event().wait(0.05)
    assert (talker.got[0].point.x, talker.got[0].point.y) == (320.0, 240.0)


def test_a_service_answers_and_its_no_is_status_1(ask):
    assert ask('call', '/there/arm', '{data: true}')[:2] == (0, 'success: true\nmessage: armed\n')
    assert ask('call', '/there/arm', 'std_srvs/srv/SetBool', '{data: false}')[:2] == (
        1,
        'success: false\nmessage: refused\n',
    )


def test_parameters_are_shown_and_changed(ask):
    assert 'gain: 1.5' in ask('param', 'list', '/there/talker')[1].splitlines()
    assert ask('param', 'set', '/there/talker', 'gain', '2.5')[0] == 0
    assert ask('param', 'get', '/there/talker', 'gain')[:2] == (0, '2.5\n')
    assert ask('param', 'describe', '/there/talker', 'gain')[:2] == (
        0,
        'Parameter name: gain\n  Type: double\n  Constraints:\n',
    )
    status, _, err = ask('param', 'set', '/there/talker', 'gain', 'much')
    assert status == 1 and 'Wrong parameter type' in err


def test_a_level_of_the_log_is_changed_where_the_node_has_a_way(talker, ask):
    status, _, err = ask('log-level', '/there/talker', 'debug')
    assert (status, err) == (
        2,
        'Node /there/talker has a log level that cannot be changed: it has no service /there/talker/set_logger_levels '
        '(enable_logger_service in its options, from Iron on).\n',
    )
    # As the suite's nodes are on Humble, which has no such services.
    talker.node.declare_parameter('log_level', 'default')
    assert ask('log-level', 'there/talker', 'warn')[0] == 0
    assert ask('log-level', '/there/talker')[:2] == (0, 'warn\n')
    assert talker.node.get_parameter('log_level').value == 'warn'
    # ROS's own services, of rclpy.
    context = talker.context
    served = rclpy.create_node('served', namespace='/there', context=context, enable_logger_service=True)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(served)
    over = threading.Event()
    thread = threading.Thread(target=lambda: [executor.spin_once(timeout_sec=0.1) for _ in iter(over.is_set, True)])
    thread.start()
    try:
        assert ask('log-level', '/there/served')[:2] == (0, 'default\n')
        assert ask('log-level', '/there/served', 'error')[0] == 0
        assert ask('log-level', '/there/served')[:2] == (0, 'error\n')
        assert served.get_logger().get_effective_level() == LoggingSeverity.ERROR
    finally:
        over.set()
        thread.join()
        served.destroy_node()


@pytest.mark.parametrize(
    ('words', 'sentence'),
    [
        (['echo', '/nobody'], 'There is no topic /nobody: `./gremsy topics` lists those that are there.'),
        (['call', '/nobody'], 'There is no service /nobody: `./gremsy topics --services` lists those that are there.'),
        (['call', '/there/arm', '{date: true}'], 'There is no field "date": the message has data.'),
        (
            ['call', '/there/arm', '{data'],
            '\'{data\' is not YAML (ParserError: while parsing a flow mapping): "{data: true}" is.',
        ),
        (
            ['call', '/there/arm', 'no_such_srvs/srv/X'],
            'Type no_such_srvs/srv/X is not installed here: its package no_such_srvs is needed.',
        ),
        (
            ['publish', '/quiet', 'std_msgs/msg/String', '{data: a}'],
            'Nobody listens to /quiet: `./gremsy topics` lists who is there.',
        ),
        (['param', 'get', '/there/talker'], 'param get needs the name of a parameter.'),
        (['param', 'describe', '/there/talker'], 'param describe needs the name of a parameter.'),
        (
            ['param', 'describe', '/there/talker', 'gai'],
            'Node /there/talker has no parameter "gai": `./gremsy param list /there/talker`.',
        ),
        (['param', 'set', '/there/talker', 'gain'], 'param set needs the name of a parameter and a value.'),
        pytest.param(
            ['param', 'list', 'nobody'],
            'Node /nobody does not answer: there are /there/talker.',
            marks=pytest.mark.slow,
        ),
        (
            ['param', 'get', '/there/talker', 'gai'],
            'Node /there/talker has no parameter "gai", or it is not set: `./gremsy param list /there/talker`.',
        ),
        (
            ['topics', 'nothing like it'],
            'There is no topic with "nothing like it" in its name: does anything run, and in this ROS_DOMAIN_ID?',
        ),
    ],
)
def test_what_is_not_there_is_named_with_the_way_out(ask, words, sentence):
    nothing_to_wait_for = 'nobody' in words[1] or 'quiet' in words[1] or words[0] == 'topics'
    assert ask(*words, '--timeout', '4' if nothing_to_wait_for else '20') == (2, '', sentence + '\n')
