# SPDX-License-Identifier: Apache-2.0
"""The multi-object tracker beside others."""
