# SPDX-License-Identifier: Apache-2.0
"""Video out: frames encoded to H.264 while somebody watches, and published to a video server over RTSP."""
