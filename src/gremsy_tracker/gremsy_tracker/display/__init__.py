# SPDX-License-Identifier: Apache-2.0
"""What people are shown: overlay, markers, state."""
