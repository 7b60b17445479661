# SPDX-License-Identifier: Apache-2.0
"""Which track is the target, and staying with it."""
