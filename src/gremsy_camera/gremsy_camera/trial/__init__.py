# SPDX-License-Identifier: Apache-2.0
"""A camera to try things with: a real RTSP server, its faults on demand, and a clock drawn into its pictures."""
