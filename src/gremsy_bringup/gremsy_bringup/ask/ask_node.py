# SPDX-License-Identifier: Apache-2.0
"""`./gremsy topics | echo | rate | publish | call | param | log-level`: asks the nodes, as the `ros2` program does.

Exit status 0: done. 1: what answered said no. 2: it is not there, or cannot be asked so. 130: Ctrl-C.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, TypeVar

import rclpy
import yaml
from rcl_interfaces.msg import ParameterDescriptor, ParameterType
from rcl_interfaces.srv import DescribeParameters, GetParameters, ListParameters, SetParameters
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.parameter import Parameter, parameter_value_to_python
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions

from gremsy_bringup.ask.ask_arguments import DESCRIPTIONS, LOG_LEVELS, overview, parser, type_and_values
from gremsy_bringup.ask.field_messages import FieldError, fill, plain
from gremsy_bringup.describe.ros_network import VARIABLE as NETWORK_VARIABLE
from gremsy_bringup.describe.ros_network import join_network, network_of
from gremsy_bringup.describe.system_description import share_folder
from gremsy_bringup.supervise.this_machine import refuse_no_loopback
from gremsy_common.errors import SuiteError, one_line

_SHOWN_ITEMS = 32
_STEP_S = 0.05
# Discovery on one machine takes 0.2 to 0.5 s, longer under load; it is over when nothing new was found for this long.
_SETTLED_S = 0.7
_REPORT_S = 1.0
# What was kept for latecomers comes within a few ms, on a busy machine too.
_KEPT_S = 0.3
_LEVEL_PARAMETER = 'log_level'
# As ros2 calls them: PARAMETER_DOUBLE_ARRAY is `double array`, PARAMETER_BOOL `boolean`.
_TYPES = {
    number: name.removeprefix('PARAMETER_').replace('_', ' ').lower().replace('bool', 'boolean')
    for name, number in vars(ParameterType).items()
    if name.startswith('PARAMETER_')
}

_Line = TypeVar('_Line')


class AskError(SuiteError):
    """What is asked is not there, or cannot be asked so."""


class Asker:
    """A node for one question; `timeout_s` is how long it waits for what is asked."""

    def __init__(self, node: Any, timeout_s: float) -> None:
        self._node = node
        self._timeout_s = timeout_s
        self._executor = SingleThreadedExecutor(context=node.context)
        self._executor.add_node(node)

    def topics(self, part: str, *, services: bool) -> int:
        """One line each: name, type, who publishes and listens."""
        node = self._node
        names = node.get_service_names_and_types if services else node.get_topic_names_and_types

        def lines() -> list[tuple[str, str, str]]:
            return [
                (
                    name,
                    kinds[0],
                    '' if services else f'  {node.count_publishers(name)} -> {node.count_subscribers(name)}',
                )
                for name, kinds in sorted(names())
                if part in name and self._is_foreign(name)
            ]

        shown = self._settled(lines)
        if not shown:
            wanted = f' with "{part}" in its name' if part else ''
            what = f'{"service" if services else "topic"}{wanted}'
            raise AskError(f'There is no {what}: does anything run, and in this ROS_DOMAIN_ID?')
        width = max(len(name) for name, _, _ in shown)
        for name, kind, ends in shown:
            print(f'{name:{width}}  {kind}{ends}')
        return 0

    def echo(self, topic: str, count: int | None, longest: int | None) -> int:
        """Messages as YAML, a line `---` after each; so many of those that were kept for latecomers are the newest."""
        messages: deque[Any] = deque(maxlen=count)
        # rclpy asks a callback for its signature, and the builtin has none.
        are_kept = self._subscribe(topic, lambda message: messages.append(message))
        if are_kept and count is not None:
            # They come one after another, the oldest first.
            while len(messages) < count:
                self._spin(_STEP_S)
            self._spin(_KEPT_S)
        left = sys.maxsize if count is None else count
        while left > 0:
            while messages and left > 0:
                left -= 1
                print(as_yaml(messages.popleft(), longest), '---', sep='', flush=True)
            if left > 0:
                self._spin(_STEP_S)
        return 0

    def rate(self, topic: str, count: int | None) -> int:
        """Messages a second, and the longest pause between two, a line a second."""
        # The last one of the line before, if there was any, and those since then.
        arrivals: list[float] = []
        self._subscribe(topic, lambda _: arrivals.append(time.monotonic()), raw=True)
        lines, before, since = 0, 0, time.monotonic()
        while lines != count:
            self._spin(_REPORT_S)
            now = time.monotonic()
            longest = max((later - earlier for earlier, later in pairwise(arrivals)), default=None)
            pause = '' if longest is None else f', longest pause {longest * 1e3:.1f} ms'
            print(f'{(len(arrivals) - before) / (now - since):.1f} Hz{pause}', flush=True)
            del arrivals[:-1]
            lines, before, since = lines + 1, len(arrivals), now
        return 0

    def publish(self, topic: str, kind: str | None, values: str, rate_hz: float | None) -> int:
        """One message once somebody listens, or one again and again."""
        message = _class_of(kind or self._type_of(topic))()
        fill(message, _parsed(values))
        publisher = self._node.create_publisher(type(message), topic, 10)
        if not self._until(lambda: publisher.get_subscription_count() > 0):
            raise AskError(f'Nobody listens to {publisher.topic_name}: `./gremsy topics` lists who is there.')
        publisher.publish(message)
        while rate_hz is not None:
            self._spin(1.0 / rate_hz)
            # `now` and `auto` are of each message.
            fill(message, _parsed(values))
            publisher.publish(message)
        publisher.wait_for_all_acked(rclpy.duration.Duration(seconds=self._timeout_s))
        return 0

    def call(self, service: str, kind: str | None, values: str) -> int:
        """Prints the answer; status 1 where it says that it did not succeed."""
        service = self._node.resolve_service_name(service)
        type_ = _class_of(kind or self._service_type(service))
        request = type_.Request()
        fill(request, _parsed(values))
        answer = self._ask(type_, service, request)
        print(as_yaml(answer, _SHOWN_ITEMS), end='')
        return int(getattr(answer, 'success', True) is False)

    def parameters(self, node: str) -> int:
        """Name and value of each parameter."""
        names = list(self._ask_node(ListParameters, node, 'list_parameters', ListParameters.Request()).result.names)
        for name, value in zip(names, self._values(node, names), strict=True):
            print(f'{name}: {_flow(value)}')
        return 0

    def parameter(self, node: str, name: str) -> int:
        """The value of one."""
        value = self._values(node, [name])[0]
        if value is None:
            raise AskError(f'Node {node} has no parameter "{name}", or it is not set: `./gremsy param list {node}`.')
        print(_flow(value))
        return 0

    def describe_parameter(self, node: str, name: str) -> int:
        """What its node declares of one, as `ros2 param describe` shows it."""
        request = DescribeParameters.Request(names=[name])
        found = self._ask_node(DescribeParameters, node, 'describe_parameters', request).descriptors
        if not found:
            raise AskError(f'Node {node} has no parameter "{name}": `./gremsy param list {node}`.')
        print('\n'.join(described(found[0])))
        return 0

    def set_parameter(self, node: str, name: str, text: str) -> int:
        """Status 1 and the node's reason where it refuses."""
        try:
            setting = Parameter(name, value=_parsed(text, empty='')).to_parameter_msg()
        except TypeError as error:
            raise AskError(f'A parameter cannot be {text}.') from error
        request = SetParameters.Request(parameters=[setting])
        return _status_of(self._ask_node(SetParameters, node, 'set_parameters', request).results[0])

    def log_level(self, node: str, level: str | None) -> int:
        """What the node logs, at least; with a level that is set.

        By ROS's own service where the node has it, which Humble's have not, else by its parameter.
        """
        full = _full_name(node)
        if not self._has_logger_services(full):
            present = self._level_parameter(full)
            if level is not None:
                return self.set_parameter(full, _LEVEL_PARAMETER, level)
            print(present)
            return 0
        logger = full.strip('/').replace('/', '.')
        if level is None:
            asked = _class_of('rcl_interfaces/srv/GetLoggerLevels')
            found = self._ask(asked, f'{full}/get_logger_levels', asked.Request(names=[logger]))
            print(next(name for name, number in LOG_LEVELS.items() if number == found.levels[0].level))
            return 0
        asked = _class_of('rcl_interfaces/srv/SetLoggerLevels')
        setting = _class_of('rcl_interfaces/msg/LoggerLevel')(name=logger, level=LOG_LEVELS[level])
        return _status_of(self._ask(asked, f'{full}/set_logger_levels', asked.Request(levels=[setting])).results[0])

    def _has_logger_services(self, node: str) -> bool:
        """Known a moment after the node's parameter services, which every node has."""
        service = f'{node}/set_logger_levels'

        def names() -> list[str]:
            return [name for name, _ in self._node.get_service_names_and_types()]

        if self._until(lambda: bool({service, f'{node}/get_parameters'} & set(names()))):
            end = time.monotonic() + _SETTLED_S
            while service not in names() and time.monotonic() < end:
                self._spin(_STEP_S)
        return service in names()

    def _level_parameter(self, node: str) -> str:
        level = self._values(node, [_LEVEL_PARAMETER])[0]
        if level is None:
            raise AskError(
                f'Node {node} has a log level that cannot be changed: it has no service {node}/set_logger_levels '
                '(enable_logger_service in its options, from Iron on).'
            )
        return str(level)

    def _values(self, node: str, names: list[str]) -> list[Any]:
        found = self._ask_node(GetParameters, node, 'get_parameters', GetParameters.Request(names=names))
        return [parameter_value_to_python(value) for value in found.values] or [None] * len(names)

    def _ask_node(self, type_: Any, node: str, service: str, request: Any) -> Any:
        full = _full_name(node)
        try:
            return self._ask(type_, f'{full}/{service}', request)
        except AskError as error:
            near = sorted(
                f'{space.rstrip("/")}/{name}'
                for name, space in self._node.get_node_names_and_namespaces()
                if not name.startswith('_')  # hidden, as this one is
            )
            known = f'there are {", ".join(near)}' if near else 'no node runs in this ROS_DOMAIN_ID'
            raise AskError(f'Node {full} does not answer: {known}.') from error

    def _ask(self, type_: Any, service: str, request: Any) -> Any:
        client = self._node.create_client(type_, service)
        if not self._until(client.service_is_ready):
            raise AskError(f'There is no service {service}: `./gremsy topics --services` lists those that are there.')
        future = client.call_async(request)
        if not self._until(future.done):
            raise AskError(f'Service {service} did not answer within {self._timeout_s:g} s: --timeout waits longer.')
        return future.result()

    def _subscribe(self, topic: str, on_message: Callable[[Any], None], *, raw: bool = False) -> bool:
        """From now on; whether its publishers keep messages for who comes later."""
        kind = self._type_of(topic)
        name = self._node.resolve_topic_name(topic)
        # Who listens may be discovered first: without its publisher's quality a latched topic would stay silent.
        self._until(lambda: bool(self._node.get_publishers_info_by_topic(name)))
        quality = offered(self._node.get_publishers_info_by_topic(name))
        self._node.create_subscription(_class_of(kind), topic, on_message, quality, raw=raw)
        return quality.durability is DurabilityPolicy.TRANSIENT_LOCAL

    def _type_of(self, topic: str) -> str:
        name = self._node.resolve_topic_name(topic)
        return self._known(self._node.get_topic_names_and_types, name, f'topic {name}', '')

    def _service_type(self, service: str) -> str:
        return self._known(self._node.get_service_names_and_types, service, f'service {service}', ' --services')

    def _known(self, all_of: Callable[[], Any], name: str, what: str, option: str) -> str:
        if not self._until(lambda: name in dict(all_of())):
            raise AskError(f'There is no {what}: `./gremsy topics{option}` lists those that are there.')
        kinds: list[str] = dict(all_of())[name]
        return kinds[0]

    def _is_foreign(self, name: str) -> bool:
        return not name.startswith(self._node.get_fully_qualified_name())

    def _settled(self, listed: Callable[[], list[_Line]]) -> list[_Line]:
        """The list once it has not changed for a while; an empty one is waited for as long as anything is."""
        known, since = listed(), time.monotonic()
        end = since + self._timeout_s
        while (now := time.monotonic()) < end and (not known or now < since + _SETTLED_S):
            self._spin(_STEP_S)
            if (found := listed()) != known:
                known, since = found, time.monotonic()
        return known

    def _until(self, condition: Callable[[], bool]) -> bool:
        end = time.monotonic() + self._timeout_s
        while not condition():
            if time.monotonic() > end:
                return False
            self._spin(_STEP_S)
        return True

    def _spin(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self._executor.spin_once(timeout_sec=seconds)
        while (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left)


def offered(publishers: Sequence[Any]) -> QoSProfile:
    """What every publisher that is there can serve, and the last message of those that keep one."""
    qualities = [info.qos_profile for info in publishers]
    reliable = qualities and all(each.reliability == ReliabilityPolicy.RELIABLE for each in qualities)
    kept = qualities and all(each.durability == DurabilityPolicy.TRANSIENT_LOCAL for each in qualities)
    return QoSProfile(
        depth=10,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if kept else DurabilityPolicy.VOLATILE,
    )


def as_yaml(message: Any, longest: int | None) -> str:
    """As `ros2 topic echo` shows it."""
    text: str = yaml.safe_dump(
        plain(message, longest), sort_keys=False, allow_unicode=True, width=sys.maxsize, default_flow_style=False
    )
    return text


def _flow(value: Any) -> str:
    dumped = yaml.safe_dump(plain(value), default_flow_style=True, width=sys.maxsize)
    return dumped.removesuffix('\n').removesuffix('\n...')


def _parsed(text: str, empty: Any = None) -> Any:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise FieldError(f'{text!r} is not YAML ({one_line(error)}): "{{data: true}}" is.') from error
    if value is not None:
        return value
    return {} if empty is None else empty


def described(descriptor: ParameterDescriptor) -> list[str]:
    """The lines of `ros2 param describe`."""
    constraints = ['Read only: true'] if descriptor.read_only else []
    for each in (*descriptor.floating_point_range, *descriptor.integer_range):
        constraints += [f'Min value: {each.from_value}', f'Max value: {each.to_value}']
        constraints += [f'Step: {each.step}'] if each.step else []
    if descriptor.additional_constraints:
        constraints.append(f'Additional constraints: {"; ".join(descriptor.additional_constraints.splitlines())}')
    return [
        f'Parameter name: {descriptor.name}',
        f'  Type: {_TYPES[descriptor.type]}',
        *([f'  Description: {descriptor.description}'] if descriptor.description else []),
        '  Constraints:',
        *(f'    {each}' for each in constraints),
    ]


def _status_of(result: Any) -> int:
    """Status 1 and the reason where a node refuses."""
    if not result.successful:
        print(result.reason, file=sys.stderr)
    return int(not result.successful)


def _full_name(node: str) -> str:
    return node if node.startswith('/') else f'/{node}'


def _class_of(kind: str) -> Any:
    package, *_, name = kind.split('/')
    folder = kind.split('/')[1] if kind.count('/') == 2 else ''
    for each in (folder,) if folder else ('msg', 'srv'):
        with contextlib.suppress(ImportError, AttributeError):
            return getattr(importlib.import_module(f'{package}.{each}'), name)
    raise AskError(f'Type {kind} is not installed here: its package {package} is needed.')


@contextlib.contextmanager
def _asker(timeout_s: float) -> Iterator[Asker]:
    context = rclpy.context.Context()
    rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = rclpy.create_node(
            f'_ask_{time.monotonic_ns() % 10**9}', context=context, enable_rosout=False, start_parameter_services=False
        )
        try:
            yield Asker(node, timeout_s)
        finally:
            node.destroy_node()
    finally:
        context.try_shutdown()


def perform(name: str, options: argparse.Namespace, asker: Asker) -> int:
    """What the command line asks for; the exit status."""
    if name == 'topics':
        return asker.topics(options.part, services=options.services)
    if name == 'echo':
        count = 1 if options.once else options.count
        return asker.echo(options.topic, count, None if options.full else _SHOWN_ITEMS)
    if name == 'rate':
        return asker.rate(options.topic, options.count)
    if name == 'publish':
        return asker.publish(options.topic, *type_and_values(options.words), options.rate)
    if name == 'call':
        return asker.call(options.service, *type_and_values(options.words))
    if name == 'log-level':
        return asker.log_level(options.node, options.level)
    if options.what == 'list':
        return asker.parameters(options.node)
    if options.name is None or (options.what == 'set' and options.value is None):
        raise AskError(f'param {options.what} needs the name of a parameter{" and a value" * (options.what == "set")}.')
    if options.what == 'get':
        return asker.parameter(options.node, options.name)
    if options.what == 'describe':
        return asker.describe_parameter(options.node, options.name)
    return asker.set_parameter(options.node, options.name, options.value)


def _join_robots() -> None:
    """Be where ROS_NETWORK says that they are; ROS's own way, where it says nothing, sees those on this machine too."""
    network = network_of(os.environ) if os.environ.get(NETWORK_VARIABLE, '').strip() else None
    if network is not None:
        join_network(os.environ, network.variables(share_folder() / 'config', robot=False))


def main(arguments: Sequence[str] | None = None) -> None:
    """`ask NAME ...`, as `./gremsy NAME ...` starts it."""
    name, *words = (sys.argv[1:] if arguments is None else arguments) or ['--help']
    if name not in DESCRIPTIONS:
        asked = name in ('-h', '--help')
        print(
            overview() if asked else f'There is no command "{name}": ask --help lists them.',
            file=None if asked else sys.stderr,
        )
        sys.exit(0 if asked else 2)
    options = parser(name).parse_args(words)
    try:
        refuse_no_loopback()
        _join_robots()
        with _asker(options.timeout) as asker:
            status = perform(name, options, asker)
    except (SuiteError, ValueError) as error:
        print(error, file=sys.stderr)
        status = 2
    except BrokenPipeError:
        # `| head` has seen enough; nothing may be flushed into it at the end either.
        sys.stdout = None
        status = 0
    except (KeyboardInterrupt, ExternalShutdownException):
        status = 130
    sys.exit(status)


if __name__ == '__main__':
    main()
