# SPDX-License-Identifier: Apache-2.0
"""Images whose stamps cannot be true: nothing moves, and `still_because` says the number until it is mended."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from gremsy_common.geometry import quaternion_from_bearing
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.detections import Detections
from gremsy_common.types.gimbal_state import GimbalAttitude
from gremsy_tracker.tracker import Tracker
from gremsy_tracker.tracker_parameters import TrackerParameters

T0, MS, HOUR = 1_790_000_000_000_000_000, 1_000_000, 3_600_000_000_000
PERSON = np.array([[170.0, 225, 230, 375]])
CLOCKS = "see that every machine's clock is set (chrony), and that `use_sim_time` is the same everywhere"


class Watched:
    """A person before a still gimbal, an image each 50 ms that comes 30 ms after its light."""

    def __init__(self) -> None:
        self.tracker = Tracker(TrackerParameters(auto_lock='nearest', level_frame='gimbal_level'))
        self.tracker.offer_camera_model(0, CameraModel.from_horizontal_field(640, 480, math.radians(40.0)))
        self.now_ns = T0

    def image(self, stamp_ns: int | None = None) -> str:
        """Offer one, stamped truly unless told otherwise; why the gimbal is still afterwards."""
        self.now_ns += 50 * MS
        ahead = quaternion_from_bearing(0.0, 0.0)
        self.tracker.offer_attitude(GimbalAttitude(self.now_ns, 'camera', ahead, np.zeros(3)))
        stamp_ns = self.now_ns - 30 * MS if stamp_ns is None else stamp_ns
        labels = np.full(len(PERSON), 'person')
        seen = Detections(stamp_ns, 'optical', PERSON, np.full(len(PERSON), 0.8), labels)
        self.tracker.offer_detections(seen, self.now_ns)
        self.tracker.tick(self.now_ns)
        return self.tracker.state()[2]


def ahead(watched: Watched) -> Iterator[int]:
    while True:
        yield watched.now_ns + 50 * MS + 10_000 * MS


def behind(watched: Watched) -> Iterator[int]:
    while True:
        yield watched.now_ns + 50 * MS - 3 * HOUR


def zero(_: Watched) -> Iterator[int]:
    while True:
        yield 0


def frozen(watched: Watched) -> Iterator[int]:
    stamp_ns = watched.now_ns + 20 * MS
    while True:
        yield stamp_ns


def backwards(watched: Watched) -> Iterator[int]:
    stamp_ns = watched.now_ns
    while True:
        stamp_ns -= 10 * MS
        yield stamp_ns


@pytest.mark.parametrize('before', [0, 12], ids=['from the start', 'in mid-stream'])
@pytest.mark.parametrize(
    ('kind', 'still', 'reason', 'way_out'),
    [
        (
            zero,
            'images are stamped 0',
            'stamps_zero',
            "let their publisher set header.stamp to when each was captured, by this machine's clock",
        ),
        (ahead, "images are stamped 10.0 s ahead of this machine's clock", 'stamps_from_the_future', CLOCKS),
        (behind, "images are stamped 3.0 h behind this machine's clock", 'stamps_far_behind', CLOCKS),
        (
            frozen,
            'the last 20 images have the same stamp',
            'stamps_repeated',
            'let the camera stamp each image when it was captured, and see that nobody else publishes there',
        ),
        (
            backwards,
            'images are stamped 0.190 s before one that came earlier',
            'stamps_unsorted',
            'see that nobody else publishes there, and that no clock is set back',
        ),
    ],
)
def test_what_is_wrong_with_the_stamps_is_why_nothing_moves_until_it_is_mended(
    kind: Callable[[Watched], Iterator[int]], still: str, reason: str, way_out: str, before: int
) -> None:
    watched = Watched()
    for _ in range(before):
        watched.image()
    assert watched.tracker.state()[2] == ('' if before else 'no detections yet')
    stamps = kind(watched)
    said = [watched.image(next(stamps)) for _ in range(20)]
    assert said[-1] == still
    counted = watched.tracker.counts()[reason]
    assert counted >= 18
    fault = watched.tracker.stamp_faults.get(reason)
    assert fault is not None
    assert fault.sentence('/eo/detections/candidates') == f'On /eo/detections/candidates {still}: {way_out}.'
    mended = [watched.image() for _ in range(12)]
    assert mended[-1] == ''
    assert not any('stamp' in each for each in mended)
    assert watched.tracker.counts()[reason] == counted


def test_one_wrong_stamp_among_good_ones_is_no_reason_to_stop() -> None:
    watched = Watched()
    for _ in range(12):
        watched.image()
    for wrong_ns in (0, T0 + HOUR, watched.now_ns - 100 * MS):
        assert watched.image(wrong_ns) == ''
        assert watched.image() == ''


def test_when_images_stop_altogether_the_silence_is_the_reason() -> None:
    watched = Watched()
    for _ in range(12):
        watched.image()
    watched.image(0)
    for _ in range(8):
        watched.now_ns += 50 * MS
        watched.tracker.tick(watched.now_ns)
    assert watched.tracker.state()[2] == 'no detections for 0.3 s'
