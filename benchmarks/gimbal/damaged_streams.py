# SPDX-License-Identifier: Apache-2.0
"""Streams of a gimbal's messages, damaged in every way a wire has, and what a decoder makes of them.

Everything that was sent is remembered, so that an attitude which nobody sent is told from one that came through.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gremsy_common.geometry import multiply_quaternions, quaternion_from_rotation_vector
from gremsy_gimbal_driver.mavlink.mavlink_decoder import MavlinkDecoder
from gremsy_gimbal_driver.mavlink.mavlink_dialect import CHECKSUM_EXTRA, dialect
from gremsy_gimbal_driver.mavlink.mavlink_events import AttitudeStatus, Event, MountOrientation, Sender
from gremsy_gimbal_driver.mavlink.mavlink_framing import Framer

Bytes = NDArray[np.uint8]
Key = tuple[object, ...]

_OWN = Sender(1, 191)
_GIMBAL = Sender(1, 154)
_CHUNK_BYTES = 97


@dataclass(frozen=True, slots=True)
class SentFrame:
    """One packed message; `key` is the attitude in it, None if there is none that may be accepted."""

    data: bytes
    key: Key | None


@dataclass(slots=True)
class FuzzResult:
    """What came out of damaged bytes.

    Attributes:
        fed: bytes.
        exceptions: what was raised.
        attitudes: sent, and came through.
        wrong_attitudes: believed although nobody sent them.
        damaged_frames: refused by their checksum.
        false_frames: passed the checksum although nobody sent them.
        sentences: about what went wrong.
    """

    fed: int = 0
    exceptions: int = 0
    attitudes: int = 0
    wrong_attitudes: int = 0
    damaged_frames: int = 0
    false_frames: int = 0
    sentences: list[str] = field(default_factory=list)


# What a gimbal says.


class CameraStream:
    """A camera that turns at random, without a jump, and says so."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._mavlink = dialect.MAVLink(None, _GIMBAL.system, _GIMBAL.component)
        self._boot_ms = int(random.integers(1 << 31))
        self._level_from_camera = np.array([1.0, 0.0, 0.0, 0.0])
        self._rates = np.zeros(3)

    def attitudes(self, count: int) -> list[SentFrame]:
        """Full 285 messages (61 bytes), 20 ms apart."""
        frames = []
        for _ in range(count):
            self._turn(0.02)
            q, rate = _float32(self._level_from_camera), _float32(self._rates)
            (delta,) = _float32(self._random.uniform(-3.0, 3.0, 1))
            flags = 0x2C
            message = dialect.MAVLink_gimbal_device_attitude_status_message(
                0, 0, self._boot_ms, flags, q, *rate, 0, delta, 0.0, 1
            )
            norm = math.sqrt(sum(each * each for each in q))
            key = _attitude_key(self._boot_ms, flags, [each / norm for each in q], rate, delta)
            frames.append(SentFrame(_packed(self._mavlink, message), key))
        return frames

    def orientations(self, count: int) -> list[SentFrame]:
        """265 messages, a seventh of them the garbage that a VIO sends (gimbal.md 1.4)."""
        frames = []
        for _ in range(count):
            self._turn(0.02)
            angles = _float32(self._random.uniform(-90.0, 90.0, 4))
            garbage = self._random.random() < 1 / 7
            sent = [0.0, 0.0, 0.0, angles[3]] if garbage else angles
            message = dialect.MAVLink_mount_orientation_message(self._boot_ms, *sent)
            key = None if garbage else _orientation_key(self._boot_ms, [math.radians(each) for each in angles])
            frames.append(SentFrame(_packed(self._mavlink, message), key))
        return frames

    def _turn(self, elapsed_s: float) -> None:
        self._boot_ms += round(1e3 * elapsed_s)
        self._rates = np.clip(self._rates + self._random.normal(0.0, 0.1, 3), -1.0, 1.0)
        turn = quaternion_from_rotation_vector(self._rates * elapsed_s)
        turned = multiply_quaternions(self._level_from_camera, turn)
        self._level_from_camera = turned / np.linalg.norm(turned)


