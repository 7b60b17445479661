# SPDX-License-Identifier: Apache-2.0
"""Who is where in the footage: the tracks that pointing and detections are measured against."""
