# SPDX-License-Identifier: Apache-2.0
"""The base of every node: lifecycle, parameters, topics, workers, diagnostics, trace; a node is only wiring."""

from __future__ import annotations

import errno
import inspect
import os
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]  # Humble has it here alone
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.impl.logging_severity import LoggingSeverity
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile

from gremsy_common.errors import SuiteError, did_you_mean, one_line
from gremsy_common.log_lines import with_fields
from gremsy_common.parameters.parameter_declaration import AT_REST_ONLY, declare, to_set, with_changes
from gremsy_common.parameters.parameter_fields import (
    NodeParameters,
    ParameterError,
    ParameterMeta,
    ParameterSpec,
    specs_of,
    wrong_kind,
)
from gremsy_common.parameters.parameter_sections import named_for
from gremsy_common.parameters.unknown_parameters import unknown_sentences
from gremsy_common.ros.diagnostics import Health, Level, NodeDiagnostics
from gremsy_common.ros.instance_lock import InstanceLock
from gremsy_common.ros.intake import Intake
from gremsy_common.ros.late_response import allow_late_responses
from gremsy_common.ros.node_host import NodeHost
from gremsy_common.ros.transport.endpoints import TopicPublisher, TopicSubscription
from gremsy_common.ros.transport.link_report import LinkReporter
from gremsy_common.ros.transport.topic import Topic
from gremsy_common.timing.clock_watch import ClockWatch
from gremsy_common.timing.trace import FileTrace, NodeTrace
from gremsy_common.timing.worker import Worker

P = TypeVar('P', bound=NodeParameters)
T = TypeVar('T')

