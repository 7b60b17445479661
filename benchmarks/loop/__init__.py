# SPDX-License-Identifier: Apache-2.0
"""The whole loop: in real time, and in invented time."""
