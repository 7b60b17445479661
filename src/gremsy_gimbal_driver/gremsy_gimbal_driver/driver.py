# SPDX-License-Identifier: Apache-2.0
"""The gimbal driver without ROS: links, a reader thread for each, a writer thread, and the deadman.

A reader turns bytes into events and passes them to `GimbalDevice`, which informs `MotionControl`. The writer sleeps
until there is something to write; a command offered by any thread wakes it, and its bytes go out at once.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from gremsy_common.types.control_state import ControlState
from gremsy_common.types.gimbal_state import (
    ImuReading,
    LevelHeading,
    RangeReading,
    RateSetpoint,
    VehicleAttitude,
    ZoomState,
)
from gremsy_gimbal_driver.calibration.calibration_file import CalibratedParameters
from gremsy_gimbal_driver.calibration.calibration_result import summary
from gremsy_gimbal_driver.calibration.calibration_run import CalibrationRun
from gremsy_gimbal_driver.deadman.deadman_briefing import DeadmanBriefing
from gremsy_gimbal_driver.deadman.deadman_guard import BEATS_PER_TIME_TO_LIVE, DeadmanGuard
from gremsy_gimbal_driver.device.gimbal_device import DeviceReport, GimbalDevice
from gremsy_gimbal_driver.driver_reports import DriverListener, DriverStatus, GimbalView
from gremsy_gimbal_driver.gimbal_driver_parameters import GimbalDriverParameters
from gremsy_gimbal_driver.goals.goal import AngleGoal, GoalPath, GoalProgress, GoalState
from gremsy_gimbal_driver.links.link import Link
from gremsy_gimbal_driver.links.link_health import link_fault
from gremsy_gimbal_driver.links.link_router import LinkListener, LinkRouter
from gremsy_gimbal_driver.mavlink.component_register import ComponentRegister
from gremsy_gimbal_driver.mavlink.gimbal_protocol import is_stop
from gremsy_gimbal_driver.mavlink.mavlink_decoder import MavlinkDecoder
from gremsy_gimbal_driver.mavlink.mavlink_encoder import MavlinkEncoder
from gremsy_gimbal_driver.motion.command_arbiter import CommandResult, Source
from gremsy_gimbal_driver.motion.instant import Clock, Instant, system_clock
from gremsy_gimbal_driver.motion.mode_machine import ModeStatus
from gremsy_gimbal_driver.motion.mode_while_following import ModeWhileFollowing
from gremsy_gimbal_driver.motion.motion_control import MotionControl
from gremsy_gimbal_driver.motion.motion_output import GimbalMode, MotionOutput
from gremsy_gimbal_driver.motion.motion_writer import BURST_COUNT, BURST_INTERVAL_S
from gremsy_gimbal_driver.payload.camera_commands import first_still_number
from gremsy_gimbal_driver.payload.payload_requests import Request
from gremsy_gimbal_driver.payload.pending_request import PendingRequest
from gremsy_gimbal_driver.payload.tracking_guard import TrackingGuard

_READ_WAIT_S = 0.1
_REST_PATIENCE_S = 0.5
# A name server that does not answer keeps a reader for seconds; it is a daemon and ends with the process.
_JOIN_PATIENCE_S = 2.0
# How often requests to the device are looked at; none of them is urgent.
_HOUSEKEEPING_S = 0.05
_REFUSED_AGAIN_NS = 500_000_000


class GimbalDriver:
    """`open`, then offer commands from any thread, then `close`, which stops the gimbal.

    Args:
        links: one or two, in order of preference, not opened yet.
        parameters: how to talk and move, with the frames' whole prefix.
        listener: called with what happens.
        clock: both clocks.
    """

    def __init__(
        self,
        links: Sequence[Link],
        parameters: GimbalDriverParameters | None = None,
        listener: DriverListener | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self._parameters = parameters = parameters or GimbalDriverParameters()
        self._listener = listener = listener or DriverListener()
        self._listeners: Mapping[type[DeviceReport], Callable[[Any], None]] = {
            GimbalView: listener.view,
            ZoomState: listener.zoom,
            ImuReading: listener.imu,
            RangeReading: listener.range_finder,
            LevelHeading: listener.heading,
        }
        self._clock = clock
        self._deadman = DeadmanGuard(parameters.time_to_live_s, BURST_INTERVAL_S, listener.report)
        link_listener = LinkListener(self._link_opened, self._deadman.link_lost, listener.report, listener.inform)
        self._router = LinkRouter(links, link_listener)
        self._components = ComponentRegister(parameters.pinned_gimbal)
        self._decoders = [MavlinkDecoder(parameters.own, components=self._components) for _ in links]
        self._encoder = MavlinkEncoder(parameters.own)
        self._motion = MotionControl(parameters, self._listener.report, self._listener.inform)
        self._device = GimbalDevice(
            parameters,
            self._encoder,
            self._components,
            self._motion,
            self._listener.report,
            self._listener.inform,
            first_still_number(time.time_ns()),
        )
        self._tracking = TrackingGuard(self._device.payload)
        self._mode_while_following = ModeWhileFollowing(parameters.mode_while_following)
        self._calibration: CalibrationRun | None = None
        self._deadman_briefing = DeadmanBriefing(self._deadman, parameters.time_to_live_s)
        self._condition = threading.Condition()
        self._something_new = False
        self._closing = False
        self._threads: list[threading.Thread] = []
        self._router_wake_ns = 0
        self._housekeeping_ns = 0
        self._control: ControlState | None = None
        self._goal: GoalProgress | None = None
        self._refused: list[GoalProgress] = []
        self._refused_at: dict[Source, tuple[int, str]] = {}
        self._failure = ''
        self._written = 0
        self._unwritten = 0

    def open(self) -> None:
        """Start the deadman and the threads. Links are opened, and opened again after a loss, in the background."""
        self._deadman.open()
        bodies = {f'reader {link}': partial(self._read_once, link) for link in range(len(self._decoders))}
        self._threads = [
            threading.Thread(target=self._guard, args=(body, name), name=f'gimbal-{name}', daemon=True)
            for name, body in {**bodies, 'writer': self._write_once}.items()
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop the gimbal, see it rest (or half a second pass), then end threads, deadman and links. Idempotent."""
        if (self._written or self._tracking.may_turn) and self._threads:
            self.stop()
            self._wait_for_rest()
            gimbal = self._device.gimbal
            if gimbal is not None:
                self._router.write(gimbal, self._device.farewell(), self._clock().monotonic_ns)
        with self._condition:
            self._closing = True
            self._something_new = True
            self._condition.notify_all()
        self._router.interrupt()
        for thread in self._threads:
            thread.join(_JOIN_PATIENCE_S)
        self._threads = []
        if self._failure:
            self._burst()
        self._deadman.close()
        self._router.close()

    # Requests, from any thread.

    def arm(self, on: bool) -> CommandResult:
        """Allow or forbid motion, whoever asks for it."""
        with self._changing():
            if not on:
                self._end_payload_tracking()
            return self._motion.arm(on, self._clock())

    def watch_rest(self) -> None:
        """A driver before this one died: stop the gimbal if it is seen to turn, armed or not."""
        with self._changing():
            self._motion.watch_rest(self._clock())

    def stop(self) -> CommandResult:
        """Stop and disarm."""
        with self._changing():
            self._end_payload_tracking()
            return self._motion.stop()

    def home(self, source: Source = Source.OPERATOR) -> CommandResult:
        """Turn to azimuth 0, tilt 0; returns at once, and the listener gets the end."""
        with self._changing(source):
            view = self._device.view
            ahead_rad = 0.0 if view is None else view.measured.ahead_rad
            return self._with_refusal_reported(source, self._motion.home(self._clock(), source, ahead_rad))

    def offer(self, source: Source, setpoint: RateSetpoint) -> bool:
        """A rate command; False when it was refused."""
        with self._changing(source):
            return self._motion.offer(source, setpoint, self._clock())

    def go_to(self, source: Source, goal: AngleGoal) -> CommandResult:
        """Turn to a goal; returns at once, and the number in the result asks for its progress."""
        with self._changing(source):
            return self._with_refusal_reported(source, self._motion.go_to(source, goal, self._clock()))

    def refuse_goal(self, source: Source, why: str) -> CommandResult:
        """Refuse a goal that could not even be requested, since nobody knows where it is."""
        with self._changing():
            return self._with_refusal_reported(source, CommandResult(False, why))

    def cancel_goal(self, number: int, by: str) -> CommandResult:
        """End that goal, if it still runs."""
        with self._changing():
            return self._motion.cancel_goal(number, by)

    def hand_over(self, source: Source) -> None:
        """Another sender takes that source over: what the one before asked for ends in a burst of zeros."""
        with self._changing():
            self._motion.hand_over(source, self._clock())

    def set_mode(self, source: Source, mode: GimbalMode) -> CommandResult:
        """Change the mode; needs the arm, since it moves the camera."""
        with self._changing(source):
            return self._motion.set_mode(source, mode, self._clock())

    def prefer_mode(self, mode: GimbalMode) -> CommandResult:
        """Change to that mode now if armed, otherwise when the gimbal is armed next."""
        with self._changing():
            return self._motion.prefer_mode(mode, self._clock())

    def calibrate(self) -> CommandResult:
        """Start to measure the plant; returns at once, and the listener gets the end."""
        with self._changing():
            now, view = self._clock(), self._device.view
            device = self._device
            run = CalibrationRun(self._parameters, self._motion, device.payload, device.imu.axes)
            if self._calibration is not None and self._calibration.routine.running:
                return CommandResult(False, 'Not calibrating: it is running already.')
            if view is not None:
                run.on_report(view, now)
            refusal = run.routine.begin(now, armed=self._motion.armed)
            if refusal:
                return CommandResult(False, refusal)
            self._calibration = run
            return CommandResult(True, run.routine.sentence)

    def use_calibration(self, calibrated: CalibratedParameters) -> None:
        """From the next command, attitude and reading on."""
        with self._changing():
            self._motion.writer.use_plant(calibrated)
            if calibrated.least_attitude_delay_s is not None:
                self._device.use_attitude_delay(calibrated.least_attitude_delay_s)
            if calibrated.imu_axes is not None:
                self._device.imu.use_axes(calibrated.imu_axes)

    def use_attitude_delay(self, least_delay_s: float) -> None:
        """The smallest delay from a measurement to its arrival, from the next attitude on."""
        with self._changing():
            self._device.use_attitude_delay(least_delay_s)

    @property
    def calibrating(self) -> bool:
        """Whether a calibration moves the gimbal."""
        with self._condition:
            return self._calibration is not None and self._calibration.routine.running

    def request(self, request: Request) -> PendingRequest:
        """Request something of the payload's camera; what is returned shows how it ends.

        The payload's own tracking turns the camera past everything in this driver, so it needs the arm as well, and
        whatever stops or disarms ends it.
        """
        with self._changing():
            return self._tracking.request(request, self._motion.armed, self._clock().monotonic_ns)

    def offer_vehicle(self, vehicle: VehicleAttitude) -> None:
        """The vehicle's attitude: for the earth frame here, and for the gimbal (message 286)."""
        with self._changing():
            reports = self._device.offer_vehicle(vehicle, self._clock())
        for each in reports:
            self._listeners[type(each)](each)

    # State, from any thread.

    @property
    def view(self) -> GimbalView | None:
        """Where the camera looked last; None before the first attitude."""
        return self._device.view

    @property
    def zoom_factor(self) -> float | None:
        """As the payload reported it last; None where it does not."""
        return self._device.payload.lens.factor

    def mode(self) -> ModeStatus:
        """The mode wanted and reported."""
        with self._condition:
            return self._motion.modes.status

    def goal_progress(self, number: int | None = None) -> GoalProgress | None:
        """Of that goal, or of the newest."""
        with self._condition:
            return self._motion.goals.progress(number)

    def control(self) -> ControlState:
        """Who may move the gimbal and who does."""
        with self._condition:
            return self._motion.control

    def status(self) -> DriverStatus:
        """How things stand."""
        now = self._clock()
        links = self._router.health(now.monotonic_ns)
        with self._condition:
            device, motion = self._device.snapshot(now), self._motion
            counts = Counter(motion.counts)
            counts.update(self._device.counts)
            mode, control, goal = motion.modes.status, motion.control, motion.goals.progress()
            calibration = '' if self._calibration is None else self._calibration.routine.sentence
        for decoder in self._decoders:
            # Copies, which are made in one go: a reader adds names to these while it reads.
            counts.update(dict(decoder.framing_counts))
            counts.update(dict(decoder.rejects))
        counts.update(
            motion_messages_written=self._written,
            motion_messages_unwritten=self._unwritten,
            link_openings=self._router.openings,
            deadman_replaced=self._deadman.replaced,
        )
        faults = [
            link_fault(link, any(device.gimbal in other.senders for other in links if other is not link))
            for link in links
        ]
        links = tuple(replace(link, fault=fault) for link, fault in zip(links, faults, strict=True))
        return DriverStatus(links, device, mode, control, goal, calibration, self._failure, dict(counts))

    def _with_refusal_reported(self, source: Source, result: CommandResult) -> CommandResult:
        """A sender on a topic gets a refusal as a goal's end; one that streams goals, at most two a second."""
        now_ns = self._clock().monotonic_ns
        last_ns, last_text = self._refused_at.get(source, (-_REFUSED_AGAIN_NS, ''))
        if not result.done and (result.text != last_text or now_ns - last_ns >= _REFUSED_AGAIN_NS):
            self._refused_at[source] = (now_ns, result.text)
            self._refused.append(
                GoalProgress(0, source.word, GoalState.REFUSED, True, result.text, (0.0, 0.0), GoalPath.ANGLE)
            )
        return result

    @contextmanager
    def _changing(self, mover: Source | None = None) -> Iterator[None]:
        """Hold the lock, and wake the writer on the way out.

        A `mover` that asks for motion by hand ends a calibration; a tracker that follows in the meantime does not.
        """
        with self._condition:
            if mover is Source.OPERATOR and self._calibration is not None:
                self._calibration.routine.cancel('the operator asked for motion')
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
            self._listener.report(f'{self._failure} Motion is stopped; restart the driver.')

    def _read_once(self, link: int) -> None:
        data = self._router.read(link, _READ_WAIT_S)
        now, decoder = self._clock(), self._decoders[link]
        if not data:
            return
        events = decoder.feed(data, self._router.is_datagram(link), now.monotonic_ns)
        self._router.received(link, len(data), decoder.framing_counts['frames'], now.monotonic_ns)
        gimbal = self._components.gimbal
        if gimbal is not None and self._device.found_gimbal != gimbal and gimbal in self._components.last_ns:
            with self._changing():
                self._device.found(gimbal, self._router.names[link])
        for event in events:
            self._router.on_message(link, event.sender, now.monotonic_ns)
            is_copy = len(self._decoders) > 1 and self._router.route(event.sender, now.monotonic_ns) != link
            with self._condition:
                reports = self._device.on_event(event, now, is_copy)
                if self._calibration is not None:
                    for each in reports:
                        self._calibration.on_report(each, now)
            for each in reports:
                self._listeners[type(each)](each)

    def _write_once(self) -> None:
        now = self._clock()
        with self._condition:
            self._something_new = False
            calibration, calibration_wake_ns = self._calibration, None
            if calibration is not None:
                calibration_wake_ns = calibration.step(now)
            output, wake_ns = self._motion.step(now)
            control, goals = self._motion.control, self._goals_to_report()
            guarded = self._motion.armed or self._motion.writer.stopping
            mode = self._motion.modes.status.wanted
        device = self._device
        guarded = guarded or self._tracking.may_turn
        self._deadman_briefing.update(
            device.gimbal, device.protocol, mode, guarded, now.monotonic_ns, self._tracking.end_messages
        )
        if output is not None:
            self._write_motion(output)
        self._report(control, goals, calibration)
        self._housekeep()
        longest_s = self._parameters.time_to_live_s / BEATS_PER_TIME_TO_LIVE
        now_ns = self._clock().monotonic_ns
        for each_ns in (wake_ns, calibration_wake_ns, self._router_wake_ns, self._housekeeping_ns):
            if each_ns is not None:
                longest_s = min(longest_s, (each_ns - now_ns) * 1e-9)
        with self._condition:
            self._condition.wait_for(lambda: self._something_new, max(0.0, longest_s))

    def _goals_to_report(self) -> list[GoalProgress]:
        """The newest goal if it changed, after the end of the one before, for which somebody may wait."""
        newest, last = self._motion.goals.progress(), self._goal
        goals, self._refused = self._refused, []
        if newest is None:
            return goals
        if last is not None and last.number != newest.number and not last.ended:
            end = self._motion.goals.progress(last.number)
            goals += [] if end is None else [end]
        if last is None or (newest.number, newest.state, newest.ended) != (last.number, last.state, last.ended):
            goals.append(newest)
        return goals

    def _report(self, control: ControlState, goals: list[GoalProgress], calibration: CalibrationRun | None) -> None:
        if control != self._control:
            self._control = control
            self._listener.control(control)
        for goal in goals:
            if goal.state is not GoalState.REFUSED:
                self._goal = goal
            self._listener.goal(goal)
        if calibration is not None and not calibration.routine.running:
            self._calibration_ended(calibration)

    def _calibration_ended(self, calibration: CalibrationRun) -> None:
        with self._condition:
            if self._calibration is calibration:
                self._calibration = None
        result = calibration.result
        if result is None:
            self._listener.report(calibration.routine.sentence)
        else:
            self._listener.inform(summary(result))
            self._listener.calibrated(result)

    def _housekeep(self) -> None:
        now = self._clock()
        if now.monotonic_ns >= self._router_wake_ns:
            self._router_wake_ns = self._router.step(self._encoder.heartbeat, now.monotonic_ns)
        with self._condition:
            device_wake_ns = self._device.pace.next_ns(now)
            if now.monotonic_ns < self._housekeeping_ns and (
                device_wake_ns is None or now.monotonic_ns < device_wake_ns
            ):
                return
            messages = self._device.due(now)
            self._tracking.update()
            self._choose_mode(now)
            self._housekeeping_ns = now.monotonic_ns + int(_HOUSEKEEPING_S * 1e9)
        for to, message in messages:
            self._router.write(to, [message], now.monotonic_ns)

    def _choose_mode(self, now: Instant) -> None:
        choice, motion = self._mode_while_following, self._motion
        known = self._device.knows_turning(now)
        mode = choice.change(motion.control, motion.modes.status.wanted, turning_known=known, now_ns=now.monotonic_ns)
        if choice.sentence:
            self._listener.inform(choice.sentence)
        if mode is not None:
            motion.set_mode(Source.TRACKER, mode, now)

    def _write_motion(self, output: MotionOutput) -> None:
        gimbal = self._device.gimbal
        if gimbal is None:
            return
        messages = self._device.protocol.messages(output, gimbal)
        now_ns = self._clock().monotonic_ns
        write = self._router.write_stop if is_stop(output) else self._router.write_motion
        if not write(gimbal, messages, now_ns):
            self._unwritten += 1
            return
        self._written += 1
        if output.rests_on_ns is not None and output.rates_rad_s is not None:
            self._listener.command_written(output.rests_on_ns, output.rates_rad_s, self._clock().ros_ns)

    def _wait_for_rest(self) -> None:
        end = time.monotonic() + _REST_PATIENCE_S
        while time.monotonic() < end and not self._failure:
            with self._condition:
                if self._motion.settled(self._clock()) and not self._tracking.may_turn:
                    return
            time.sleep(0.005)

    def _burst(self) -> None:
        """The stop of last resort, written by the calling thread."""
        for number in range(BURST_COUNT):
            if number:
                time.sleep(BURST_INTERVAL_S)
            self._write_motion(self._motion.writer.zero)

    # Parts.

    def _end_payload_tracking(self) -> None:
        self._tracking.end(self._clock().monotonic_ns)
        self._housekeeping_ns = 0

    def _link_opened(self, link: int, descriptor: int) -> None:
        self._decoders[link].cut()
        self._deadman.link_opened(descriptor, link)
        with self._changing():
            self._router_wake_ns = 0
