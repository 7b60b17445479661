# SPDX-License-Identifier: Apache-2.0
"""The process that stops the gimbal when the driver cannot."""
