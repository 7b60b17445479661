# SPDX-License-Identifier: Apache-2.0
"""A virtual device of the kernel, where it has one: `modprobe vivid`, or v4l2loopback with something that feeds it."""

import os
from pathlib import Path

import pytest

from gremsy_camera.footage.footage_reader import AtEnd
from gremsy_camera.footage.pacing import SystemClock
from gremsy_camera.sources import create_source
from gremsy_camera.sources.source import SourceContext
from gremsy_camera.v4l2.video_nodes import ROOT, video_nodes

_VIRTUAL = ('vivid', 'dummy video device', 'v4l2loopback')


@pytest.fixture
def virtual_camera():
    for node in video_nodes():
        if node.name.lower().startswith(_VIRTUAL) and os.access(node.path, os.R_OK | os.W_OK):
            return node.path
    pytest.skip('needs a virtual V4L2 device: sudo modprobe vivid')


def read(source, count):
    found = []
    for _ in range(100):
        captured = source.read(0.2)
        if captured is not None:
            found.append(captured)
        if len(found) == count:
            return found
    raise AssertionError(f'{len(found)} of {count} frames came')


def test_a_virtual_camera_is_read(virtual_camera, said):
    source = create_source(virtual_camera, SourceContext('eo', 0.0, AtEnd.LOOP, SystemClock(), said))
    before = len(list(Path('/proc/self/fd').iterdir()))
    for _ in range(3):
        info = source.open()
        frames = read(source, 5)
        assert {(each.frame.width, each.frame.height) for each in frames} == {(info.width, info.height)}
        source.close()
    assert len(list(Path('/proc/self/fd').iterdir())) == before


def test_every_virtual_camera_is_found_by_its_name():
    assert all(node.path.startswith('/dev/video') for node in video_nodes(ROOT))
