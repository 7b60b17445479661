# SPDX-License-Identifier: Apache-2.0
"""The documentation's site: built from docs/, the packages' READMEs and the code."""
