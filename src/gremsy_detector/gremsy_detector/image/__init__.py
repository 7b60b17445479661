# SPDX-License-Identifier: Apache-2.0
"""From a camera's picture to the network's input."""
