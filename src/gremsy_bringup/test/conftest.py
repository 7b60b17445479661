# SPDX-License-Identifier: Apache-2.0
"""What tests of this package share."""

import pytest


@pytest.fixture
def robot(tmp_path, monkeypatch):
    """The loop's nodes in this process; see `robot_in_process.Robot`."""
    pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')
    from src.gremsy_bringup.test.robot_in_process import Robot

    made = Robot(tmp_path, monkeypatch)
    yield made
    made.close()
