# SPDX-License-Identifier: Apache-2.0
"""Angles and points to look at, followed until they are reached."""
