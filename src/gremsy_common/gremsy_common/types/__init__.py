# SPDX-License-Identifier: Apache-2.0
"""What the packages hand to each other: frozen dataclasses that know nothing of ROS."""
