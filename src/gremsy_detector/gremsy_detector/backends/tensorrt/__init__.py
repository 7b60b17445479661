# SPDX-License-Identifier: Apache-2.0
"""TensorRT: engines found, built, kept and run."""
