# SPDX-License-Identifier: Apache-2.0
"""The suite's core types as ROS messages and back: one module per family, and nothing else in it."""
