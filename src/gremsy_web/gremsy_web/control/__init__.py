# SPDX-License-Identifier: Apache-2.0
"""Who holds the controls, and what moves by their hand."""