def other_frames(random: np.random.Generator) -> list[SentFrame]:
    """What else is on the wire, and attitudes with a good checksum that are not to be believed."""
    mavlink, camera = dialect.MAVLink(None, _GIMBAL.system, _GIMBAL.component), dialect.MAVLink(None, 1, 100)
    mavlink.seq = int(random.integers(256))
    nan, inf = math.nan, math.inf
    impossible = [
        ([nan] * 4, [0.0] * 3),
        ([inf, 0.0, 0.0, 0.0], [0.0] * 3),
        ([0.0] * 4, [0.0] * 3),
        ([0.5, 0.0, 0.0, 0.0], [0.0] * 3),
        ([1.0, 0.0, 0.0, 0.0], [0.0, inf, 0.0]),
    ]
    messages = [dialect.MAVLink_gimbal_device_attitude_status_message(0, 0, 9, 12, q, *r, 0) for q, r in impossible]
    messages += [
        dialect.MAVLink_heartbeat_message(dialect.MAV_TYPE_GIMBAL, 8, 0, 0, 4, 3),
        dialect.MAVLink_sys_status_message(0, 0, 0, 200, 12000, -1, -1, 0, 0, 0x10, 0, 0, 0),
        dialect.MAVLink_raw_imu_message(int(random.integers(1 << 40)), 1, -2, -8192, 3, 4, 5, 0, 0, 0),
        dialect.MAVLink_param_value_message(b'VERSION_X', 7.0, 4, 70, 0),
    ]
    frames = [SentFrame(_packed(mavlink, message), None) for message in messages]
    foreign = dialect.MAVLink_gimbal_device_attitude_status_message(0, 0, 9, 12, [1.0, 0.0, 0.0, 0.0], 0.1, 0.1, 0.1, 0)
    frames.append(SentFrame(_packed(camera, foreign), None))
    return frames


# What a wire does to it. Each takes packed frames and gives bytes.


def _unharmed(frames: list[bytes], random: np.random.Generator) -> bytes:
    del random
    return b''.join(frames)


def _bits_flipped(frames: list[bytes], random: np.random.Generator) -> bytes:
    bits = np.unpackbits(_array(b''.join(frames)))
    bits ^= (random.random(len(bits)) < 0.003).astype(np.uint8)
    return np.packbits(bits).tobytes()


def _bytes_replaced(frames: list[bytes], random: np.random.Generator) -> bytes:
    data = _array(b''.join(frames))
    hit = random.random(len(data)) < 0.03
    data[hit] = random.integers(0, 256, int(hit.sum()), dtype=np.uint8)
    return data.tobytes()


def _bytes_lost(frames: list[bytes], random: np.random.Generator) -> bytes:
    data = _array(b''.join(frames))
    return data[random.random(len(data)) >= 0.02].tobytes()


def _bytes_added(frames: list[bytes], random: np.random.Generator) -> bytes:
    data = _array(b''.join(frames))
    places = np.flatnonzero(random.random(len(data)) < 0.02)
    return np.insert(data, places, random.integers(0, 256, len(places), dtype=np.uint8)).tobytes()


