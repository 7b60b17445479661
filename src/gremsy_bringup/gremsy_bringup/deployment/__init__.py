# SPDX-License-Identifier: Apache-2.0
"""A container of the suite: its environment and its health check."""
