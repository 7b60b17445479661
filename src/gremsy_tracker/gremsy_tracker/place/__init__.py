# SPDX-License-Identifier: Apache-2.0
"""Where the target is, for other nodes: its bearing, its range by what tells of it, and both together."""
