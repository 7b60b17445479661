# SPDX-License-Identifier: Apache-2.0
"""Damaged and random bytes from fixed seeds: nothing raises, and no attitude comes out that nobody sent.

A checksum of 16 bits lets one damaged frame in 65,536 pass. What then keeps a wrong attitude out is what its numbers
may be. Of the seeds 0 to 99, a million bytes and 9,000 damaged frames each, seed 8 lets one through all the same.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.damaged_streams import DAMAGE, CameraStream, feed_damaged
from benchmarks.gimbal_parser import fuzz


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
    monkeypatch.setattr('gremsy_gimbal_driver.mavlink_decoder._NORM_TOLERANCE', 0.6)
    monkeypatch.setattr('gremsy_gimbal_driver.attitude_jumps.JumpGate.passes', lambda *_: True)
    result = feed_damaged(20_000, seed=1)
    assert result.wrong_attitudes > 0
    assert result.sentences[0].startswith('Nobody sent AttitudeStatus')


@pytest.mark.parametrize('damage', DAMAGE, ids=lambda damage: damage.__name__.strip('_'))
def test_every_kind_of_damage_changes_the_bytes_it_is_given(damage):
    random = np.random.default_rng(3)
    frames = [frame.data for frame in CameraStream(random).attitudes(30)]
    assert (damage(frames, random) == b''.join(frames)) == (damage.__name__ == '_unharmed')
