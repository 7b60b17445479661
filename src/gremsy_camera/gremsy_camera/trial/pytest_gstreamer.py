# SPDX-License-Identifier: Apache-2.0
"""GStreamer in the process of the tests as a fixture: `pytest_plugins = ['gremsy_camera.trial.pytest_gstreamer']`."""

from __future__ import annotations

import os

import pytest

from gremsy_camera.gstreamer.gst_library import GStreamer, GStreamerMissing, load_gstreamer
from gremsy_camera.trial.debian_gi import reach_debian_gi


@pytest.fixture(scope='session')
def gstreamer(tmp_path_factory: pytest.TempPathFactory) -> GStreamer:
    """GStreamer, loaded; a machine without it skips with the line that installs it, with `CI` set it fails."""
    wanting = reach_debian_gi(tmp_path_factory.mktemp('gi'))
    if wanting is None:
        try:
            return load_gstreamer()
        except GStreamerMissing as error:
            wanting = str(error)
    # That CI's Python is another than Debian's is nobody's fault.
    if os.environ.get('CI') and 'not built for' not in wanting:
        pytest.fail(wanting)
    pytest.skip(wanting)
