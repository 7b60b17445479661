# SPDX-License-Identifier: Apache-2.0
"""The intrinsics of a source that does not know its own."""
