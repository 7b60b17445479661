# SPDX-License-Identifier: Apache-2.0
"""Stamps of the ROS clock from what a camera says of its captures, or from the arrival where it says nothing.

A camera's own clock is used as it is where its pictures arrive 0 to 1000 ms after their stamps; where it is off, by
minutes or by years, it is converted to ours by the pictures that were delayed least (`clock_mapping`), which also
follows its drift. The smallest delay itself cannot be seen then: `transport_delay_ms` states it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from gremsy_camera.footage.pacing import Clock
from gremsy_camera.live.live_parameters import LiveParameters
from gremsy_camera.live.live_reader import CaptureTime, LivePicture, TimeBase
from gremsy_camera.sources.source import Say
from gremsy_common.timing.clock_mapping import MinimumDelayClock

_NS_PER_MS = 1_000_000
_NS_PER_S = 1_000_000_000
# A clock that NTP keeps is right to some milliseconds, so that a quick picture may seem to come before its capture.
# The slowest, software with x264's defaults, was seen to take 570 ms from capture to arrival.
_OURS_MIN_NS, _OURS_MAX_NS = -20 * _NS_PER_MS, 1000 * _NS_PER_MS
# What is further back than this is a step of this machine's own clock, which is followed; less is evened out.
_STEP_BACK_NS = _NS_PER_S
_LEAST_STEP_NS = 1_000
# This machine's clock may be set back by nearly a second, for which stamps wait; times that do so for longer are none.
_LONGEST_WAIT_NS = 2 * _NS_PER_S
# By less the camera's clock may be slewed, and pictures with B-frames are out of order.
_LEAST_SET_NS = 500 * _NS_PER_MS
_AGREES_FOR_NS = 15 * _NS_PER_S


@dataclass(frozen=True, slots=True)
class Stamp:
    """Of one picture.

    Attributes:
        ros_ns: of its capture.
        origin: what it was made of, in a few words.
    """

    ros_ns: int
    origin: str


class CaptureClock:
    """Stamps the pictures of one camera in the order of their arrival; `counts` may be read from any thread."""

    def __init__(self, clock: Clock, options: LiveParameters, say: Say) -> None:
        self._clock = clock
        self._options = options
        self._say = say
        self._offset_ns = round(options.stamp_offset_ms * _NS_PER_MS)
        self._least_delay_ns = round(options.transport_delay_ms * _NS_PER_MS)
        self._counts: Counter[str] = Counter()
        self._reported: set[str] = set()
        self._last_ns: int | None = None
        self._origin: str | None = None
        self._ours = False
        self._delay_before: tuple[int, int] | None = None
        self._waits_since_ns: int | None = None
        self._ros_from_monotonic_ns: int | None = None
        self._stands_still = False
        self._agrees_since_ns: int | None = None
        self._mapping = self._new_mapping()
        self._restarts = 0

    def counts(self) -> Mapping[str, int]:
        """How many stamps were not what the camera said, by reason."""
        return dict(self._counts)

    def stamp(self, picture: LivePicture) -> Stamp:
        """When the picture was captured: after the one before it, and not in the future."""
        now_ros_ns = self._clock.ros_ns()
        ros_from_monotonic_ns = now_ros_ns - self._clock.monotonic_ns()
        before_ns, self._ros_from_monotonic_ns = self._ros_from_monotonic_ns, ros_from_monotonic_ns
        set_back = before_ns is not None and before_ns - ros_from_monotonic_ns > _LEAST_SET_NS
        arrived_ns = picture.arrived_ns + ros_from_monotonic_ns
        capture = picture.capture if self._options.stamps != 'arrival' else None
        if self._stands_still:
            ros_ns, origin = arrived_ns - self._least_delay_ns, self._arrival_words()
        elif capture is None:
            ros_ns, origin = self._by_arrival(picture) + ros_from_monotonic_ns, self._arrival_words()
        elif capture.base is TimeBase.MONOTONIC:
            ros_ns, origin = capture.time_ns + self._offset_ns + ros_from_monotonic_ns, capture.origin
        else:
            ros_ns, origin = self._by_camera_clock(capture, picture.arrived_ns, ros_from_monotonic_ns)
        return Stamp(self._in_order(self._not_ahead(ros_ns, arrived_ns), picture.arrived_ns, set_back), origin)

    def _by_arrival(self, picture: LivePicture) -> int:
        """Monotonic; the stream's own time takes the network's jitter out of it."""
        if picture.position_ns is None:
            return picture.arrived_ns - self._least_delay_ns
        self._begin_with('arrival')
        return self._map(picture.position_ns, picture.arrived_ns)

    def _by_camera_clock(self, capture: CaptureTime, arrived_ns: int, ros_from_monotonic_ns: int) -> tuple[int, str]:
        reported_ns = capture.time_ns + self._offset_ns
        delay_ns = arrived_ns + ros_from_monotonic_ns - reported_ns
        plausible = _OURS_MIN_NS <= delay_ns <= _OURS_MAX_NS
        if self._begin_with(capture.origin):
            self._ours = plausible or self._options.stamps == 'camera'
        ahead, behind = delay_ns < _OURS_MIN_NS, self._fell_behind(delay_ns, arrived_ns)
        if self._ours and (ahead or behind) and self._options.stamps != 'camera':
            self._ours, self._agrees_since_ns = False, None
            self._note(
                'stamps that jumped',
                f"The camera's clock runs {abs(delay_ns) / _NS_PER_S:.3f} s {'ahead of' if ahead else 'behind'} this "
                "machine's: from now on its times are converted, by the pictures that arrive fastest.",
            )
        if not self._ours and self._agrees_for_long(delay_ns, arrived_ns):
            self._ours = True
            self._say("The camera's clock and this machine's agree now: its stamps are taken as they are.")
        # Fed all the same, so that it knows the clock on the day that it is needed.
        mapped_ns = self._map(capture.time_ns, arrived_ns, used=not self._ours)
        if self._ours:
            return reported_ns, f"{capture.origin}, the camera's clock used as it is"
        return (
            mapped_ns + self._offset_ns + ros_from_monotonic_ns,
            f"{capture.origin}, the camera's clock converted to this machine's",
        )

    def _fell_behind(self, delay_ns: int, arrived_ns: int) -> bool:
        """Whether one of the clocks was set: what only waits on its way falls back no faster than time goes on."""
        before, self._delay_before = self._delay_before, (delay_ns, arrived_ns)
        if before is None or delay_ns <= _OURS_MAX_NS:
            return False
        return delay_ns - before[0] > arrived_ns - before[1] + _LEAST_SET_NS

    def _agrees_for_long(self, delay_ns: int, arrived_ns: int) -> bool:
        """Whether the clock that was another has become ours, as of a robot that learns the time after its start."""
        if not _OURS_MIN_NS <= delay_ns <= _OURS_MAX_NS:
            self._agrees_since_ns = None
        elif self._agrees_since_ns is None:
            self._agrees_since_ns = arrived_ns
        return self._agrees_since_ns is not None and arrived_ns - self._agrees_since_ns >= _AGREES_FOR_NS

    def _begin_with(self, origin: str) -> bool:
        """Start a new mapping where the times are others than before."""
        if origin == self._origin:
            return False
        self._origin = origin
        self._delay_before = self._agrees_since_ns = None
        self._mapping = self._new_mapping()
        self._restarts = 0
        return True

    def _map(self, camera_ns: int, arrived_ns: int, *, used: bool = True) -> int:
        mapped_ns = self._mapping.map(camera_ns, arrived_ns)
        restarts, self._restarts = self._restarts, self._mapping.restarts
        if used and self._restarts != restarts:
            self._note(
                'stamps that jumped',
                "The camera's times jumped by more than a second against this machine's: they are matched again.",
            )
        return mapped_ns

    def _new_mapping(self) -> MinimumDelayClock:
        return MinimumDelayClock(least_delay_ns=self._least_delay_ns)

    def _not_ahead(self, ros_ns: int, arrived_ns: int) -> int:
        if ros_ns <= arrived_ns:
            return ros_ns
        self._note(
            'stamps ahead of now',
            f'The camera reports that a picture was captured {(ros_ns - arrived_ns) / _NS_PER_MS:.1f} ms after it '
            'arrived: it is stamped with its arrival; where the camera stamps after its encoder, set '
            '`stamp_offset_ms`.',
        )
        return arrived_ns

    def _in_order(self, ros_ns: int, arrived_ns: int, set_back: bool) -> int:
        last_ns, self._last_ns = self._last_ns, ros_ns
        waited_since_ns, self._waits_since_ns = self._waits_since_ns, None
        if last_ns is None or ros_ns > last_ns:
            return ros_ns
        # Whose clock is not known to have been set only waits: a camera's times may run backwards.
        if last_ns - ros_ns > _STEP_BACK_NS and (set_back or self._options.stamps == 'camera'):
            whose = "this machine's" if set_back else "the camera's"
            self._note(
                'stamps that jumped',
                f'Stamps went back by {(last_ns - ros_ns) / _NS_PER_S:.1f} s: {whose} clock was set.',
            )
            return ros_ns
        self._note('stamps that would have gone back', '')
        self._waits_since_ns = arrived_ns if waited_since_ns is None else waited_since_ns
        if arrived_ns - self._waits_since_ns > _LONGEST_WAIT_NS:
            self._stands_still, self._waits_since_ns = True, None
            self._say(
                "The camera's times stand still while its pictures come: stamps are arrivals until it is opened again; "
                'set its clock, or `stamps` to arrival.'
            )
        self._last_ns = last_ns + _LEAST_STEP_NS
        return self._last_ns

    def _note(self, reason: str, sentence: str) -> None:
        """Count it, and say the first of its kind."""
        self._counts[reason] += 1
        if sentence and reason not in self._reported:
            self._reported.add(reason)
            self._say(sentence)

    def _arrival_words(self) -> str:
        delay_ms = self._options.transport_delay_ms
        return f'arrival minus {delay_ms:g} ms' if delay_ms else 'arrival'
