# SPDX-License-Identifier: Apache-2.0
"""Whole numbers that travel as floats in COMMAND_LONG."""

from __future__ import annotations

import math

NO_NUMBER = -(2**31)
"""Means nothing in any command."""


def whole(value: float) -> int:
    """Cut to a whole number; `NO_NUMBER` for NaN, infinity and what is too large."""
    return int(value) if math.isfinite(value) and abs(value) < 2**31 else NO_NUMBER
