# SPDX-License-Identifier: Apache-2.0
"""The driver's side of ROS: messages, topics, rows of diagnostics."""
