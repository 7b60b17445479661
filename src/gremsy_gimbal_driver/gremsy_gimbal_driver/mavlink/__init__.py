# SPDX-License-Identifier: Apache-2.0
"""MAVLink: bytes to events, commands to bytes, and the one place that knows NED and FRD."""
