# SPDX-License-Identifier: Apache-2.0
"""The camera's topics: what it publishes, and another driver's that it takes."""
