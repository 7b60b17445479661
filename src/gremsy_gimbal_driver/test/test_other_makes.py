# SPDX-License-Identifier: Apache-2.0
"""What CONTRIBUTING offers to the driver of another make of gimbal can be had without MAVLink and without ROS."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PACKAGE = 'gremsy_gimbal_driver'
CONTRIBUTING = (Path(__file__).parents[3] / 'CONTRIBUTING.md').read_text(encoding='utf-8')
LOADED = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(*sorted(name for name in sys.modules if 'mavlink' in name or name == 'rclpy'))
"""


def test_what_is_offered_loads_neither_mavlink_nor_ros() -> None:
    paragraph = CONTRIBUTING.partition('**Another make of gimbal**')[2].partition('\n* ')[0]
    offered = re.findall(r'`(\w+)/(\w+)\.py`', paragraph.partition('neither MAVLink nor ROS')[2])
    names = [f'{PACKAGE}.{room}.{module}' for room, module in offered]
    assert f'{PACKAGE}.motion.motion_control' in names
    loaded = subprocess.run(
        [sys.executable, '-c', LOADED, *names], capture_output=True, text=True, check=True, timeout=60.0
    )
    assert loaded.stdout.split() == []
    # The question can be answered with yes.
    loaded = subprocess.run(
        [sys.executable, '-c', LOADED, f'{PACKAGE}.driver'], capture_output=True, text=True, check=True, timeout=60.0
    )
    assert f'{PACKAGE}.mavlink.mavlink_encoder' in loaded.stdout.split()
