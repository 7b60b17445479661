# SPDX-License-Identifier: Apache-2.0
"""The command line of `./gremsy init`; the standard library alone, so that help needs nothing set up."""

from __future__ import annotations

import argparse
from pathlib import Path

DEFAULT_OUTPUT = Path('my_robot.yaml')


def parser() -> argparse.ArgumentParser:
    """What is not given here is asked."""
    made = argparse.ArgumentParser(
        prog='./gremsy init',
        description='Asks which gimbal, camera and model this robot has, tries them (nothing moves), and writes the '
        "robot's parameter file. What is given here is not asked.",
    )
    made.add_argument(
        '--output', type=Path, default=DEFAULT_OUTPUT, metavar='FILE', help=f'file to write (default: {DEFAULT_OUTPUT})'
    )
    made.add_argument(
        '--link', metavar='URI', help='link of the gimbal, or none: serial:///dev/ttyUSB0, udp://192.168.55.1:14566'
    )
    made.add_argument(
        '--camera', metavar='SOURCE', help='rtsp://..., /dev/video0, external, a file, or sim for footage'
    )
    made.add_argument('--field', metavar='DEG', help='horizontal field of view at zoom 1, from the data sheet')
    made.add_argument('--calibration', metavar='FILE', help="file of ROS's camera_calibration, better than --field")
    made.add_argument('--model', metavar='FILE', help="a YOLO export, or default for the suite's")
    made.add_argument('--no-check', action='store_true', help='try nothing, as when the robot is elsewhere')
    return made
