# SPDX-License-Identifier: Apache-2.0
"""A Gremsy payload without the hardware: the real wire protocol over the real plant class."""
