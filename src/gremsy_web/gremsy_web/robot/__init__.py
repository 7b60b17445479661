# SPDX-License-Identifier: Apache-2.0
"""What is known of the robot, and what it can be asked."""
