# SPDX-License-Identifier: Apache-2.0
"""Measurements of the suite; `./gremsy bench NAME` runs them."""
