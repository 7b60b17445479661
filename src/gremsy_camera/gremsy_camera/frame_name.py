# SPDX-License-Identifier: Apache-2.0
"""The name of a camera's optical frame from the node's namespace (design.md section 4: frames are `<robot>/...`)."""

from __future__ import annotations


def optical_frame_name(namespace: str) -> str:
    """`/robot/eo` -> `robot/eo_optical_frame`; `/` -> `camera_optical_frame`."""
    return f'{namespace.strip("/") or "camera"}_optical_frame'
