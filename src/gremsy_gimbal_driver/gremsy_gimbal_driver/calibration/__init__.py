# SPDX-License-Identifier: Apache-2.0
"""Measures one gimbal within bounds: signs, dead zone, delay, lag and rate gain (gimbal.md 5, item 7)."""