def _bursts(frames: list[bytes], random: np.random.Generator) -> bytes:
    data = _array(b''.join(frames))
    for start in random.integers(0, len(data), max(1, len(data) // 120)):
        part = data[start : start + int(random.integers(1, 40))]
        part[:] = random.integers(0, 256, len(part), dtype=np.uint8)
    return data.tobytes()


def _spliced(frames: list[bytes], random: np.random.Generator) -> bytes:
    """One frame's beginning and another's end, as where a buffer overran."""
    parts = []
    for first, second in zip(frames[::2], frames[1::2], strict=False):
        cut = int(random.integers(1, len(first)))
        parts.append(first[:cut] + second[min(cut, len(second) - 1) :])
    return b''.join(parts)


def _heads_damaged(frames: list[bytes], random: np.random.Generator) -> bytes:
    """Length, flags, number, sender or message id."""
    parts = []
    for frame in frames:
        data = _array(frame)
        data[int(random.integers(1, 10))] = random.integers(0, 256)
        parts.append(data.tobytes())
    return b''.join(parts)


def _bodies_damaged(frames: list[bytes], random: np.random.Generator) -> bytes:
    """A good header, and noise as payload and checksum."""
    parts = []
    for frame in frames:
        data = _array(frame)
        data[10:] = random.integers(0, 256, len(data) - 10, dtype=np.uint8)
        parts.append(data.tobytes())
    return b''.join(parts)


def _noise(frames: list[bytes], random: np.random.Generator) -> bytes:
    """No frame at all, but more frame beginnings than chance would have."""
    data = random.integers(0, 256, sum(map(len, frames)), dtype=np.uint8)
    data[random.random(len(data)) < 0.03] = 0xFD
    return data.tobytes()


DAMAGE: tuple[Callable[[list[bytes], np.random.Generator], bytes], ...] = (
    _unharmed,
    _bits_flipped,
    _bytes_replaced,
    _bytes_lost,
    _bytes_added,
    _bursts,
    _spliced,
    _heads_damaged,
    _bodies_damaged,
    _noise,
)


# What becomes of it.


def feed_damaged(size: int, seed: int) -> FuzzResult:
    """Feed that many bytes, of all kinds of damage in turn, to one decoder."""
    random = np.random.default_rng([seed, 285])
    decoder, framer = MavlinkDecoder(_OWN, _GIMBAL), Framer(CHECKSUM_EXTRA)
    camera = CameraStream(random)
    result = FuzzResult()
    contents: set[bytes] = set()
    keys: set[Key] = set()
    while result.fed < size:
        for damage in DAMAGE:
            frames = camera.attitudes(24) + camera.orientations(8) + other_frames(random)
            frames = [frames[index] for index in random.permutation(len(frames))]
            contents.update(frame.data[4:-2] for frame in frames)
            keys.update(frame.key for frame in frames if frame.key is not None)
            data = damage([frame.data for frame in frames], random)[: size - result.fed]
            result.fed += len(data)
            for at in range(0, len(data), _CHUNK_BYTES):
                _feed(decoder, framer, data[at : at + _CHUNK_BYTES], contents, keys, result)
    result.damaged_frames = framer.counts['bad_checksum']
    return result


def _feed(
    decoder: MavlinkDecoder, framer: Framer, chunk: bytes, contents: set[bytes], keys: set[Key], result: FuzzResult
) -> None:
    try:
        events = decoder.feed(chunk)
        frames = framer.feed(chunk)
    except Exception as error:  # noqa: BLE001 - that none comes is what is being measured
        result.exceptions += 1
        result.sentences.append(f'{type(error).__name__}: {error}')
        return
    for frame in frames:
        head = bytes([frame.sequence, frame.system, frame.component]) + frame.message_id.to_bytes(3, 'little')
        result.false_frames += head + frame.payload not in contents
    for event in events:
        key = _key_of(event)
        if key is None:
            continue
        if key in keys:
            result.attitudes += 1
        else:
            result.wrong_attitudes += 1
            result.sentences.append(f'Nobody sent {event}.')


def _key_of(event: Event) -> Key | None:
    if isinstance(event, AttitudeStatus):
        q, rates = event.q_frd_wxyz, event.rates_frd_rad_s
        return _attitude_key(event.time_boot_ms, event.flags, q, rates, event.delta_yaw_rad)
    if isinstance(event, MountOrientation):
        angles = (event.roll_rad, event.pitch_rad, event.yaw_rad, event.yaw_absolute_rad)
        return _orientation_key(event.time_boot_ms, angles)
    return None


def _attitude_key(
    boot_ms: int, flags: int, q: list[float] | tuple[float, ...], rates: list[float] | tuple[float, ...], delta: float
) -> Key:
    return ('285', boot_ms, flags, *(round(each, 9) for each in (*q, *rates, delta)))


def _orientation_key(boot_ms: int, angles: list[float] | tuple[float, ...]) -> Key:
    return ('265', boot_ms, *(round(each, 9) for each in angles))


def _packed(mavlink: dialect.MAVLink, message: dialect.MAVLink_message) -> bytes:
    packed = bytes(message.pack(mavlink))
    mavlink.seq = (mavlink.seq + 1) % 256
    return packed


def _float32(values: NDArray[np.float64]) -> list[float]:
    return [float(each) for each in values.astype(np.float32)]


def _array(data: bytes) -> Bytes:
    return np.frombuffer(data, dtype=np.uint8).copy()
