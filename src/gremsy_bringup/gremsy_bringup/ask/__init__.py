# SPDX-License-Identifier: Apache-2.0
"""Looks into a running graph where there is no `ros2` program: topics, messages, services, parameters."""
