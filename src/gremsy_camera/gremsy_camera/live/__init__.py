# SPDX-License-Identifier: Apache-2.0
"""Cameras that run by themselves: what a reader of one is, its options, and when its pictures were taken."""
