# SPDX-License-Identifier: Apache-2.0
"""What the tests of every live reader do with one: make it, open it in vain, and take pictures with their images."""

import time

import pytest

from gremsy_camera.errors import SourceError
from gremsy_camera.footage.footage_reader import AtEnd
from gremsy_camera.footage.pacing import SystemClock
from gremsy_camera.live.encoded_video import NO_TAP
from gremsy_camera.live.live_parameters import LiveParameters
from gremsy_camera.sources.source import SourceContext


def live_context(say=print, *, tap=None, rate_hz=0.0, at_end=AtEnd.LOOP, **options):
    """What a reader is made with, on the machine's clocks; `options` are LiveParameters'."""
    return SourceContext('eo', rate_hz, at_end, SystemClock(), say, LiveParameters(**options), tap or NO_TAP)


def read(reader, count, within_s=20.0):
    """So many pictures with their images."""
    pictures = []
    deadline = time.monotonic() + within_s
    while len(pictures) < count and time.monotonic() < deadline:
        picture = reader.read(0.5)
        if picture is not None:
            pictures.append((picture, picture.pixels()))
    assert len(pictures) == count
    return pictures


def opening(reader):
    """The error that opening it ends in."""
    with pytest.raises(SourceError) as raised:
        reader.open()
    return raised.value
