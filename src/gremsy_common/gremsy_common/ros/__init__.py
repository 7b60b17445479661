# SPDX-License-Identifier: Apache-2.0
"""What every node of the suite stands on: host, lifecycle, topics, diagnostics."""
