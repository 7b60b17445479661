# SPDX-License-Identifier: Apache-2.0
"""Who may see and who may move."""
