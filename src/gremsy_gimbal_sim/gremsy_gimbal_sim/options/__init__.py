# SPDX-License-Identifier: Apache-2.0
"""Every behaviour and fault that can be asked for by name."""
