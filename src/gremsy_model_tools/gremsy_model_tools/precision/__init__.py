# SPDX-License-Identifier: Apache-2.0
"""Models rewritten for fp16, int8 and uint8 input, and the gate that checks them."""
