# SPDX-License-Identifier: Apache-2.0
"""Frame after frame through a GPU, whichever library computes on it."""
