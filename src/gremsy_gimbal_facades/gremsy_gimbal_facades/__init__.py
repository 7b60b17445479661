# SPDX-License-Identifier: Apache-2.0
"""Other people's gimbal interfaces on top of the driver: MAVROS and PTZ."""
