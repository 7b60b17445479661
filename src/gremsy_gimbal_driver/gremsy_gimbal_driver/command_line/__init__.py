# SPDX-License-Identifier: Apache-2.0
"""The parts of the tool `gremsy_gimbal`; none of them needs ROS."""
