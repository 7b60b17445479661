# SPDX-License-Identifier: Apache-2.0
"""The gimbal driver without ROS: a link, a reader and a writer thread around `MotionControl`, and the deadman.

The reader turns bytes into attitudes. The writer sleeps until there is something to write; a command offered by any
thread wakes it, and its bytes go out at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from gremsy_common.gimbal_state import RateSetpoint, ZoomState
from gremsy_common.rotations import quaternion_from_bearing
from gremsy_gimbal_driver.attitude_stamping import AttitudeStamping, MeasuredAttitude
from gremsy_gimbal_driver.command_arbiter import Source
from gremsy_gimbal_driver.deadman_guard import DeadmanGuard
from gremsy_gimbal_driver.device_requests import DeviceRequests
from gremsy_gimbal_driver.instant import Clock, system_clock
from gremsy_gimbal_driver.links.link import Link
from gremsy_gimbal_driver.links.link_keeper import LinkKeeper
from gremsy_gimbal_driver.mavlink_decoder import Decoder
from gremsy_gimbal_driver.mavlink_encoder import FLAGS_FOLLOW, Encoder
from gremsy_gimbal_driver.mavlink_events import (
    AttitudeStatus,
    DeviceInformation,
    Event,
    Heartbeat,
    Sender,
    SystemStatus,
    ZoomReport,
)
from gremsy_gimbal_driver.mavlink_frames import q_frd_from_level_camera, wire_rates
from gremsy_gimbal_driver.motion_control import Answer, ControlState, MotionControl
from gremsy_gimbal_driver.motion_output import MotionOutput
from gremsy_gimbal_driver.motion_settings import MotionSettings, nanoseconds

_HEARTBEAT_NS = nanoseconds(1.0)
_READ_WAIT_S = 0.1
# Heartbeats come once a second; after six misses a gimbal counts as gone, as in the vendor's SDK (gimbal.md 1.3).
_SILENCE_NS = nanoseconds(6.0)
_BEATS_PER_TIME_TO_LIVE = 4
_REST_PATIENCE_S = 0.5
# The deadman cannot see whether the gimbal rests, so it writes more zeros: at 2 % lost bytes six frames in ten are
# lost, and all fifteen once in two thousand times.
_DEADMAN_BURSTS = 3


@dataclass(frozen=True, slots=True)
class DriverSettings:
    """How the driver talks.

    Attributes:
        motion: limits and times.
        own: our MAVLink ids; 1 and 191 are what gimbals are known to obey (gimbal.md 1.3).
        gimbal: the gimbal's ids where they must not be learned.
        flags: of message 284, `mavlink_encoder.FLAGS_FOLLOW` or `FLAGS_LOCK`.
        camera_frame: frame of the attitudes.
        attitude_rate_hz: asked of the gimbal.
        least_attitude_delay_s: smallest time from a measurement to its arrival here, where known.
        deadman: whether a child process guards the link.
    """

    motion: MotionSettings = field(default_factory=MotionSettings)
    own: Sender = field(default_factory=lambda: Sender(1, 191))
    gimbal: Sender | None = None
    flags: int = FLAGS_FOLLOW
    camera_frame: str = 'gimbal_camera'
    attitude_rate_hz: float = 50.0
    least_attitude_delay_s: float = 0.0
    deadman: bool = True


def _ignore(*_: object) -> None:
    return None


@dataclass(frozen=True, slots=True)
class WrittenCommand:
    """One rate command on its way.

    Attributes:
        stamp_ns: of the image that the command rests on; repeats carry the same.
        wire_ns: ROS time right after the bytes were handed to the link.
        rates_rad_s: azimuth and tilt as commanded, after the plant's inverse.
    """

    stamp_ns: int
    wire_ns: int
    rates_rad_s: tuple[float, float]


@dataclass(frozen=True, slots=True)
class DriverListener:
    """Whom the driver tells; the functions are called on its threads and must return at once.

    Attributes:
        attitude, zoom: telemetry.
        control: the arm or the holder changed.
        say: a sentence about what is wrong.
        inform: a sentence about what is well.
        command_written: a rate command's bytes were handed to the link.
    """

    attitude: Callable[[MeasuredAttitude], None] = _ignore
    zoom: Callable[[ZoomState], None] = _ignore
    control: Callable[[ControlState], None] = _ignore
    say: Callable[[str], None] = _ignore
    inform: Callable[[str], None] = _ignore
    command_written: Callable[[WrittenCommand], None] = _ignore


@dataclass(frozen=True, slots=True)
class DriverStatus:
    """A snapshot for diagnostics; `counts` are running totals by name, `failure` why a thread ended."""

    link: str
    link_open: bool
    gimbal: Sender | None
    information: DeviceInformation | None
    attitude_rate_granted: bool | None
    status_bits: int
    fault_bits: int
    attitude_age_s: float | None
    control: ControlState
    trouble: str
    failure: str
    counts: dict[str, int]


class GimbalDriver:
    """`open`, then offer commands from any thread, then `close`, which stops the gimbal."""

    def __init__(
        self,
        link: Link,
        settings: DriverSettings | None = None,
        listener: DriverListener | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self._settings = settings or DriverSettings()
        self._listener = listener or DriverListener()
        self._clock = clock
        motion = self._settings.motion
        self._link = LinkKeeper(link, self._link_opened, self._link_failed)
        self._encoder = Encoder(self._settings.own)
        self._decoder = Decoder(self._settings.own, self._settings.gimbal)
        least_delay_ns = nanoseconds(self._settings.least_attitude_delay_s)
        self._stamping = AttitudeStamping(self._settings.camera_frame, least_delay_ns)
        self._requests = DeviceRequests(self._encoder, self._settings.attitude_rate_hz)
        self._motion = MotionControl(motion, self._listener.say, self._listener.inform)
        self._deadman = (
            DeadmanGuard(motion.time_to_live_s, motion.burst_interval_s, self._listener.say)
            if self._settings.deadman
            else None
        )
        self._condition = threading.Condition()
        self._something_new = False
        self._closing = False
        self._threads: list[threading.Thread] = []
        self._heartbeat_due_ns = 0
        self._guarded: Sender | None = None
        self._heard_ns: int | None = None
        self._attitude_ns: int | None = None
        self._status: SystemStatus | None = None
        self._control = ControlState(False, 'nobody')
        self._trouble = ''
        self._failure = ''
        self._written = 0
        self._unwritten = 0

    def open(self) -> None:
        """Start the deadman and the threads. The link is opened, and opened again after a loss, in the background."""
        if self._deadman is not None:
            self._deadman.open()
        self._threads = [
            threading.Thread(target=self._guard, args=(self._read_once, 'reader'), name='gimbal-reader', daemon=True),
            threading.Thread(target=self._guard, args=(self._write_once, 'writer'), name='gimbal-writer', daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop the gimbal, see it rest (or half a second pass), then end threads, deadman and link. Idempotent."""
        if self._written and self._threads:
            self.stop()
            self._wait_for_rest()
        with self._condition:
            self._closing = True
            self._something_new = True
            self._condition.notify_all()
        self._link.interrupt()
        for thread in self._threads:
            thread.join()
        self._threads = []
        if self._failure:
            self._burst()
        if self._deadman is not None:
            self._deadman.close()
        self._link.close()

    def arm(self, on: bool) -> Answer:
        """Allow or forbid motion, whoever asks for it."""
        with self._changing():
            return self._motion.arm(on, self._clock())

    def stop(self) -> Answer:
        """Stop and disarm."""
        with self._changing():
            return self._motion.stop()

    def home(self) -> Answer:
        """Turn to azimuth 0, tilt 0; returns at once, the listener hears the end."""
        with self._changing():
            return self._motion.home(self._clock())

    def offer(self, source: Source, setpoint: RateSetpoint) -> bool:
        """A rate command; False when it was refused."""
        with self._changing():
            return self._motion.offer(source, setpoint, self._clock())

    def status(self) -> DriverStatus:
        """How things stand."""
        now = self._clock()
        with self._condition:
            counts = dict(self._motion.counts)
        for counter in (self._decoder.framing_counts, self._decoder.rejects, self._stamping.rejects):
            counts.update(counter)
        counts.update(
            rate_messages_written=self._written,
            rate_messages_unwritten=self._unwritten,
            link_openings=self._link.openings,
            device_restarts=self._stamping.restarts,
            deadman_replaced=self._deadman.replaced if self._deadman is not None else 0,
        )
        attitude_ns, status = self._attitude_ns, self._status
        return DriverStatus(
            self._link.name,
            self._link.is_open,
            self._decoder.gimbal,
            self._requests.information,
            self._requests.rate_granted,
            status.status_bits if status else 0,
            status.fault_bits if status else 0,
            None if attitude_ns is None else (now.monotonic_ns - attitude_ns) * 1e-9,
            self._control,
            self._trouble,
            self._failure,
            counts,
        )

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold the lock, and wake the writer on the way out."""
        with self._condition:
            yield
            self._something_new = True
            self._condition.notify()

    # The threads.

    def _guard(self, once: Callable[[], None], name: str) -> None:
        """Run one thread's body until closing; a fault in it stops the gimbal, whatever it was."""
        try:
            while not self._closing:
                once()
        except Exception as error:  # noqa: BLE001 - reported and counted; what must not happen is a gimbal that runs on
            self._failure = f"The gimbal driver's {name} failed ({type(error).__name__}: {error})."
            with self._changing():
                self._motion.stop()
            # The writer may be the one that failed, and then nobody else writes the stop.
            self._burst()
            self._listener.say(f'{self._failure} Motion is stopped; restart the driver.')

    def _read_once(self) -> None:
        data = self._link.read(_READ_WAIT_S)
        self._forget_a_silent_gimbal()
        if not data:
            return
        arrival = self._clock()
        for event in self._decoder.feed(data, self._link.is_datagram):
            self._take(event, arrival.ros_ns)

    def _write_once(self) -> None:
        now = self._clock()
        with self._condition:
            self._something_new = False
            output, wake_ns = self._motion.step(now)
            control = self._motion.control
            guarded = self._motion.armed or self._motion.stopping
        if output is not None:
            self._write_motion(output)
        if control != self._control:
            self._control = control
            self._listener.control(control)
        if self._deadman is not None:
            self._deadman.beat(guarded)
        self._housekeeping(now.monotonic_ns)
        longest_s = self._settings.motion.time_to_live_s / _BEATS_PER_TIME_TO_LIVE
        if wake_ns is not None:
            longest_s = min(longest_s, (wake_ns - self._clock().monotonic_ns) * 1e-9)
        with self._condition:
            self._condition.wait_for(lambda: self._something_new, max(0.0, longest_s))

    def _housekeeping(self, now_ns: int) -> None:
        if now_ns >= self._heartbeat_due_ns:
            self._heartbeat_due_ns = now_ns + _HEARTBEAT_NS
            self._link.write(self._encoder.heartbeat())
        gimbal = self._decoder.gimbal
        for message in self._requests.due(gimbal, now_ns):
            self._link.write(message)
        if gimbal is None or gimbal == self._guarded:
            return
        self._guarded = gimbal
        self._listener.inform(f'Found the gimbal {gimbal.system}/{gimbal.component} on {self._link.name}.')
        if self._deadman is not None:
            zero = wire_rates(0.0, 0.0)
            count = _DEADMAN_BURSTS * self._settings.motion.burst_count
            self._deadman.burst([self._encoder.rates(gimbal, zero, self._settings.flags) for _ in range(count)])

    def _write_motion(self, output: MotionOutput) -> None:
        gimbal = self._decoder.gimbal
        if gimbal is None:
            return
        if output.angles_rad is not None:
            quaternion = q_frd_from_level_camera(quaternion_from_bearing(*output.angles_rad)).tolist()
            message = self._encoder.attitude(gimbal, tuple(quaternion), self._settings.flags)
        else:
            assert output.rates_rad_s is not None
            message = self._encoder.rates(gimbal, wire_rates(*output.rates_rad_s), self._settings.flags)
        if self._link.write(message):
            self._written += 1
            if output.rests_on_ns is not None and output.rates_rad_s is not None:
                written = WrittenCommand(output.rests_on_ns, self._clock().ros_ns, output.rates_rad_s)
                self._listener.command_written(written)
        else:
            self._unwritten += 1

    def _wait_for_rest(self) -> None:
        end = time.monotonic() + _REST_PATIENCE_S
        while time.monotonic() < end and not self._failure:
            with self._condition:
                if self._motion.settled(self._clock()):
                    return
            time.sleep(0.005)

    def _burst(self) -> None:
        """The stop of last resort, written by the calling thread."""
        motion = self._settings.motion
        for number in range(motion.burst_count):
            if number:
                time.sleep(motion.burst_interval_s)
            self._write_motion(self._motion.zero)

    # What the reader hears.

    def _take(self, event: Event, arrival_ros_ns: int) -> None:
        now = self._clock()
        if event.sender == self._decoder.gimbal:
            self._heard_ns = now.monotonic_ns
        if isinstance(event, AttitudeStatus):
            restarts = self._stamping.restarts
            measured = self._stamping.measured(event, arrival_ros_ns)
            if self._stamping.restarts != restarts:
                self._requests.again()
            if measured is None:
                return
            self._attitude_ns = now.monotonic_ns
            with self._condition:
                speed_rad_s = float(np.linalg.norm(measured.attitude.rate_rad_s))
                self._motion.attitude((measured.yaw_rad, measured.pitch_rad), now, speed_rad_s)
            self._listener.attitude(measured)
        elif isinstance(event, ZoomReport):
            with self._condition:
                self._motion.zoom(event.factor)
            self._listener.zoom(ZoomState(arrival_ros_ns, event.factor))
        elif isinstance(event, SystemStatus):
            self._status = event
        elif not isinstance(event, Heartbeat):
            self._requests.heard(event)

    def _forget_a_silent_gimbal(self) -> None:
        now_ns = self._clock().monotonic_ns
        if self._heard_ns is not None and now_ns - self._heard_ns > _SILENCE_NS:
            self._heard_ns = None
            self._decoder.forget()
            self._listener.say(
                f'The gimbal on {self._link.name} has been silent for {_SILENCE_NS * 1e-9:g} s: '
                'check its power and its cable.'
            )

    def _link_opened(self, descriptor: int) -> None:
        self._trouble = ''
        self._decoder.cut()
        self._heartbeat_due_ns = 0
        self._requests.again()
        if self._deadman is not None:
            self._deadman.link_opened(descriptor)
        with self._changing():
            pass

    def _link_failed(self, reason: str) -> None:
        self._trouble = reason
        if self._deadman is not None:
            self._deadman.link_lost()
        self._listener.say(reason)
