# SPDX-License-Identifier: Apache-2.0
"""A simulated Gremsy payload that speaks the real wire protocol."""
