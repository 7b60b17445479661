# SPDX-License-Identifier: Apache-2.0
"""Ports, framing, and the faults of a link."""
