# SPDX-License-Identifier: Apache-2.0
"""The base of every node: lifecycle, parameters, topics, workers, diagnostics, trace; a node is only wiring."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import SetParametersResult
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile

from gremsy_common.errors import SuiteError, one_line
from gremsy_common.parameters.parameter_declaration import declare, with_changes
from gremsy_common.parameters.parameter_fields import NodeParameters, ParameterError
from gremsy_common.ros.diagnostics import NodeDiagnostics
from gremsy_common.ros.instance_lock import InstanceLock
from gremsy_common.ros.node_host import NodeHost
from gremsy_common.ros.transport.endpoints import TopicPublisher, TopicSubscription
from gremsy_common.ros.transport.topic import Topic
from gremsy_common.ros.worker import Worker
from gremsy_common.timing.trace import FileTrace, NoTrace, Trace

P = TypeVar('P', bound=NodeParameters)
T = TypeVar('T')

_DIAGNOSTICS_PERIOD_S = 1.0
_REPEATED_ERROR_EVERY_S = 5.0


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
        super().__init__(self.node_name)
        self.host = host
        self.diagnostics = NodeDiagnostics()
        self.trace: Trace = NoTrace()
        self._instance = InstanceLock(self.get_fully_qualified_name(), self.context.get_domain_id())
        self._instance.acquire()
        try:
            self.parameters: P = declare(self, self.parameters_type)
        except Exception:
            self._instance.release()
            raise
        self.failure: SuiteError | None = None
        self.finished = False
        self._state_name = 'unconfigured'
        self._publishers_made: list[TopicPublisher[Any]] = []
        self._subscriptions_made: list[TopicSubscription[Any]] = []
        self._workers: list[Worker] = []
        self._timers_made: list[Any] = []
        self._services_made: list[Any] = []
        self._said: dict[str, tuple[float, int]] = {}
        self._diagnostics_publisher = self.create_publisher(DiagnosticArray, '/diagnostics', QoSProfile(depth=10))
        self._diagnostics_timer = self.create_timer(_DIAGNOSTICS_PERIOD_S, self._publish_diagnostics)
        self.add_on_set_parameters_callback(self._parameters_set)

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

    def diagnostic_values(self) -> dict[str, str]:
        """Rows of the node's own for /diagnostics."""
        return {}

    # What a subclass uses.

    def now_ns(self) -> int:
        """The ROS clock."""
        return int(self.get_clock().now().nanoseconds)

    def publisher(self, topic: Topic[T]) -> TopicPublisher[T]:
        """A publisher that lives until deactivation."""
        made = TopicPublisher(self, self.host.bus, topic, self.report_error)
        self._publishers_made.append(made)
        return made

    def subscription(self, topic: Topic[T], callback: Callable[[T], object]) -> TopicSubscription[T]:
        """A subscription that lives until deactivation or `close_subscription`; the callback must only store."""
        made = TopicSubscription(
            self, self.host.bus, topic, callback, self.host.call_soon, self.report_error, self.report_drop
        )
        self._subscriptions_made.append(made)
        return made

    def close_subscription(self, subscription: TopicSubscription[Any]) -> None:
        """End a subscription early; only on the executor's thread (a timer, a service, `host.call_soon`)."""
        self._subscriptions_made.remove(subscription)
        subscription.close()

    def worker(self, name: str, step: Callable[[], None], niceness: int = 0) -> Worker:
        """A thread that repeats `step` until deactivation; what it raises is said and counted, and it goes on.

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
        self._timers_made.append(self.create_timer(period_s, self._guarded(callback)))

    def service(self, service_type: type[Any], name: str, callback: Callable[[Any, Any], Any]) -> None:
        """A service that lives until deactivation."""
        self._services_made.append(self.create_service(service_type, name, callback))

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

    def report_error(self, sentence: str) -> None:
        """Log, keep as the last error, count; a sentence said again is logged every five seconds with a count."""
        self.diagnostics.note_error(sentence)
        self.diagnostics.count('errors')
        now = time.monotonic()
        last_s, unsaid = self._said.get(sentence, (float('-inf'), 0))
        if now - last_s < _REPEATED_ERROR_EVERY_S:
            self._said[sentence] = (last_s, unsaid + 1)
            return
        if len(self._said) > 100:  # sentences with numbers in them must not pile up
            self._said.clear()
        self._said[sentence] = (now, 0)
        self.get_logger().error(f'{sentence} (and {unsaid} times before)' if unsaid else sentence)

    def report_drop(self, what: str, reason: str, sentence: str) -> None:
        """Something that came was not used, or not for all that it is for: count it by reason, and say the first.

        The node is shown as warning while it goes on, with the sentence.

        Args:
            what: came, as `image_raw`.
            reason: a few words, the same for all of the kind.
            sentence: what was wrong with this one, and the way out.
        """
        kind = f'{what}: {reason}'
        self.diagnostics.note_error(sentence)
        self.diagnostics.count('errors')
        if self.diagnostics.count(kind) == 1:
            self.say_first_of(kind, sentence)

    def say_first_of(self, kind: str, sentence: str) -> None:
        """Log the first of a kind that is counted in /diagnostics under that name."""
        self.get_logger().warning(f"{sentence} More of the kind are only counted: '{kind}' in /diagnostics.")

    # Lifecycle, called by rclpy.

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
            SuiteError: with the sentence of what could not be done.
        """
        if not self.parameters.autostart:
            return
        for trigger in (self.trigger_configure, self.trigger_activate):
            if trigger() != TransitionCallbackReturn.SUCCESS or self.failure is not None:
                raise self.failure or SuiteError(f'{self.get_fully_qualified_name()} could not start.')
            if self.finished:
                return

    def close(self) -> None:
        """Stop, let go and destroy; with the executor stopped or on its thread."""
        if self._state_name != 'finalized':
            self.trigger_shutdown()
        self.trace.close()
        self._instance.release()
        self.destroy_node()

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
            self.report_error(str(self.failure))
            if not isinstance(error, SuiteError):
                self._log_traceback(error)
            return TransitionCallbackReturn.FAILURE
        self.failure = None
        self._state_name = goal
        return TransitionCallbackReturn.SUCCESS

    def _configure(self) -> None:
        if self.parameters.trace_dir:
            trace = FileTrace(
                Path(self.parameters.trace_dir), self.get_fully_qualified_name().strip('/').replace('/', '.')
            )
            try:
                trace.open()
            except OSError as error:
                raise ParameterError(
                    f"Parameter `trace_dir` is '{self.parameters.trace_dir}', which cannot be written to "
                    f'({error.strerror}): name a folder that can.'
                ) from error
            self.trace = trace
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
        self.trace = NoTrace()

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
        for timer in self._timers_made:
            self.destroy_timer(timer)
        for service in self._services_made:
            self.destroy_service(service)
        for made in (self._workers, self._subscriptions_made, self._publishers_made):
            made.clear()
        self._timers_made.clear()
        self._services_made.clear()

    def _guarded(self, callback: Callable[[], None]) -> Callable[[], None]:
        """An exception out of a timer would end the executor and every node with it."""

        def run() -> None:
            try:
                callback()
            except Exception as error:  # noqa: BLE001 see above
                self.diagnostics.count('timer errors')
                self.report_error(f'A timer of {self.get_name()} failed: {type(error).__name__}: {error}')

        return run

    def _parameters_set(self, changes: list[Parameter]) -> SetParametersResult:
        before = self.parameters
        try:
            self.parameters = with_changes(before, changes)
            self.parameters_changed()
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

    def _publish_diagnostics(self) -> None:
        self.trace.flush()
        values = self.diagnostics.values()
        incompatible = sum(each.incompatible_qos for each in self._subscriptions_made)
        rivals = [each.name for each in self._publishers_made if each.rivals and each.name != '/tf']
        values['state'] = self._state_name
        values['incompatible QoS offers'] = str(incompatible)
        links = {each.name: each for each in self.host.bus.links()}
        mine = [links[each.name] for each in self._publishers_made if each.name in links]
        values['local links'] = ', '.join(f'{each.name} -> {each.subscribers}' for each in mine)
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
        elif rivals:
            status.level = DiagnosticStatus.WARN
            status.message = f'another node also publishes {", ".join(rivals)}: stop it or use another namespace.'
        elif self.diagnostics.recent_error:
            status.level = DiagnosticStatus.WARN
            status.message = self.diagnostics.last_error
        array = DiagnosticArray(status=[status])
        array.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics_publisher.publish(array)

    def _guarded_values(self) -> dict[str, str]:
        try:
            return self.diagnostic_values()
        except Exception as error:  # noqa: BLE001 diagnostics must not end the executor
            return {'diagnostics error': f'{type(error).__name__}: {error}'}
