# SPDX-License-Identifier: Apache-2.0
"""What the camera writes to the disk: films by stream copy, bags, snapshots."""
