# SPDX-License-Identifier: Apache-2.0
"""The pointing core beside laws that everybody knows."""
