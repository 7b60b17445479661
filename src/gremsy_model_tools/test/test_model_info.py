# SPDX-License-Identifier: Apache-2.0
"""The command that lists a model's classes."""

import pytest

from gremsy_detector.backends.onnxruntime_backend import OnnxRuntimeBackend
from gremsy_detector.detector import Detector
from gremsy_detector.model.default_model import default_model_path
from gremsy_model_tools.model_info import main, report

onnxruntime = pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed: run ./gremsy setup')
pytest.importorskip('onnx', reason='the development tools are not installed: run ./gremsy test')

from src.gremsy_detector.test import model_heads as heads


def test_it_lists_layout_and_classes_of_the_shipped_model(capsys):
    assert main(['--provider', 'cpu']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f'model    {default_model_path()}'
    assert 'file     images float32 [1, 3, 416, 416] -> output0 float32 [1, 84, 3549]' in lines
    assert 'input    images: float32 [1, 3, 416, 416], RGB, letterbox' in lines
    assert 'values   0..1' in lines
    assert 'boxes    duplicates removed here (NMS)' in lines
    # Whole: a line of its own is as long as it is.
    assert 'title    NanoDet-g 416 COCO (Apache-2.0, RangiLyu/nanodet), YOLOv8 output layout' in lines
    assert f'backend  ONNX Runtime {onnxruntime.__version__} CPU, 1 thread' in lines
    assert 'output   [1, 4+nc, N], N = 3549, stride 32 px' in lines
    assert '     0 person' in lines
    assert lines[-1] == '    79 toothbrush'


def test_a_missing_file_is_one_sentence_and_status_1(capsys):
    assert main(['/nowhere/m.onnx']) == 1
    assert capsys.readouterr().err == (
        'Model file /nowhere/m.onnx does not exist: set `model` to an existing file, '
        "or to 'default' for the one shipped.\n"
    )


def test_a_provider_that_is_not_there_is_one_sentence_and_status_1(capsys):
    assert main(['--provider', 'npu']) == 1
    assert capsys.readouterr().err.startswith("Parameter `provider` is 'npu': use one of auto, ")


@pytest.mark.parametrize(
    ('write', 'said'),
    [
        (
            lambda path: heads.write_yolox(path, (384, 320), (8, 16, 32)),
            [
                'input    images: float32 [1, 3, 320, 384], BGR, top_left\nvalues   0..255\n',
                ', grids of stride 8, 16, 32 px\n',
            ],
        ),
        (
            lambda path: heads.write_yolox(path, (384, 320), (8, 16, 32, 64)),
            [
                'input    images: float32 [1, 3, 320, 384], BGR, top_left\nvalues   0..255\n',
                ', grids of stride 8, 16, 32, 64 px\n',
            ],
        ),
        (
            lambda path: heads.write_nanodet_plus(path, (416, 416)),
            ['values   (pixel - [103.53, 116.28, 123.675]) / [57.375, 57.12, 58.395]\n'],
        ),
        (
            lambda path: heads.write_nanodet_plus(path, (320, 352)),
            ['values   (pixel - [103.53, 116.28, 123.675]) / [57.375, 57.12, 58.395]\n'],
        ),
        (lambda path: heads.write_dfine(path, (320, 256)), ['values   0..1\n']),
    ],
    ids=['yolox', 'yolox P6', 'nanodet-plus', 'nanodet-plus 320x352', 'd-fine'],
)
def test_it_says_how_a_network_of_others_is_fed_and_read(tmp_path, write, said):
    detector = Detector(OnnxRuntimeBackend(write(tmp_path / 'model.onnx')))
    text = report(detector.open(), 'x')
    detector.close()
    for each in said:
        assert each in text
