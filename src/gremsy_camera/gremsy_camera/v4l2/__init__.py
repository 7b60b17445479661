# SPDX-License-Identifier: Apache-2.0
"""Cameras of the kernel (V4L2): its structures, what a camera offers, its buffers, its pixels, and their reader."""
