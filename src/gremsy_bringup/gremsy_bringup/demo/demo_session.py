# SPDX-License-Identifier: Apache-2.0
"""One run of the closed loop on footage: `start`, `wait`, `stop`; the demo and the benchmarks are around it.

with DemoSession(DemoOptions(report=Path('out'), headless=True)) as session:
session.wait(60.0)
run = join(read_trace(session.trace_dir))
"""

from __future__ import annotations

import errno
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path
from typing import Any

import yaml

from gremsy_bringup.demo.demo_operator_node import DemoOperator
from gremsy_bringup.demo.demo_options import DemoError, DemoOptions, check_target, checked_video
from gremsy_bringup.describe.camera_choice import LOOP_NODES, RECORDER, STREAM
from gremsy_bringup.describe.ros_network import RosNetwork, join_network
from gremsy_bringup.describe.suite_arguments import SuiteArguments
from gremsy_bringup.describe.system_description import (
    PayloadStart,
    describe,
    process_specs,
    share_folder,
)
from gremsy_bringup.describe.video_server_choice import free_video_server, missing_for_the_page
from gremsy_bringup.logs.log_record import LogRecord
from gremsy_bringup.report.report_folder import ReportFolder
from gremsy_bringup.report.trace_tail import LiveStatus, LiveView, TraceTail
from gremsy_bringup.supervise.child_process import ProcessUsage, usage_of
from gremsy_bringup.supervise.free_ports import free_tcp_port, free_udp_port
from gremsy_bringup.supervise.supervisor import EventKind, ProcessEvent, Supervisor
from gremsy_bringup.supervise.this_machine import refuse_no_loopback
from gremsy_common.claims import domain_claim
from gremsy_common.timing.trace import read_trace
from gremsy_gimbal_sim.options.options import PRESETS, PayloadOptions
from gremsy_gimbal_sim.truth_ring import ring_path

Say = Callable[[str], None]

ROBOT = 'robot'
CAMERA_NAME = 'eo'
FAULTY_PRESET = 'realistic'
_START_TIMEOUT_S = 60.0
_POLL_S = 0.1
_PAGE_PORT = 6783
# Processes that only show what happens.
_FOR_VIEWERS = ('video', 'web')
# The traces are flushed once a second.
_STATUS_PERIOD_S = 0.5


def _calibration(payload: PayloadOptions) -> dict[str, Any]:
    """The driver's parameters for a payload that is known, as its data sheet and a calibration would give them.

    An attitude that is stamped 20 ms late is wrong by 0.6 degrees in a slew of 30 deg/s: the loop swings on it.
    """
    plant = payload.plant
    found: dict[str, Any] = {
        'least_attitude_delay_s': payload.attitude_age_s,
        'dead_zone_rad_s': plant.dead_zone_rad_s,
        'plant_delay_s': plant.delay_s,
        'plant_lag_s': plant.lag_s,
    }
    if plant.rate_gain_by_zoom:
        found['rate_gain_zooms'] = [zoom for zoom, _ in plant.rate_gain_by_zoom]
        found['rate_gains'] = [gain for _, gain in plant.rate_gain_by_zoom]
    return found


