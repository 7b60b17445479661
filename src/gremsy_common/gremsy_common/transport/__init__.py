# SPDX-License-Identifier: Apache-2.0
"""Topics that cost nothing inside one process and are ordinary ROS topics outside it (design.md section 5)."""
