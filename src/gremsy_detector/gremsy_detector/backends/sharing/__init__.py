# SPDX-License-Identifier: Apache-2.0
"""One loaded model for the detectors of several cameras in one process."""
