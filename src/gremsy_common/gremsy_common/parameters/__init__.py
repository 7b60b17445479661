# SPDX-License-Identifier: Apache-2.0
"""Parameters declared once: their fields, their ROS declaration, their tables."""
