# SPDX-License-Identifier: Apache-2.0
"""From boxes to tracks."""
