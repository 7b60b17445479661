# SPDX-License-Identifier: Apache-2.0
"""The layout for Foxglove and Lichtblick: their panels and settings, our topics and fields.

Panel types and the names of their settings are read in Lichtblick, the open-source continuation of Foxglove Studio
(lichtblick-suite/lichtblick at 66adecb, packages/suite-base/src): panels/index.ts and the types of each panel.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

LAYOUT = json.loads((Path(__file__).resolve().parents[1] / 'config' / 'foxglove_layout.json').read_text())
# context/CurrentLayoutContext/actions.ts, LayoutData.
WHOLE = {'configById', 'layout', 'globalVariables', 'playbackConfig', 'userNodes'}
# util/layout.ts, PANEL_TITLE_CONFIG_KEY; the first as Foxglove writes it into layouts that people share.
TITLES = {'foxglovePanelTitle', 'lichtblickPanelTitle'}
_PLOT = {
    'paths', 'minXValue', 'maxXValue', 'minYValue', 'maxYValue', 'showLegend', 'legendDisplay',
    'showPlotValuesInLegend', 'showXAxisLabels', 'showYAxisLabels', 'isSynced', 'xAxisVal', 'xAxisPath',
    'xAxisLabel', 'yAxisLabel',
    'followingViewWidth', 'sidebarDimension',
}  # fmt: skip
PANELS = {
    # panels/ThreeDeeRender/IRenderer.ts, RendererConfig.
    'Image': {
        'cameraState', 'followTf', 'followMode', 'scene', 'publish', 'transforms', 'topics', 'layers', 'imageMode',
    },
    # panels/Plot/utils/config.ts, PlotConfig.
    'Plot': _PLOT,
    # panels/StateTransitions/types.ts, StateTransitionConfig.
    'StateTransitions': {
        'isSynced', 'paths', 'xAxisMaxValue', 'xAxisMinValue', 'xAxisRange', 'xAxisLabel', 'showPoints',
    },
    # panels/DiagnosticSummary/types.ts, DiagnosticSummaryConfig.
    'DiagnosticSummary': {
        'minLevel', 'pinnedIds', 'topicToRender', 'hardwareIdFilter', 'sortByLevel', 'secondsUntilStale',
    },
    # panels/RawMessagesCommon/types.ts, RawMessagesPanelConfig.
    'RawMessages': {
        'diffEnabled', 'diffMethod', 'diffTopicPath', 'expansion', 'showFullMessageForDiff', 'topicPath', 'fontSize',
    },
    # panels/CallService/types.ts, Config.
    'CallService': {'serviceName', 'requestPayload', 'layout', 'buttonText', 'buttonTooltip', 'buttonColor'},
}  # fmt: skip
# panels/ThreeDeeRender/IRenderer.ts, ImageModeConfig.
IMAGE_MODE = {
    'imageTopic', 'calibrationTopic', 'annotations', 'synchronize', 'rotation', 'brightness', 'contrast',
    'flipHorizontal', 'flipVertical', 'minValue', 'maxValue',
}  # fmt: skip
# panels/Plot/utils/config.ts, PlotPath, and panels/StateTransitions/types.ts, StateTransitionPath.
PATH = {'value', 'enabled', 'color', 'label', 'timestampMethod', 'showLine', 'lineSize'}


def panels():
    return [(name.partition('!')[0], settings) for name, settings in LAYOUT['configById'].items()]


def shown(node):
    """Names of the panels in a mosaic (react-mosaic-component's MosaicNode: a name, or two nodes side by side)."""
    if isinstance(node, str):
        return [node]
    assert set(node) <= {'direction', 'first', 'second', 'splitPercentage'}
    assert node['direction'] in ('row', 'column')
    return [*shown(node['first']), *shown(node['second'])]


def test_panels_and_settings_are_those_that_the_programs_know():
    assert set(LAYOUT) == WHOLE
    assert sorted(shown(LAYOUT['layout'])) == sorted(LAYOUT['configById'])
    for kind, settings in panels():
        assert set(settings) - TITLES <= PANELS[kind], kind
        assert set(settings.get('imageMode', ())) <= IMAGE_MODE
        for path in settings.get('paths', ()):
            assert set(path) <= PATH
            assert path['timestampMethod'] in ('receiveTime', 'headerStamp')
    for _, settings in panels():
        assert len({settings.get(title) for title in TITLES}) == 1


def message_paths():
    for _, settings in panels():
        yield from (path['value'] for path in settings.get('paths', ()))
        yield from filter(None, [settings.get('topicPath'), settings.get('imageMode', {}).get('imageTopic')])
        yield from filter(None, [settings.get('topicToRender')])


def test_every_topic_is_published_by_the_suite_and_has_the_field():
    topics = pytest.importorskip('gremsy_common.ros.topics', reason='ROS 2 is not set up: run ./gremsy setup')
    from diagnostic_msgs.msg import DiagnosticArray

    from gremsy_common.ros.transport.topic import Topic

    known = {topic.name: topic.message_type for topic in vars(topics).values() if isinstance(topic, Topic)}
    known['/diagnostics'] = DiagnosticArray
    paths = list(message_paths())
    assert len(paths) >= 10
    for path in paths:
        topic, _, fields = path.partition('.')
        name = topic.removeprefix('/robot/').removeprefix('eo/')
        value = known[name]()
        for field in filter(None, fields.split('.')):
            word, _, index = field.partition('[')
            value = getattr(value, word)
            if index:
                break


def test_the_button_calls_the_drivers_stop():
    from gremsy_docs.generated_pages import services

    (button,) = [settings for kind, settings in panels() if kind == 'CallService']
    names = {f'/robot/gimbal_driver/{name[2:]}' for package, name, _ in services() if package == 'gremsy_gimbal_driver'}
    assert button['serviceName'] in names
    assert json.loads(button['requestPayload']) == {}
