# SPDX-License-Identifier: Apache-2.0
"""Processes started, watched, restarted and ended."""
