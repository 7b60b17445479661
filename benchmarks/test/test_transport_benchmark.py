# SPDX-License-Identifier: Apache-2.0
"""What the transport benchmark makes of the times that it took, and in which surroundings its processes run."""

import os

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')

from benchmarks.transport.transport_nodes import Times
from benchmarks.transport.transport_processes import environment


def test_a_handoff_is_from_the_cameras_hand_to_the_detectors():
    times = Times(published_s={1: 10.0, 2: 11.0, 3: 12.0}, taken_s={1: 10.0002, 3: 12.0005})
    assert times.handoff_ms() == pytest.approx(np.array([0.2, 0.5]), abs=1e-6)


def test_a_result_is_late_by_what_neither_the_camera_nor_the_detector_asked_for():
    times = Times(due_s={1: 10.0}, waited_s={1: 0.008}, result_s={1: 10.0095})
    assert times.result_late_ms() == pytest.approx(np.array([1.5]), abs=1e-6)


@pytest.mark.parametrize('name', ['FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE'])
def test_the_users_own_profile_measures_nothing(monkeypatch, name):
    monkeypatch.setenv(name, '/some/profile.xml')
    monkeypatch.setenv('FASTDDS_BUILTIN_TRANSPORTS', 'LARGE_DATA')
    assert name not in environment(profile=False)
    assert environment(profile=True)[name].endswith('config/fastdds_shm.xml')
    assert 'FASTDDS_BUILTIN_TRANSPORTS' not in environment(profile=True)
    assert os.environ[name] == '/some/profile.xml'
