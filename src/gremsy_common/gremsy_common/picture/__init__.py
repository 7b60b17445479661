# SPDX-License-Identifier: Apache-2.0
"""What is done to pictures by more than one node; knows nothing of ROS."""
