# SPDX-License-Identifier: Apache-2.0
"""What a stamp may be before it is no longer late or early, but another clock's; the same for every input."""

FUTURE_NS = 100_000_000
"""A stamp this far in the future is a wrong clock; small differences between two machines' clocks are normal."""

CLOCK_JUMP_NS = 500_000_000
"""Time that goes back by more is a clock that was set or a recording that began again, not a late message."""
