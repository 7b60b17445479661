# SPDX-License-Identifier: Apache-2.0
"""The operator's video in a real browser: how old it is on the screen, whose boxes are drawn on it, what it costs."""
