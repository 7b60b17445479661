# SPDX-License-Identifier: Apache-2.0
"""Pictures to calibrate and check with."""
