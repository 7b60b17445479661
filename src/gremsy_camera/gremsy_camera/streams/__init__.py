# SPDX-License-Identifier: Apache-2.0
"""Network streams: readers of RTSP by several libraries, and what they share."""
