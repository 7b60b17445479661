# SPDX-License-Identifier: Apache-2.0
"""Clocks, the newest of a stream, and the record of when what happened."""
