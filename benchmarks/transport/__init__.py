# SPDX-License-Identifier: Apache-2.0
"""How images get from one node to another, inside a process and between processes."""
