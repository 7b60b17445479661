# SPDX-License-Identifier: Apache-2.0
"""Routes, their bodies and errors, and the server."""
