# SPDX-License-Identifier: Apache-2.0
"""The simulated gimbal's answers and telemetry."""
