# SPDX-License-Identifier: Apache-2.0
"""Model files that are shipped as package data; `NOTICE` says whose they are."""
