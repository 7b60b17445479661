# SPDX-License-Identifier: Apache-2.0
"""The trial camera and video server as fixtures: `pytest_plugins = ['gremsy_camera.trial.pytest_camera']`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from gremsy_camera.trial.trial_camera import (
    TrialCamera,
    TrialCameraOptions,
    TrialVideoServer,
    TrialVideoServerOptions,
    running_camera,
    why_no_trial_camera,
)


def _require_gstreamer() -> None:
    wanting = why_no_trial_camera()
    if wanting:
        (pytest.fail if os.environ.get('CI') else pytest.skip)(wanting)


@pytest.fixture
def run_camera() -> Iterator[Callable[..., TrialCamera]]:
    """Call it with fields of `TrialCameraOptions`; what it started ends with the test.

    A machine without GStreamer's RTSP server skips the test with the line that installs it; with `CI` set it fails.
    """
    _require_gstreamer()
    with ExitStack() as stack:

        def run(**options: object) -> TrialCamera:
            return stack.enter_context(running_camera(replace(TrialCameraOptions(), **options)))  # type: ignore[arg-type]

        yield run


@pytest.fixture
def run_video_server() -> Iterator[Callable[..., TrialVideoServer]]:
    """Call it with fields of `TrialVideoServerOptions`; skips and fails as `run_camera` does."""
    _require_gstreamer()
    with ExitStack() as stack:

        def run(**options: object) -> TrialVideoServer:
            server = TrialVideoServer(replace(TrialVideoServerOptions(), **options))  # type: ignore[arg-type]
            stack.callback(server.stop)
            server.start()
            return server

        yield run
