# SPDX-License-Identifier: Apache-2.0
"""Tracks, target lock and bearing-space pointing from detections and gimbal attitude."""
