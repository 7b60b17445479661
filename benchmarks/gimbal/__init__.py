# SPDX-License-Identifier: Apache-2.0
"""The gimbal driver against a simulated payload."""
