# SPDX-License-Identifier: Apache-2.0
"""The board that carries gimbal, camera and laser."""
