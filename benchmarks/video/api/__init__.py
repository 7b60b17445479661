# SPDX-License-Identifier: Apache-2.0
"""The page's API under load: how fast it answers, that the loop goes on, how soon a stop is on the wire."""
