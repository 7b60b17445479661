# SPDX-License-Identifier: Apache-2.0
"""What the detector adds to its model, beside its peers, and how many of its boxes are right."""
