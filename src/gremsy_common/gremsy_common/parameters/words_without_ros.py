# SPDX-License-Identifier: Apache-2.0
"""Command lines of programs that are no nodes, and are started as if they were."""

from __future__ import annotations

from collections.abc import Sequence


def words_without_ros(arguments: Sequence[str]) -> list[str]:
    """`ros2 run` and launch files may append `--ros-args ...`, up to a `--` or the end; it means nothing there."""
    kept: list[str] = []
    inside = False
    for argument in arguments:
        if argument == '--ros-args':
            inside = True
        elif inside and argument == '--':
            inside = False
        elif not inside:
            kept.append(argument)
    return kept
