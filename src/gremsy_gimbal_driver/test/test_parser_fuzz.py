# SPDX-License-Identifier: Apache-2.0
"""Damaged and random bytes from fixed seeds: nothing raises, and no attitude comes out that nobody sent.

A checksum of 16 bits lets one damaged frame in 65,536 pass. What then keeps a wrong attitude out is what its numbers
may be: a large error is nearly always caught, a small one is not. Of the seeds 0 to 99, a million bytes and 9,000
damaged frames each, ten frames in all pass the checksum, and one of them (seed 8) is an attitude that is believed.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest

from benchmarks.gimbal.damaged_streams import DAMAGE, CameraStream, feed_damaged
from benchmarks.gimbal.gimbal_parser import fuzz
from gremsy_common.types.attitude_screen import AttitudeLimits, fault_of
from gremsy_gimbal_driver.mavlink.mavlink_decoder import MavlinkDecoder
from gremsy_gimbal_driver.mavlink.mavlink_dialect import CHECKSUM_EXTRA
from gremsy_gimbal_driver.mavlink.mavlink_events import Sender
from gremsy_gimbal_driver.mavlink.mavlink_framing import checksum


def test_a_hundred_thousand_bytes_raise_nothing_and_bring_no_wrong_attitude():
    result = feed_damaged(100_000, seed=1)
    assert result.sentences == []
    assert (result.fed, result.exceptions, result.wrong_attitudes) == (100_000, 0, 0)
    # The stream was damaged indeed, and what was left whole came through.
    assert result.damaged_frames > 500
    assert result.attitudes > 200


@pytest.mark.slow
def test_a_million_bytes_raise_nothing_and_bring_no_wrong_attitude():
    figures = fuzz(1_000_000, seed=0)
    assert (figures['fuzz_bytes'], figures['fuzz_exceptions'], figures['fuzz_wrong_attitudes']) == (1_000_000, 0, 0)
    assert figures['fuzz_attitudes_through'] > 3000
    assert figures['fuzz_damaged_frames'] > 5000


def test_the_judge_sees_a_wrong_attitude(monkeypatch):
    # A decoder that believes any quaternion lets the device's own garbage through, and the judge has to say so.
    loose = partial(fault_of, limits=AttitudeLimits(norm_tolerance=0.6))
    monkeypatch.setattr('gremsy_gimbal_driver.mavlink.mavlink_decoder.fault_of', loose)
    monkeypatch.setattr('gremsy_gimbal_driver.mavlink.mavlink_decoder.DamageGate.passes', lambda *_: True)
    result = feed_damaged(20_000, seed=1)
    assert result.wrong_attitudes > 0
    assert result.sentences[0].startswith('Nobody sent AttitudeStatus')


@pytest.mark.parametrize('damage', DAMAGE, ids=lambda damage: damage.__name__.strip('_'))
def test_every_kind_of_damage_changes_the_bytes_it_is_given(damage):
    random = np.random.default_rng(3)
    frames = [frame.data for frame in CameraStream(random).attitudes(30)]
    assert (damage(frames, random) == b''.join(frames)) == (damage.__name__ == '_unharmed')


@pytest.mark.parametrize('bits', [2, 4, 16])
def test_damage_that_the_checksum_misses_seldom_brings_an_attitude_that_is_far_off(bits, monkeypatch):
    assert share_far_off(bits) < 0.01
    # Without the gate it is much more, so there is something to hold back.
    monkeypatch.setattr('gremsy_gimbal_driver.mavlink.mavlink_decoder.DamageGate.passes', lambda *_: True)
    assert share_far_off(bits) > 0.04


def share_far_off(bits: int) -> float:
    """Of 1000 attitudes damaged under a fitting checksum, those believed and 20 degrees or a second off."""
    random = np.random.default_rng(bits)
    decoder = MavlinkDecoder(Sender(1, 191), Sender(1, 154))
    frames = [frame.data for frame in CameraStream(random).attitudes(4000)]
    far_off = 0
    for first in range(0, len(frames), 4):
        before = decoder.feed(b''.join(frames[first : first + 3]))[-1]
        for event in decoder.feed(with_bits_flipped(frames[first + 3], bits, random)):
            cosine = abs(np.dot(event.q_frd_wxyz, before.q_frd_wxyz))
            late_ms = abs(event.time_boot_ms - before.time_boot_ms)
            far_off += 2 * math.degrees(math.acos(min(1.0, cosine))) > 20.0 or late_ms > 1000
    return far_off / (len(frames) / 4)


def with_bits_flipped(frame: bytes, count: int, random: np.random.Generator) -> bytes:
    """In the payload, under a checksum that fits: what a collision looks like, without waiting for one."""
    data = bytearray(frame)
    for bit in random.choice(np.arange(80, 8 * (len(frame) - 2)), count, replace=False):
        data[bit // 8] ^= 1 << (bit % 8)
    value = checksum(bytes(data[1:-2]) + bytes([CHECKSUM_EXTRA[285]]))
    return bytes(data[:-2]) + value.to_bytes(2, 'little')
