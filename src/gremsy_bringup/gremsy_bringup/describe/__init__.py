# SPDX-License-Identifier: Apache-2.0
"""Which nodes and processes make up the suite, and with which arguments."""
