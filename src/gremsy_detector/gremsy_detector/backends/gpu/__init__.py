# SPDX-License-Identifier: Apache-2.0
"""Running frame after frame on a GPU, whichever library computes."""
