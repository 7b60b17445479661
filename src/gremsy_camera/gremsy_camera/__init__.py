# SPDX-License-Identifier: Apache-2.0
"""Camera sources (files, simulation) to image_raw and camera_info."""
