# SPDX-License-Identifier: Apache-2.0
"""TensorRT without torch: which library, GPU memory, and engines that know what they were built for."""
