# SPDX-License-Identifier: Apache-2.0
"""Releases on robots, from a machine that reaches them by ssh: `docker/deploy`. The standard library alone."""
