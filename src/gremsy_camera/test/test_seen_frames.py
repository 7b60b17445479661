# SPDX-License-Identifier: Apache-2.0
"""Which frame a snapshot is of: the first whose tracks come, however late, and never one with another's."""

from __future__ import annotations

import threading

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gremsy_camera.recording.seen_frames import SeenFrames
from gremsy_common.types.camera_model import CameraModel
from gremsy_common.types.detections import Tracks
from gremsy_common.types.frame import Frame

MODEL = CameraModel.from_horizontal_field(4, 4, 1.0)


def frame(stamp_ns):
    return Frame(np.full((4, 4, 3), stamp_ns % 256, np.uint8), stamp_ns, 'eo')


def tracks(stamp_ns):
    return Tracks.empty(stamp_ns, 'eo')


class Clock:
    """Goes on by itself only as far as somebody waits."""

    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        self.now_s += 0.01
        return self.now_s


@given(seen=st.sets(st.integers(1, 30)), frames=st.integers(1, 30), known=st.sets(st.integers(1, 5)))
def test_it_is_the_oldest_that_is_still_held_and_was_seen(seen, frames, known):
    """Against a list of what was held: the last twelve."""
    seen_frames = SeenFrames(Clock())
    for stamp_ns in sorted(known):
        seen_frames.tracks(tracks(stamp_ns))
    held = seen_frames.hold(frame(1), MODEL)
    for stamp_ns in range(2, frames + 1):
        seen_frames.frame(frame(stamp_ns), MODEL)
    for stamp_ns in sorted(seen):
        seen_frames.tracks(tracks(stamp_ns))
    kept, _, its_tracks = seen_frames.wait(held, 0.05)
    there = list(range(1, frames + 1))[-12:]
    wanted = [stamp_ns for stamp_ns in there if stamp_ns in seen | known]
    assert kept.stamp_ns == (wanted[0] if wanted else there[0])
    # Tracks may be none at all, which is known too.
    assert (None if its_tracks is None else its_tracks.stamp_ns) == (kept.stamp_ns if wanted else None)


def test_what_comes_while_it_waits_ends_the_wait():
    seen_frames = SeenFrames()
    seen_frames.tracks(tracks(0))
    held = seen_frames.hold(frame(1), MODEL)
    found = []
    waits = threading.Thread(target=lambda: found.append(seen_frames.wait(held, 60.0)))
    waits.start()
    seen_frames.frame(frame(2), MODEL)
    seen_frames.frame(frame(3), MODEL)
    seen_frames.tracks(tracks(2))
    waits.join(20.0)
    assert [(kept.stamp_ns, its.stamp_ns) for kept, _, its in found] == [(2, 2)]
    # Nothing is held any more.
    seen_frames.frame(frame(4), MODEL)
    assert [each.stamp_ns for each, _ in held] == [1, 2, 3]


def test_nobody_waits_for_a_tracker_that_is_not_there_or_when_the_camera_ends():
    silent = SeenFrames()
    assert silent.wait(silent.hold(frame(1), MODEL), 60.0)[2] is None
    ending = SeenFrames()
    ending.tracks(tracks(0))
    ending.close()
    kept, _, its_tracks = ending.wait(ending.hold(frame(1), MODEL), 60.0)
    assert (kept.stamp_ns, its_tracks) == (1, None)
    dropped = ending.hold(frame(2), MODEL)
    ending.drop(dropped)
    ending.frame(frame(3), MODEL)
    assert len(dropped) == 1
