# SPDX-License-Identifier: Apache-2.0
"""The suite as a robot runs it, on a trial camera and a simulated gimbal: loop, driver, page and video server.

Its processes are those of `./gremsy run web:=true params_file:=…` for a robot with a network camera: nothing in them is
told that it is a trial. Around them is what the demo has around its own: a ROS domain, ports, and an operator who arms
the gimbal, and arms it again when its driver was started again.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from benchmarks.faults.target_model import DARK, TARGET_CLASS, write_target_model
from benchmarks.faults.trial_gimbal import TrialGimbal
from gremsy_bringup.demo.demo_operator_node import DemoOperator, OperatorError
from gremsy_bringup.describe.suite_arguments import SuiteArguments
from gremsy_bringup.describe.system_description import describe, process_specs, share_folder
from gremsy_bringup.describe.video_server_choice import free_video_server
from gremsy_bringup.logs.log_record import LogRecord
from gremsy_bringup.supervise.free_ports import free_tcp_port
from gremsy_bringup.supervise.supervisor import EventKind, ProcessEvent, Supervisor
from gremsy_camera.trial.trial_camera import TrialCamera, TrialCameraOptions
from gremsy_common.claims import domain_claim
from gremsy_gimbal_sim.options.options import PayloadOptions

ROBOT, CAMERA = 'robot', 'eo'
_FIELD_DEG = 60.0
_CAMERA_HZ = 15.0
# Grey levels, as every sensor has: a wall without any would be taken for a frozen picture.
_NOISE = 3
_ARM_TIMEOUT_S = 60.0
_OPERATOR_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class SuitePlan:
    """How the suite is started.

    Attributes:
        composed: camera, detector, tracker and video in one process.
        environment: added to every process.
        parameters: by node (`eo/camera`, `gimbal_driver`), added to the trial's own.
        boot_s: how long the payload is silent as it restarts.
        log_folder: of ROS's logs; the trial's own where it is None.
    """

    composed: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    boot_s: float = 3.0
    log_folder: Path | None = None


class TrialSuite:
    """Everything that runs; a context manager.

    Attributes:
        events: what the supervisor has said, with s of `time.monotonic`.
        lines: the newest lines of each process.
    """

    def __init__(self, plan: SuitePlan = SuitePlan()) -> None:
        self.plan = plan
        self.events: list[tuple[float, ProcessEvent]] = []
        self.lines: list[tuple[float, str, str]] = []
        self.folder = Path(tempfile.mkdtemp(prefix='gremsy_faults_'))
        self.model = self.folder / 'target.onnx'
        self._lamp = self.folder / 'lamp'
        ring = f'{os.getpid()}-{secrets.token_hex(4)}'
        self.gimbal = TrialGimbal(ring, PayloadOptions(boot_s=plan.boot_s))
        self.camera = TrialCamera(
            TrialCameraOptions(
                rate_hz=_CAMERA_HZ, gop=8, noise=_NOISE, lamp=str(self._lamp), ring=ring, field_deg=_FIELD_DEG
            )
        )
        self._domain = domain_claim()
        self._stack = ExitStack()
        self.web_port = 0
        self._supervisor: Supervisor | None = None
        self._operator: DemoOperator | None = None
        self._operating = threading.Thread(target=self._operate, name='operator', daemon=True)
        self._arm_wanted, self._over = threading.Event(), threading.Event()
        self._environment_before: dict[str, str | None] = {}

    def __enter__(self) -> TrialSuite:
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # What a fault does.

    def signal(self, process: str, number: int) -> None:
        """Send it that signal, to the process alone and not to what it has started."""
        os.kill(self.pids()[process], number)

    def pids(self) -> dict[str, int]:
        """Of the processes that run, by name."""
        assert self._supervisor is not None
        return {name: state.pid for name, state in self._supervisor.states().items() if state.pid is not None}

    def restarts(self) -> dict[str, int]:
        """How often each was started again."""
        assert self._supervisor is not None
        return {name: state.restarts for name, state in self._supervisor.states().items()}

    def show_lamp(self, grey: int) -> None:
        """Light the lamp in the camera's picture."""
        self._lamp.write_text(f'{grey}\n', encoding='ascii')

    # Start and end.

    def _open(self) -> None:
        self._domain.open()
        self._stack.callback(self._domain.close)
        self.show_lamp(DARK)
        write_target_model(self.model)
        self.gimbal.open()
        self._stack.callback(self.gimbal.close)
        self._stack.callback(self.camera.stop)
        self.camera.start()
        environment = self._shared_environment()
        self._set_environment(environment)
        self._stack.callback(self._restore_environment)
        specs = process_specs(self._description(), self.folder, {**environment, **self.plan.environment})
        self._supervisor = Supervisor(specs, self._on_record, self._on_event)
        self._supervisor.start()
        self._stack.callback(self._supervisor.stop)
        self._operator = DemoOperator(ROBOT, CAMERA, self._domain.number)
        self._operator.open()
        self._stack.callback(self._operator.close)
        self._arm_wanted.set()
        self._operating.start()
        self._stack.callback(self._end_operating)

    def close(self) -> None:
        """Everything, in the order that the demo ends in."""
        self._stack.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _description(self) -> Any:
        self.web_port = free_tcp_port(0)
        arguments = SuiteArguments(
            namespace=ROBOT, cameras=CAMERA, web=True, video='builtin', composed=self.plan.composed
        )
        path = self.folder / 'parameters.yaml'
        path.write_text(yaml.safe_dump(self._parameters(), sort_keys=False), encoding='utf-8')
        return describe(arguments, (path,), video_server=free_video_server())

    def _parameters(self) -> dict[str, Any]:
        plant = self.gimbal.options.plant
        own: dict[str, dict[str, Any]] = {
            f'{CAMERA}/camera': {'source': self.camera.uri, 'horizontal_field_deg': _FIELD_DEG},
            f'{CAMERA}/detector': {'model': str(self.model)},
            f'{CAMERA}/tracker': {'auto_lock': 'nearest', 'lock_classes': [TARGET_CLASS]},
            'gimbal_driver': {
                'link': self.gimbal.uri,
                'plant_delay_s': plant.delay_s,
                'plant_lag_s': plant.lag_s,
                'dead_zone_rad_s': plant.dead_zone_rad_s,
            },
            'web': {'port': self.web_port},
        }
        for node, values in self.plan.parameters.items():
            own[node] = {**own.get(node, {}), **values}
        return {f'/{ROBOT}/{node}': {'ros__parameters': values} for node, values in own.items()}

    def _shared_environment(self) -> dict[str, str]:
        log = self.plan.log_folder or self.folder / 'log'
        environment = {
            'ROS_DOMAIN_ID': str(self._domain.number),
            'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SYSTEM_DEFAULT',
            'ROS_LOG_DIR': str(log),
        }
        if self.plan.composed:
            profile = str(share_folder() / 'config' / 'fastdds_loopback.xml')
            environment |= {'FASTRTPS_DEFAULT_PROFILES_FILE': profile, 'FASTDDS_DEFAULT_PROFILES_FILE': profile}
        else:
            environment['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
        return environment

    def _on_record(self, record: LogRecord) -> None:
        self.lines += [(time.monotonic(), record.process, line) for line in record.text.split('\n')]

    def _on_event(self, event: ProcessEvent) -> None:
        self.events.append((time.monotonic(), event))
        # As the demo does: a driver starts disarmed, and whoever was followed is to be followed again.
        if event.kind in (EventKind.RESPAWNING, EventKind.KILLED) and event.name not in ('web', 'video'):
            self._arm_wanted.set()

    def _operate(self) -> None:
        """Arm and enable, again and again where a process came back."""
        assert self._operator is not None
        while not self._over.is_set():
            if not self._arm_wanted.wait(_OPERATOR_POLL_S):
                continue
            self._arm_wanted.clear()
            try:
                self._operator.arm(_ARM_TIMEOUT_S, self._over.is_set)
            except OperatorError as error:
                self.lines.append((time.monotonic(), 'operator', str(error)))

    def _end_operating(self) -> None:
        self._over.set()
        self._operating.join()

    def _set_environment(self, environment: Mapping[str, str]) -> None:
        """For the operator, which is in this process."""
        self._environment_before = {name: os.environ.get(name) for name in environment}
        os.environ.update(environment)

    def _restore_environment(self) -> None:
        for name, value in self._environment_before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
