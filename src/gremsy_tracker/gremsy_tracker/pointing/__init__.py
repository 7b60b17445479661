# SPDX-License-Identifier: Apache-2.0
"""From the target's bearing to the rate that follows it."""
