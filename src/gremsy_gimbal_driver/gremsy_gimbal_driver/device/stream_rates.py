# SPDX-License-Identifier: Apache-2.0
"""How often each message is to come, what the wire can carry of it, and how often it does come."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from types import MappingProxyType

from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus, Event, MountOrientation, MountStatus, RawImu

ATTITUDE = dialect.MAVLINK_MSG_ID_GIMBAL_DEVICE_ATTITUDE_STATUS
ORIENTATION = dialect.MAVLINK_MSG_ID_MOUNT_ORIENTATION
ENCODERS = dialect.MAVLINK_MSG_ID_MOUNT_STATUS
IMU = dialect.MAVLINK_MSG_ID_RAW_IMU

FRAME_BYTES = MappingProxyType({ATTITUDE: 61, ORIENTATION: 32, ENCODERS: 26, IMU: 31})
"""Of the streams that a gimbal can be asked for (gimbal.md 1.13)."""

SERIAL_BYTES_PER_S = 11_520.0
"""115,200 baud, 8N1."""

# The rest is for heartbeats, status, replies and a payload's telemetry; a full wire delays what is on it.
_SHARE = 0.7
# "Only one message above 50 Hz" (gimbal.md 1.4).
_FASTEST_OF_MANY_HZ = 50.0

_MESSAGE_OF = {AttitudeStatus: ATTITUDE, MountOrientation: ORIENTATION, MountStatus: ENCODERS, RawImu: IMU}


def fit_streams(wanted_hz: Mapping[int, float], bytes_per_s: float | None = SERIAL_BYTES_PER_S) -> dict[int, float]:
    """The wanted rates, cut to what a gimbal and its wire can do; the first is served first.

    Args:
        wanted_hz: message id to rate; 0 switches a message off.
        bytes_per_s: of the wire; None for a network.
    """
    left = None if bytes_per_s is None else _SHARE * bytes_per_s
    fitted: dict[int, float] = {}
    fast_taken = False
    for message_id, rate_wanted_hz in wanted_hz.items():
        rate_hz = min(rate_wanted_hz, _FASTEST_OF_MANY_HZ) if fast_taken else rate_wanted_hz
        if left is not None:
            rate_hz = min(rate_hz, left / FRAME_BYTES[message_id])
            left -= rate_hz * FRAME_BYTES[message_id]
        fast_taken = fast_taken or rate_hz > _FASTEST_OF_MANY_HZ
        fitted[message_id] = rate_hz
    return fitted


def stream_of(event: Event) -> int | None:
    """The message id of the stream that the event came with; None for what is no stream."""
    return _MESSAGE_OF.get(type(event))


class RateMeter:
    """Arrivals a second since `restart`, over the last 200 of them."""

    def __init__(self, now_ns: int = 0) -> None:
        self._arrivals_ns: deque[int] = deque(maxlen=200)
        self._since_ns = now_ns

    def restart(self, now_ns: int) -> None:
        """Forget what came before: a new rate begins."""
        self._arrivals_ns.clear()
        self._since_ns = now_ns

    def arrived(self, now_ns: int) -> None:
        """One more."""
        if len(self._arrivals_ns) == self._arrivals_ns.maxlen:
            self._since_ns = self._arrivals_ns[0]
        self._arrivals_ns.append(now_ns)

    def since_s(self, now_ns: int) -> float:
        """How long it has been measuring."""
        return (now_ns - self._since_ns) * 1e-9

    def rate_hz(self, now_ns: int) -> float:
        """0 while nothing came."""
        elapsed_s = self.since_s(now_ns)
        return len(self._arrivals_ns) / elapsed_s if elapsed_s > 0 else 0.0
