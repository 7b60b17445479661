# SPDX-License-Identifier: Apache-2.0
"""The gimbal driver's parser: messages a second beside bare pymavlink, and what a million damaged bytes bring."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np

from benchmarks.gimbal.damaged_streams import CameraStream, feed_damaged
from gremsy_gimbal_driver.mavlink.mavlink_decoder import MavlinkDecoder
from gremsy_gimbal_driver.mavlink.mavlink_dialect import dialect
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender

_OWN = Sender(1, 191)
_GIMBAL = Sender(1, 154)
# A serial port hands over from one byte to some hundred at a time.
_CHUNK_BYTES = 256


def measure(messages: int = 4000, rounds: int = 9) -> dict[str, float]:
    """`parse_msgs_per_s`: full 285 messages from bytes to `AttitudeStatus` events, on one core.

    Beside it pymavlink's parser alone, whose messages would still have to be checked and turned into events. The two
    take turns, and medians are given, so that a busy machine slows both alike.
    """
    stream = b''.join(frame.data for frame in CameraStream(np.random.default_rng(1)).attitudes(messages))
    chunks = [stream[at : at + _CHUNK_BYTES] for at in range(0, len(stream), _CHUNK_BYTES)]

    def ours() -> int:
        decoder = MavlinkDecoder(_OWN, _GIMBAL)
        return sum(len(decoder.feed(chunk)) for chunk in chunks)

    def pymavlinks() -> int:
        parser = dialect.MAVLink(None)
        return sum(len(parser.parse_buffer(chunk) or ()) for chunk in chunks)

    times: dict[Callable[[], int], list[float]] = {ours: [], pymavlinks: []}
    for _ in range(rounds):
        for parse, took in times.items():
            start = time.perf_counter()
            parsed = parse()
            took.append(time.perf_counter() - start)
            if parsed != messages:
                raise RuntimeError(f'{parsed} of {messages} messages were parsed; a rate of those says nothing.')
    return {
        'parse_msgs_per_s': round(messages / median(times[ours])),
        'pymavlink_msgs_per_s': round(messages / median(times[pymavlinks])),
        'parse_bytes_per_msg': len(stream) / messages,
    }


def fuzz(size: int = 1_000_000, seed: int = 0) -> dict[str, int]:
    """`fuzz_exceptions` and `fuzz_wrong_attitudes` over a million bytes of every kind of damage.

    `fuzz_false_frames` passed the checksum although nobody sent them (of 16 bits, so one damaged frame in 65,536 does);
    what they say must still not be believed where it is an attitude.
    """
    result = feed_damaged(size, seed)
    return {
        'fuzz_bytes': result.fed,
        'fuzz_exceptions': result.exceptions,
        'fuzz_wrong_attitudes': result.wrong_attitudes,
        'fuzz_attitudes_through': result.attitudes,
        'fuzz_damaged_frames': result.damaged_frames,
        'fuzz_false_frames': result.false_frames,
    }
