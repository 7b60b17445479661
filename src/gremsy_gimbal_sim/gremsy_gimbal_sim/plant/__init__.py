# SPDX-License-Identifier: Apache-2.0
"""How the simulated gimbal moves, and the vehicle under it."""
