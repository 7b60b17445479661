# SPDX-License-Identifier: Apache-2.0
"""GStreamer from Python: whether it is there, its decoders, its pictures as arrays, its errors as sentences."""
