# SPDX-License-Identifier: Apache-2.0
"""Images between ROS messages and OpenCV arrays, with the Python interface of ROS's own cv_bridge."""

from cv_bridge.core import CvBridge, CvBridgeError

__all__ = ['CvBridge', 'CvBridgeError']
