# SPDX-License-Identifier: Apache-2.0
"""The camera at the gimbal: zoom, focus, pictures, settings."""
