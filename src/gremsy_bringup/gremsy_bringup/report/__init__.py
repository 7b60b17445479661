# SPDX-License-Identifier: Apache-2.0
"""What a demo leaves behind: traces joined, figures, a plot."""
