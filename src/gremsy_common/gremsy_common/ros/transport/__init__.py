# SPDX-License-Identifier: Apache-2.0
"""Topics by reference inside a process, over DDS outside."""
