# SPDX-License-Identifier: Apache-2.0
"""Another driver's camera: which topics are its own, what comes on them, and what is wrong when nothing does."""
