# SPDX-License-Identifier: Apache-2.0
"""The suite around a simulated payload, no hardware: ros2 launch gremsy_bringup sim.launch.py [name:=value ...]."""

from gremsy_bringup.describe.launch_actions import suite_launch_description
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    return suite_launch_description(defaults={'sim': 'true'})