_DIAGNOSTICS_PERIOD_S = 1.0
# How soon it is reported that the node fails, or has recovered; the rest can wait for the second.
_HEALTH_PERIOD_S = 0.2
_FAILS = (Level.ERROR, Level.STALE)
_REPEATED_ERROR_EVERY_S = 5.0
_LOGGED_AGAIN_AFTER_S = 30.0
# Services get_logger_levels and set_logger_levels, which Humble has not: the parameter `log_level` is everywhere.
_LOGGER_SERVICE = 'enable_logger_service'
_LOGGER_OPTIONS = {_LOGGER_SERVICE: True} if _LOGGER_SERVICE in inspect.signature(Node.__init__).parameters else {}
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class SuiteNode(LifecycleNode, Generic[P]):
    """A lifecycle node whose work is in ROS-free cores.

    A subclass names its parameter dataclass and overrides `configure` (build the core: may raise SuiteError with one
    clear sentence), `activate` (topics, services, workers), `deactivate` (stop the motion, the source ...) and
    `cleanup` (let go of files, devices). Topics, timers and workers made with the methods below are taken back by the
    base class after `deactivate`.
    """

    node_name: ClassVar[str]
    parameters_type: ClassVar[type[Any]]

    def __init__(self, host: NodeHost) -> None:
        super().__init__(self.node_name, cli_args=list(host.node_arguments), **_LOGGER_OPTIONS)
        self.host = host
        self.diagnostics = NodeDiagnostics()
        self.intake = Intake()
        self.trace = NodeTrace(lambda text: self.get_logger().debug(text))
        self._instance = InstanceLock(self.get_fully_qualified_name(), self.context.get_domain_id())
        try:
            self._instance.acquire()
            self.parameters: P = declare(self, self.parameters_type)
        except Exception as error:
            name = self.get_fully_qualified_name()
            self._instance.release()
            self.destroy_node()
            if isinstance(error, ParameterError):
                raise ParameterError(f'{name}: {error}') from error
            raise
        if self.parameters.log_level != 'default':
            self._set_log_level()
        self._warn_of_unknown_parameters()
        self.failure: SuiteError | None = None
        self.finished = False
        self._state_name = 'unconfigured'
        self._starting = self._started_by_itself = False
        self._publishers_made: list[TopicPublisher[Any]] = []
        self._subscriptions_made: list[TopicSubscription[Any]] = []
        self._workers: list[Worker] = []
        self._timers_and_services = ExitStack()
        self._logged_sentences: dict[str, tuple[float, int]] = {}
        self._links = LinkReporter(os.environ)
        self._link_warnings_before: set[str] = set()
        self._link_warnings_logged: dict[str, float] = {}
        self._diagnostics_publisher = self.create_publisher(DiagnosticArray, '/diagnostics', QoSProfile(depth=10))
        self._clock_watch = ClockWatch()
        self._clock_fault = ''
        self._diagnostics_timer = self.create_timer(_DIAGNOSTICS_PERIOD_S, self._publish_diagnostics)
        self._fails = False
        self._healthy = True
        self._health_timer = self.create_timer(_HEALTH_PERIOD_S, self._look_at_health)
        self.add_on_set_parameters_callback(self._parameters_set)

    def _warn_of_unknown_parameters(self) -> None:
        # Of rclpy's own, since Eloquent; no public call tells what was given and not declared.
        given = getattr(self, '_parameter_overrides', {})
        unknown = [name for name in given if not self.has_parameter(name)]
        if not unknown:
            return
        node = self.get_fully_qualified_name()
        own = named_for(node, (*self.host.arguments, *self.host.node_arguments), alone=self.host.alone)
        known = [spec.name for spec in specs_of(self.parameters_type)]
        for sentence in unknown_sentences(node, unknown, own, known):
            self.get_logger().warning(sentence)

    # What a subclass fills in.

    def configure(self) -> None:
        """Build the core from `self.parameters`."""

    def activate(self) -> None:
        """Make topics and services, start workers."""

    def deactivate(self) -> None:
        """Stop what moves or runs; called before the base class takes topics and workers back."""

    def cleanup(self) -> None:
        """Let go of what `configure` took."""

    def parameters_changed(self) -> None:
        """`self.parameters` was replaced because a live parameter changed; a SuiteError refuses the change."""

    def health(self) -> Health:
        """How far the node does its work while it is active; asked once a second on the executor's thread."""
        return self.intake.health()

    def diagnostic_values(self) -> dict[str, str]:
        """Rows of the node's own for /diagnostics."""
        return {}

    # What a subclass uses.

    def now_ns(self) -> int:
        """The ROS clock; from any thread."""
        clock: Any = self.get_clock()  # a ROSClock
        # Without simulated time that is the system's, which costs 0.1 us to ask and 13 us through rclpy.
        return int(clock.now().nanoseconds) if clock.ros_time_is_active else time.time_ns()

    def publisher(self, topic: Topic[T], *, local_only: bool = False) -> TopicPublisher[T]:
        """A publisher that lives until deactivation; with `local_only` it reaches the nodes of this process alone."""
        made = TopicPublisher(self, self.host.bus, topic, self.report_error, local_only=local_only)
        self._publishers_made.append(made)
        return made

    def close_publisher(self, publisher: TopicPublisher[Any]) -> None:
        """End a publisher early; only on the executor's thread (a timer, a service, `host.call_soon`)."""
        self._publishers_made.remove(publisher)
        publisher.close()

    def subscription(
        self, topic: Topic[T], callback: Callable[[T], object], *, outside_only: bool = False
    ) -> TopicSubscription[T]:
        """A subscription that lives until deactivation or `close_subscription`; the callback must only store.

        With `outside_only` it stays on DDS although a node of this process publishes under the name.
        """
        made = TopicSubscription(
            self,
            self.host.bus,
            topic,
            callback,
            self.host.call_soon,
            self.report_error,
            self.report_drop,
            outside_only=outside_only,
        )
        self._subscriptions_made.append(made)
        return made

    def close_subscription(self, subscription: TopicSubscription[Any]) -> None:
        """End a subscription early; only on the executor's thread (a timer, a service, `host.call_soon`)."""
        self._subscriptions_made.remove(subscription)
        subscription.close()

    def worker(self, name: str, step: Callable[[], None], niceness: int = 0) -> Worker:
        """A thread that repeats `step` until deactivation; what it raises is reported and counted, and it goes on.

        `niceness` above 0 is for what computes for long (see `Worker`).
        """

        def failed(error: Exception) -> None:
            self.diagnostics.count(f'{name} errors')
            self.report_error(
                str(error) if isinstance(error, SuiteError) else f'{name} failed: {type(error).__name__}: {error}'
            )

        made = Worker(f'{self.get_name()} {name}', step, failed, niceness)
        self._workers.append(made)
        made.start()
        return made

    def every(self, period_s: float, callback: Callable[[], None]) -> None:
        """Call on the executor's thread at a fixed rate until deactivation."""
        made = self.create_timer(period_s, self._guarded(callback))
        self._timers_and_services.callback(self.destroy_timer, made)

    def service(self, service_type: type[Any], name: str, callback: Callable[[Any, Any], Any]) -> None:
        """A service that lives until deactivation; its callback returns the response, or a future of it."""
        made = self.create_service(service_type, name, callback)
        allow_late_responses(made, lambda: self.diagnostics.count('answers after the end of their service'))
        self._timers_and_services.callback(self.destroy_service, made)

    def create_timer(
        self,
        timer_period_sec: float,
        callback: Any,
        callback_group: Any = None,
        clock: Any = None,
        *rest: Any,
        **more: Any,
    ) -> Any:
        """Also rclpy's own: by the monotonic clock, simulated time or not, since timers look after what hangs or stops.

        rclpy's go by the system time, and when that is set back by an hour, none fires for an hour; by a simulated one
        none did that was not sent or stood still.
        """
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        return super().create_timer(timer_period_sec, callback, callback_group, clock or steady, *rest, **more)

    def create_service(self, srv_type: Any, srv_name: str, callback: Any, **options: Any) -> Any:
        """Also rclpy's own, for parameters; as out of a timer, an exception would end the executor."""

        def answer(request: Any, response: Any) -> Any:
            try:
                return callback(request, response)
            except Exception as error:  # noqa: BLE001 see above
                self.diagnostics.count('service errors')
                sentence = f'The service {srv_name} failed: {one_line(error)}.'
                self.report_error(sentence)
                self._log_traceback(error)
                failed = srv_type.Response()
                if hasattr(failed, 'message'):
                    failed.message = sentence
                return failed

        return super().create_service(srv_type, srv_name, answer, **options)

    def give_up(self, error: SuiteError) -> None:
        """What could only be found after `configure`: it cannot work as it is configured. From any thread.

        A node that started by itself ends its process as if it had been found in time; one that is configured by its
        services goes on, and says in its health what it waits for.
        """
        if self._started_by_itself:
            self.host.give_up(self.named(error))

    def named(self, error: SuiteError) -> SuiteError:
        """The same with the node's name, for who sees the last words of a process with several."""
        name = self.get_fully_qualified_name()
        return error if name in str(error) else SuiteError(f'{name}: {error}')

    def report_error(self, sentence: str, **fields: Any) -> None:
        """Log, keep as the last error, count; one that repeats is logged every five seconds with a count.

        The fields, as the stamp of the image that it is about, are in the log alone.
        """
        self.diagnostics.note_error(sentence)
        self.diagnostics.count('errors')
        now = time.monotonic()
        last_s, unlogged = self._logged_sentences.get(sentence, (float('-inf'), 0))
        if now - last_s < _REPEATED_ERROR_EVERY_S:
            self._logged_sentences[sentence] = (last_s, unlogged + 1)
            return
        if len(self._logged_sentences) > 100:  # sentences with numbers in them must not pile up
            self._logged_sentences.clear()
        self._logged_sentences[sentence] = (now, 0)
        text = f'{sentence} (and {unlogged} times before)' if unlogged else sentence
        self.get_logger().error(with_fields(text, **fields))

    def report_drop(self, what: str, reason: str, sentence: str, **fields: Any) -> None:
        """Something that came was not used, or not for all that it is for: count it by reason, and log the first.

        The node is shown as warning while it goes on, with the sentence.

        Args:
            what: came, as `image_raw`.
            reason: a few words, the same for all of the kind.
            sentence: what was wrong with this one, and the way out.
            fields: of the log record, as the stamp of the image that it is about.
        """
        kind = f'{what}: {reason}'
        self.intake.refused(what, sentence)
        self.diagnostics.note_error(sentence)
        self.diagnostics.count('errors')
        if self.diagnostics.count(kind) == 1:
            self.report_first_of(kind, sentence, **fields)

    def report_first_of(self, kind: str, sentence: str, **fields: Any) -> None:
        """Log the first of a kind that is counted in /diagnostics under that name."""
        text = f"{sentence} More of the kind are only counted: '{kind}' in /diagnostics."
        self.get_logger().warning(with_fields(text, **fields))

    # Lifecycle, called by rclpy.

    def _LifecycleNodeMixin__on_change_state(  # noqa: N802 rclpy's own name for the service's callback
        self, request: Any, response: Any
    ) -> Any:
        """Refuse a transition that there is none of now: rclpy raises, which ends the executor and all nodes on it."""
        try:
            return getattr(super(), '_LifecycleNodeMixin__on_change_state')(request, response)  # noqa: B009 no mangling
        except rclpy_implementation.RCLError:
            wanted = request.transition.label or request.transition.id
            self.report_error(
                f"The transition '{wanted}' was asked of {self.get_fully_qualified_name()}, which has none of the kind "
                f'while it is {self._state_name}: ask it for its available transitions first.'
            )
            response.success = False
            return response

    def on_configure(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Build the core."""
        return self._transition('inactive', self._configure)

    def on_activate(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Start."""
        return self._transition('active', self._activate)

    def on_deactivate(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Stop."""
        return self._transition('inactive', self._deactivate)

    def on_cleanup(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Let go."""
        return self._transition('unconfigured', self._cleanup)

    def on_shutdown(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and let go, whatever the state."""
        return self._transition('finalized', self._shut_down)

    def on_error(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Back to unconfigured, with everything let go."""
        return self._transition('unconfigured', self._shut_down)

    def start(self) -> None:
        """Configure and activate, if `autostart`; a node that `configure` left `finished` has nothing to activate for.

        Raises:
            SuiteError: with the node's name and the sentence of what could not be done, for the caller to say.
        """
        if not self.parameters.autostart:
            return
        self._starting = True
        try:
            for trigger in (self.trigger_configure, self.trigger_activate):
                if trigger() != TransitionCallbackReturn.SUCCESS or self.failure is not None:
                    unsaid = SuiteError(f'{self.get_fully_qualified_name()} could not start.')
                    raise self.named(self.failure or unsaid)
                if self.finished:
                    return
        finally:
            self._starting = False

    def close(self) -> None:
        """Stop, let go and destroy; with the executor stopped or on its thread."""
        if self._state_name != 'finalized':
            self.trigger_shutdown()
        self.trace.close()
        self._instance.release()
        self.destroy_node()

    def destroy_node(self) -> None:
        """Also what rclpy's lifecycle nodes keep, by which others saw the node until Python collected its garbage."""
        super().destroy_node()
        self._state_machine.destroy_when_not_in_use()

    def _transition(self, goal: str, work: Callable[[], None]) -> TransitionCallbackReturn:
        try:
            work()
        except Exception as error:  # noqa: BLE001 rclpy would print a traceback and go to the error state without a word why
            self.failure = (
                error
                if isinstance(error, SuiteError)
                else SuiteError(
                    f'{self.get_fully_qualified_name()} does not start with its parameters: {one_line(error)}.'
                )
            )
            if self._starting:
                self.diagnostics.note_error(str(self.failure))
            else:
                self.report_error(str(self.failure))
            if not isinstance(error, SuiteError):
                self._log_traceback(error)
            return TransitionCallbackReturn.FAILURE
        self.failure = None
        self._state_name = goal
        self._lock_parameters()
        return TransitionCallbackReturn.SUCCESS

    def _configure(self) -> None:
        self._started_by_itself = self._starting
        if self.parameters.trace_dir:
            name = self.get_fully_qualified_name().strip('/').replace('/', '.')
            trace = FileTrace(Path(self.parameters.trace_dir), name, self.now_ns)
            try:
                trace.open()
            except OSError as error:
                if error.errno in _NO_ROOM:
                    # Nothing that only looks on may keep a robot from starting again.
                    self.report_error(f'There is no trace, since {trace.path} cannot be made ({error.strerror}).')
                    self.configure()
                    return
                raise ParameterError(
                    f"Parameter `trace_dir` is '{self.parameters.trace_dir}', which cannot be written to "
                    f'({error.strerror}): name a folder that can.'
                ) from error
            self.trace.file = trace
        self.configure()

    def _activate(self) -> None:
        try:
            self.activate()
        except Exception:
            self._take_back()
            raise

    def _deactivate(self) -> None:
        try:
            self.deactivate()
        finally:
            self._take_back()

    def _cleanup(self) -> None:
        self.cleanup()
        self.trace.close()

    def _shut_down(self) -> None:
        if self._state_name == 'active':
            self._deactivate()
        if self._state_name in ('active', 'inactive'):
            self._cleanup()

    def _take_back(self) -> None:
        for worker in self._workers:
            if not worker.stop():
                self.report_error(f'Worker {worker.name} of {self.get_name()} did not end in time.')
        for subscription in self._subscriptions_made:
            subscription.close()
        for publisher in self._publishers_made:
            publisher.close()
        self._timers_and_services.close()
        for made in (self._workers, self._subscriptions_made, self._publishers_made):
            made.clear()

    def _guarded(self, callback: Callable[[], None]) -> Callable[[], None]:
        """An exception out of a timer would end the executor and every node with it."""

        def run() -> None:
            try:
                callback()
            except Exception as error:  # noqa: BLE001 see above
                self.diagnostics.count('timer errors')
                self.report_error(f'A timer of {self.get_name()} failed: {type(error).__name__}: {error}')

        return run

    def set_parameters_atomically(self, parameter_list: list[Parameter]) -> SetParametersResult:
        """Also rclpy's own, for its services, whose refusals say neither what is allowed nor what to do instead."""
        for each in parameter_list:
            if reason := self._why_not(each):
                return SetParametersResult(successful=False, reason=reason)
        try:
            changed = with_changes(self.parameters, parameter_list, running=self._runs)
        except ParameterError as error:
            return SetParametersResult(successful=False, reason=str(error))
        wanted = [each for each in to_set(parameter_list, changed) if not self._is_locked(each.name)]
        # What cannot change and is asked to stay: a whole dump that is loaded again.
        return super().set_parameters_atomically(wanted) if wanted else SetParametersResult(successful=True)

    def _why_not(self, asked: Parameter) -> str:
        name = asked.name
        if not self.has_parameter(name):
            return self._no_such_parameter(name)
        held = self.get_parameter(name)
        if asked.type_ is Parameter.Type.NOT_SET:
            return f'Parameter `{name}` cannot be removed: set it to another value.'
        if hasattr(self.parameters, name) or asked.value == held.value:
            return ''
        # Of rclpy itself: use_sim_time, and the qos_overrides that a topic declares.
        if asked.type_ is not held.type_:
            return str(wrong_kind(ParameterSpec(name, type(held.value), held.value, ParameterMeta('')), asked.value))
        return AT_REST_ONLY.format(name) if self._is_locked(name) else ''

    def _no_such_parameter(self, name: str) -> str:
        node = self.get_fully_qualified_name()
        known = [spec.name for spec in specs_of(self.parameters_type)]
        way_out = did_you_mean(name, known, f'`ros2 param list {node}` names those that it has.')
        return f'{node} has no parameter `{name}`: {way_out}'

    @property
    def _runs(self) -> bool:
        return self._state_name != 'unconfigured'

    def _is_locked(self, name: str) -> bool:
        return self.has_parameter(name) and bool(self.describe_parameter(name).read_only)

    def _lock_parameters(self) -> None:
        """Those that are read while the node is configured cannot be changed until it is cleaned up."""
        for spec in specs_of(self.parameters_type):
            self.describe_parameter(spec.name).read_only = self._runs and not spec.meta.live

    def _parameters_set(self, changes: list[Parameter]) -> SetParametersResult:
        before = self.parameters
        if not {change.name for change in changes} & {spec.name for spec in specs_of(self.parameters_type)}:
            return SetParametersResult(successful=True)  # rclpy's own, and the qos_overrides that a topic declares
        try:
            self.parameters = with_changes(before, changes, running=self._runs)
            self.parameters_changed()
            if any(change.name == 'log_level' for change in changes):
                self._set_log_level()
        except Exception as error:  # noqa: BLE001 out of here it would end the executor and every node with it
            self.parameters = before
            return SetParametersResult(successful=False, reason=self._refusal(changes, error))
        return SetParametersResult(successful=True)

    def _refusal(self, changes: list[Parameter], error: Exception) -> str:
        if isinstance(error, SuiteError):
            return str(error)
        names = ', '.join(f'`{each.name}`' for each in changes)
        sentence = f'{names} cannot be changed to that and stays as it was: {one_line(error)}.'
        self.report_error(sentence)
        self._log_traceback(error)
        return sentence

    def _log_traceback(self, error: Exception) -> None:
        """For developers, with `--log-level debug`; users get the sentence."""
        self.get_logger().debug(''.join(traceback.format_exception(error)))

    def _flush_trace(self) -> dict[str, str]:
        """Rows of what was lost of it."""
        trace = self.trace.file
        if trace is None:
            return {}
        trace.flush()
        if trace.fault:
            self.report_error(f'The trace {trace.path} cannot be written ({trace.fault}): its events are lost.')
        return {'trace events lost': str(trace.lost)} if trace.lost else {}

    def _publish_diagnostics(self) -> None:
        lost = self._flush_trace()
        values = self.diagnostics.values() | lost
        values['state'] = self._state_name
        link_rows, link_warnings = self._links.report(self._publishers_made, self._subscriptions_made)
        values.update(link_rows)
        self._log_link_warnings(link_warnings)
        values.update(self._guarded_values())
        status = DiagnosticStatus(
            name=self.get_fully_qualified_name(),
            hardware_id=self.get_name(),
            level=DiagnosticStatus.OK,
            message=self._state_name,
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )
        if self._state_name != 'active':
            status.level = DiagnosticStatus.STALE if self.failure is None else DiagnosticStatus.ERROR
        else:
            health = self._whole_health(link_warnings)
            status.level = bytes([health.level])
            status.message = health.message or self._state_name
        array = DiagnosticArray(status=[status])
        array.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics_publisher.publish(array)

    def _set_log_level(self) -> None:
        level = self.parameters.log_level
        self.get_logger().set_level(LoggingSeverity['UNSET' if level == 'default' else level.upper()])

    def _look_at_health(self) -> None:
        """Report at once that the node fails, or that it has recovered."""
        # Not asked for every event: rcutils takes 40 us to say.
        self.trace.logged = self.get_logger().is_enabled_for(LoggingSeverity.DEBUG)
        if self.has_parameter('use_sim_time') and self.get_parameter('use_sim_time').value:
            before = self._clock_fault
            self._clock_fault = self._clock_watch.fault(self.now_ns(), time.monotonic_ns())
            if self._clock_fault and not before:
                self.get_logger().warning(self._clock_fault)
        if self._state_name != 'active':
            return
        own = self._own_health()
        if own.level is Level.OK and not self._healthy:
            # Errors up to now came of that fault, and would be shown as present ones.
            self.diagnostics.settle_error(self.diagnostics.last_error)
        self._healthy = own.level is Level.OK
        if (own.level in _FAILS) is not self._fails:
            self._publish_diagnostics()

    def _own_health(self) -> Health:
        try:
            own = self.health()
            if not self._clock_fault:
                return own
            # Not what comes of it, as stamps of 0, in whose words somebody else is to blame.
            return Health(Level.WARN if own.level is Level.OK else own.level, self._clock_fault)
        except Exception as error:  # noqa: BLE001 diagnostics must not end the executor
            return Health(Level.ERROR, f'The health of {self.get_name()} cannot be determined: {one_line(error)}.')

    def _whole_health(self, link_warnings: Mapping[str, str]) -> Health:
        """The worst of what the node knows of itself and what is known of every node."""
        own = self._own_health()
        self._fails = own.level in _FAILS
        if self._fails:
            # Why nothing comes may be a link's fault.
            reasons = [own.message, *(link_warnings.values() if own.level is Level.STALE else ())]
            return Health(own.level, ' '.join(reasons))
        if link_warnings:
            return Health(Level.WARN, ' '.join(link_warnings.values()))
        if own.level is Level.WARN:
            return own
        return Health(Level.WARN, self.diagnostics.last_error) if self.diagnostics.recent_error else own

    def _log_link_warnings(self, warnings: Mapping[str, str]) -> None:
        """Each once, when it is still there after a second, and again when it was over for a while in between.

        A node that is restarted may be there twice for a moment, and the name of one that just came is not known.
        """
        now = time.monotonic()
        for kind in warnings.keys() & self._link_warnings_before:
            if now - self._link_warnings_logged.get(kind, float('-inf')) > _LOGGED_AGAIN_AFTER_S:
                self.get_logger().warning(warnings[kind])
            self._link_warnings_logged[kind] = now
        self._link_warnings_before = set(warnings)

    def _guarded_values(self) -> dict[str, str]:
        try:
            return self.diagnostic_values()
        except Exception as error:  # noqa: BLE001 diagnostics must not end the executor
            return {'diagnostics error': f'{type(error).__name__}: {error}'}
