# SPDX-License-Identifier: Apache-2.0
"""`doctor --robot`: whether this machine can be the robot's, looked at with the standard library alone."""
