# SPDX-License-Identifier: Apache-2.0
"""Who may move the gimbal, how fast, and what is sent for it."""
