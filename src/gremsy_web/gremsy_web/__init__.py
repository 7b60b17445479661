# SPDX-License-Identifier: Apache-2.0
"""The operator page and its HTTP and WebSocket API."""
