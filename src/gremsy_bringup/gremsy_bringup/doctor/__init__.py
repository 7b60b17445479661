# SPDX-License-Identifier: Apache-2.0
"""What this machine can run and what is missing."""
