# SPDX-License-Identifier: Apache-2.0
"""A video server where no MediaMTX is: RTSP in, WebRTC (WHEP) and RTSP out, nothing decoded, nothing encoded."""
