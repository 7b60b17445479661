# SPDX-License-Identifier: Apache-2.0
"""Videos and pictures as a source of frames."""
