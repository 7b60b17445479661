# SPDX-License-Identifier: Apache-2.0
"""Graphs before and behind a network, by which a GPU takes over work of the CPU."""
