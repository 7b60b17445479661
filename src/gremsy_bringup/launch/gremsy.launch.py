# SPDX-License-Identifier: Apache-2.0
"""The suite on a robot: ros2 launch gremsy_bringup gremsy.launch.py [name:=value ...] (--show-args lists them)."""

from gremsy_bringup.describe.launch_actions import suite_launch_description
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    return suite_launch_description(defaults={})
