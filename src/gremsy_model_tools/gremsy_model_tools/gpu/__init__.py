# SPDX-License-Identifier: Apache-2.0
"""What is put before and behind a network so that a GPU does what else the CPU would."""
