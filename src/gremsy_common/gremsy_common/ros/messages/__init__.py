# SPDX-License-Identifier: Apache-2.0
"""The suite's types to ROS messages and back."""