class DemoSession:
    """Starts payload, driver and loop in a ROS domain of their own, arms, and lets the tracker follow.

    `say` takes sentences for the user; it is called on any thread. Paths are known from the start, files appear as the
    run goes on.
    """

    def __init__(self, options: DemoOptions, say: Say = lambda _: None) -> None:
        self.options = options
        self._folder = ReportFolder(options.report)
        self.report_dir = self._folder.path
        self.trace_dir = self.report_dir / 'trace'
        self.film_path = self.report_dir / 'demo.mp4'
        self.log_path = self.report_dir / 'processes.log'
        self.parameters_path = self.report_dir / 'parameters.yaml'
        self.video: Path | None = options.video
        self.started_ns = 0
        self.stopped_ns = 0
        self.restarts: dict[str, int] = {}
        self.usage: dict[str, ProcessUsage] = {}
        self._say = say
        self._domain = domain_claim()
        self._supervisor: Supervisor | None = None
        self._operator: DemoOperator | None = None
        self._log: FileIO | None = None
        self._view = LiveView()
        self._tail = TraceTail(self.trace_dir)
        self._stop_asked = threading.Event()
        self._arm_again = threading.Event()
        self._refused = ''
        self._environment: dict[str, str | None] = {}
        self._shows_page = not options.headless and missing_for_the_page() is None
        self.page_port = 0

    def start(self) -> None:
        """Check the options, start everything, wait until the loop runs and the gimbal is armed.

        Raises:
            SuiteError: with one sentence; nothing is left running then.
        """
        refuse_no_loopback()
        self._folder.open()
        try:
            self.video = checked_video(self.options.video, self._say)
            check_target(self.options.target, self.options.parameters.get('detector', {}))
            self._folder.clear()
            self._start_processes()
            self._wait_until_running()
        except BaseException as error:
            self.stop()
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DemoError(
                    f'The report folder {self.report_dir} has no room ({error.strerror}): make some, or name another '
                    'with `--report`.'
                ) from error
            raise

    def wait(self, duration_s: float | None, on_status: Callable[[LiveStatus], None] = lambda _: None) -> bool:
        """Let it run; False when it was asked to stop before the time was over (None: only then).

        Raises:
            DemoError: when a process can no longer run.
        """
        end_s = None if duration_s is None else time.monotonic() + duration_s
        next_status_s = 0.0
        while end_s is None or time.monotonic() < end_s:
            if self._stop_asked.wait(_POLL_S):
                return False
            self._check_processes()
            if self._arm_again.is_set():
                self._arm_again.clear()
                self._operate()
            if time.monotonic() >= next_status_s:
                next_status_s = time.monotonic() + _STATUS_PERIOD_S
                on_status(self.status())
        return True

    def request_stop(self) -> None:
        """Make `start` and `wait` return soon; safe in a signal handler."""
        self._stop_asked.set()

    def status(self) -> LiveStatus:
        """What the loop did in the last seconds."""
        for event in self._tail.poll():
            self._view.add(event)
        return self._view.status()

    def usage_now(self) -> dict[str, ProcessUsage]:
        """What each process has used so far; empty while nothing runs."""
        states = {} if self._supervisor is None else self._supervisor.states()
        used = {name: usage_of(state.pid) for name, state in states.items() if state.pid is not None}
        return {name: each for name, each in used.items() if each is not None}

    def events(self) -> Iterator[dict[str, Any]]:
        """The trace of a stopped session, from when the gimbal could be pointed until the stop was asked for."""
        return (each for each in read_trace(self.trace_dir) if self.started_ns <= each['stamp_ns'] < self.stopped_ns)

    def stop(self) -> None:
        """Stop in order (the gimbal first); files are complete afterwards. Harmless when nothing runs."""
        if self._supervisor is not None:
            self.stopped_ns = time.time_ns()
        if self._operator is not None:
            # First: a film that goes on while the driver is stopped ends on an alarm that there was not.
            if not self.options.headless and not self._operator.stop_filming():
                self._note('The recorder did not stop when asked to: the film may go on past the run.')
            self._operator.close()
            self._operator = None
        if self._supervisor is not None:
            self.usage = self.usage_now()
            supervisor, self._supervisor = self._supervisor, None
            supervisor.stop()
            self.restarts = {name: state.restarts for name, state in supervisor.states().items()}
        self._restore_environment()
        self._domain.close()
        if self._log is not None:
            self._log.close()
            self._log = None
        self._folder.close()

    def __enter__(self) -> DemoSession:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start_processes(self) -> None:
        self._domain.open()
        if self._shows_page:
            self.page_port = free_tcp_port(_PAGE_PORT)
        payload = self.options.payload or PayloadStart(
            free_udp_port(), f'{os.getpid()}-{secrets.token_hex(4)}', self.options.preset
        )
        self.parameters_path.write_text(yaml.safe_dump(self._parameters(payload), sort_keys=False), encoding='utf-8')
        arguments = SuiteArguments(namespace=ROBOT, cameras=self._camera(), sim=True, web=self._shows_page)
        video_server = free_video_server() if self._shows_page else None
        description = describe(arguments, (self.parameters_path,), payload, video_server=video_server)
        # This machine only, whatever the environment says; and no shared memory that could be left behind.
        network = RosNetwork(shared_memory=False).variables(share_folder() / 'config', robot=True)
        own = {'ROS_DOMAIN_ID': str(self._domain.number), 'ROS_LOG_DIR': str(self.report_dir / 'log')}
        self._set_environment({**network, **own})
        # Unbuffered: what has no room is then lost, and does not come up again at the end.
        self._log = self.log_path.open('wb', buffering=0)
        specs = process_specs(description, self.report_dir)
        self._supervisor = Supervisor(specs, self._on_record, self._on_event, [ring_path(payload.truth_ring)])
        self._supervisor.start()

    def _camera(self) -> str:
        nodes = LOOP_NODES if self.options.headless else (*LOOP_NODES, RECORDER)
        if self._shows_page:
            nodes = (*nodes, STREAM)
        return f'{CAMERA_NAME}:{"+".join(nodes)}'

    def _parameters(self, payload: PayloadStart) -> dict[str, Any]:
        """By full node name: this run's own settings, then those of the options."""
        target = self.options.target
        own: dict[str, dict[str, Any]] = {
            'camera': {'source': f'sim:{self.video}?ring={payload.truth_ring}'},
            'detector': {},
            'tracker': {'auto_lock': target.policy, 'lock_classes': [target.label]} if target.label else {},
            'gimbal_driver': {
                'link': payload.link,
                **_calibration(PRESETS[self.options.preset]),
            },
            'recorder': {'path': str(self.film_path)},
        }
        if self._shows_page:
            own |= {'stream': {}, 'web': {'port': self.page_port}}
        sections = {}
        for node, values in own.items():
            namespace = f'/{ROBOT}' if node in ('gimbal_driver', 'web') else f'/{ROBOT}/{CAMERA_NAME}'
            asked = self.options.parameters.get(node, {})
            sections[f'{namespace}/{node}'] = {'ros__parameters': {**values, 'trace_dir': str(self.trace_dir), **asked}}
        return sections

    def _wait_until_running(self) -> None:
        self._operator = DemoOperator(ROBOT, CAMERA_NAME, self._domain.number)
        self._operator.open()
        if self.options.preset == FAULTY_PRESET:
            self._say(
                f'Preset {FAULTY_PRESET} is a simulated payload with the faults of real ones: [ERROR] lines about lost '
                'or wrong telemetry below are those faults, found out.'
            )
        self._say(f'Starting the payload, the gimbal driver and the loop in ROS domain {self._domain.number} ...')
        self._operate()
        deadline = time.monotonic() + _START_TIMEOUT_S
        while self._view.tracks_seen == 0:
            if self._stop_asked.wait(_POLL_S):
                return
            self._check_processes()
            self.status()
            if time.monotonic() > deadline:
                raise DemoError(
                    f'No image got through the loop within {_START_TIMEOUT_S:.0f} s: see {self.log_path} for what the '
                    'processes said.'
                )
        self.started_ns = time.time_ns()
        if self._shows_page:
            self._say(
                f'Watch and steer it in a browser: http://127.0.0.1:{self.page_port}/ (Take control, then click on '
                'whom to follow)'
            )
        elif not self.options.headless:
            self._say(
                f'No page to watch it in: the Python package {missing_for_the_page()} is not installed '
                '(./gremsy setup --extra web).'
            )

    def _operate(self) -> None:
        """Arm and enable; a process that cannot run at all says more than the operator's waiting for it."""
        assert self._operator is not None
        try:
            self._operator.arm(_START_TIMEOUT_S, self._over)
            if self.options.target.track_id is not None:
                self._operator.choose(self.options.target.word, _START_TIMEOUT_S, self._over)
            self._note('The gimbal is armed, the tracker enabled.')
        finally:
            self._check_processes()

    def _over(self) -> bool:
        ended = self._supervisor is not None and self._supervisor.wait(0)
        return ended or self._stop_asked.is_set()

    def _check_processes(self) -> None:
        if self._supervisor is not None and self._supervisor.wait(0):
            raise DemoError(self._supervisor.failure or f'Every process has ended: see {self.log_path}.')
        if self._refused:
            raise DemoError(self._refused)

    def _on_record(self, record: LogRecord) -> None:
        for line in record.lines():
            self._write_log(line)
            if record.logger and record.level in ('ERROR', 'FATAL'):
                self._say(line)

    def _on_event(self, event: ProcessEvent) -> None:
        self._note(event.text)
        if event.kind not in (EventKind.REFUSED, EventKind.RESPAWNING, EventKind.KILLED):
            return
        if event.name in _FOR_VIEWERS:
            # The loop goes on without. Whoever disarmed the gimbal in the meantime must not find it armed again.
            self._say(event.text)
        elif event.kind is EventKind.REFUSED:
            self._refused = event.text
        else:
            self._say(event.text)
            # A driver starts disarmed; whoever was followed must be followed again.
            self._arm_again.set()

    def _note(self, text: str) -> None:
        self._write_log(f'[gremsy] {text}')

    def _write_log(self, line: str) -> None:
        if self._log is None:
            return
        try:
            self._log.write(f'{line}\n'.encode())
        except OSError as error:
            # The run goes on; a log only looks on.
            self._log.close()
            self._log = None
            self._say(f'{self.log_path} ends here ({error.strerror}).')

    def _set_environment(self, environment: dict[str, str | None]) -> None:
        """For the processes, and for the operator, which is in this one: rmw reads the environment when it joins."""
        self._environment = {name: os.environ.get(name) for name in environment}
        join_network(os.environ, environment)

    def _restore_environment(self) -> None:
        join_network(os.environ, self._environment)
        self._environment = {}
