# SPDX-License-Identifier: Apache-2.0
"""The detector's small models and frames serve here too."""

from src.gremsy_detector.test.conftest import *  # noqa: F403
