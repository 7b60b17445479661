# SPDX-License-Identifier: Apache-2.0
"""What the tests of every live reader do with one: open it in vain, and take pictures with their images."""

import time

import pytest

from gremsy_camera.errors import SourceError


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
