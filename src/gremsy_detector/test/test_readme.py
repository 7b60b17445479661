# SPDX-License-Identifier: Apache-2.0
"""The README's tables say what there is: parameters, encodings, what a model's file may say."""

import re
from pathlib import Path

from gremsy_common.parameters.parameter_docs import markdown_table, with_table
from gremsy_common.parameters.parameter_fields import specs_of
from gremsy_common.picture.viewable_pictures import DEEP_GREY
from gremsy_common.types.pixel_layout import PIXEL_LAYOUTS
from gremsy_detector.detector_parameters import DetectorParameters
from gremsy_detector.model import known_layouts, output_layout
from gremsy_detector.model.known_layouts import Layout, ResizeMode
from tools.test.document_tables import by_name, names, rows

DOCUMENT = 'src/gremsy_detector/README.md'


def test_the_parameter_table_is_up_to_date():
    readme = (Path(__file__).parents[1] / 'README.md').read_text(encoding='utf-8')
    assert with_table(readme, 'detector', markdown_table(DetectorParameters)) == readme


def test_the_encodings_are_those_that_are_read_each_in_its_way():
    # `_bggr8` goes on from `bayer_rggb8`, and `(yuyv)` is another name of the same.
    told = []
    for cell, _ in rows(DOCUMENT, '## Image encodings'):
        words = cell.replace('(infrared)', '').replace('(', ' ').replace(')', ' ').replace(',', ' ').split()
        told.append({f'bayer{word}' if word.startswith('_') else word for word in words})
    converted = {name for name, each in PIXEL_LAYOUTS.items() if each.shares_colour}
    assert told == [set(PIXEL_LAYOUTS) - converted - set(DEEP_GREY), set(DEEP_GREY), converted]


def test_what_a_models_file_may_say_is_what_is_read():
    told = by_name(DOCUMENT, '## Models', 1)
    assert [*told] == ['layout', 'resize', 'channel_order', 'mean', 'std']
    assert [name for name in names(told['layout']) if name.isidentifier() and 'gremsy' not in name] == [
        *output_layout._STATED
    ]
    assert names(told['resize']) == [mode.value for mode in ResizeMode]
    assert names(told['channel_order']) == ['rgb', 'bgr']


def fed(layout):
    """In the README's words."""
    usual = layout.usual_input
    scale = {(255.0,) * 3: '0..1', (1.0,) * 3: '0..255'}.get(usual.std, "less ImageNet's mean")
    way = {ResizeMode.LETTERBOX: 'letterbox', ResizeMode.STRETCH: 'stretched', ResizeMode.TOP_LEFT: 'top left'}
    return f'{"BGR" if usual.bgr else "RGB"} {scale}, {way[usual.resize]}'


def test_the_outputs_are_those_that_are_offered_where_a_model_has_others_and_are_fed_so():
    told = rows(DOCUMENT, '## Models')
    shapes = {name for row in told for name in names(row[0])}
    assert shapes == set(re.findall(r'\[1[^\]]*\]', known_layouts.KNOWN_OUTPUTS))
    in_rows = (
        (Layout.DENSE, Layout.TRANSPOSED, Layout.END_TO_END),
        (Layout.QUERIES, Layout.TOP_QUERIES, Layout.TWO_OUTPUTS),
        (Layout.BOXES_SCORES_LABELS,),
        (Layout.YOLOX,),
        (Layout.NANODET_PLUS,),
    )
    for row, layouts in zip(told, in_rows, strict=False):
        assert {fed(layout) for layout in layouts} == {row[2]}
    assert [row[2] for row in told[len(in_rows) :]] == ['the file must say it']


def test_what_it_says_when_something_is_wrong_names_what_there_is():
    told = [
        name
        for row in rows(DOCUMENT, '## What it says when something is wrong')
        for cell in row
        for name in names(cell)
    ]
    parameters = {spec.name for spec in specs_of(DetectorParameters)}
    sources = [
        path.read_text(encoding='utf-8') for path in (Path(__file__).parents[1] / 'gremsy_detector').rglob('*.py')
    ]
    said = {name for name in told if any(f"'{name.rpartition(': ')[2]}" in text for text in sources)}
    assert [
        name for name in told if name not in parameters | said | {'/diagnostics', '/health/ready', 'frame_id'}
    ] == []
