# SPDX-License-Identifier: Apache-2.0
"""Tools for the detector's model files that a robot in operation does not need."""
