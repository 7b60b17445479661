# SPDX-License-Identifier: Apache-2.0
"""The gimbal as a device: what it is, reports, and is set to."""
