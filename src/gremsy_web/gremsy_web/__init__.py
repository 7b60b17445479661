# SPDX-License-Identifier: Apache-2.0
"""The operator page and its HTTP/WebSocket API (its step comes later; holds its place in the workspace)."""
