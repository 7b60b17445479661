# SPDX-License-Identifier: Apache-2.0
"""Cameras over RTSP: how late, how true their stamps, how soon back, what they cost."""
