# SPDX-License-Identifier: Apache-2.0
"""The README's parameter table is the declaration's."""

from pathlib import Path

from gremsy_common.parameters.parameter_docs import markdown_table, with_table
from gremsy_detector.detector_parameters import DetectorParameters


def test_the_parameter_table_is_up_to_date():
    readme = (Path(__file__).parents[1] / 'README.md').read_text(encoding='utf-8')
    assert with_table(readme, 'detector', markdown_table(DetectorParameters)) == readme
