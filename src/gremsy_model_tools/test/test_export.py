# SPDX-License-Identifier: Apache-2.0
"""The wrapper of Ultralytics' export, with a stand-in for Ultralytics that answers like it."""

import os
import shutil
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from gremsy_detector.errors import ModelError
from gremsy_model_tools import export as export_module
from gremsy_model_tools.export import export, main

onnx = pytest.importorskip('onnx', reason='the development tools are not installed: run ./gremsy test')
pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed: run ./gremsy setup')

from gremsy_model_tools.precision.onnx_file import metadata_of, read_model


@pytest.fixture
def ultralytics(monkeypatch):
    """A module whose export copies a prepared file beside the weights, and remembers what it was asked."""
    module = types.ModuleType('ultralytics')
    module.__version__ = '8.4.190'
    module.asked = []
    module.result = None

    class YOLO:
        def __init__(self, weights):
            self.weights = Path(weights)

        def export(self, **options):
            module.asked.append((self.weights, options))
            if isinstance(module.result, Exception):
                raise module.result
            target = self.weights.with_suffix('.onnx')
            if module.result is not None:
                shutil.copyfile(module.result, target)
            return str(target)

    module.YOLO = YOLO
    monkeypatch.setitem(sys.modules, 'ultralytics', module)
    return module


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / 'mine.pt'
    path.write_bytes(b'weights')
    return path


@pytest.fixture
def exported(write_model):
    return write_model(np.zeros((1, 7, 30), np.float32), name='exported.onnx')


def refusal(*arguments):
    with pytest.raises(ModelError) as refused:
        export(*arguments)
    return str(refused.value)


def test_the_result_is_checked_and_put_where_it_was_asked_for(ultralytics, weights, exported, tmp_path):
    ultralytics.result = exported
    out = tmp_path / 'out' / 'detector.onnx'
    said = []
    model = export(weights, out, [64], said.append)
    assert (model.path, model.class_names, model.box_count) == (out, ('person', 'car', 'dog'), 30)
    assert said == [f'Exporting {weights} with Ultralytics 8.4.190.']
    assert metadata_of(read_model(out)) == {**metadata_of(read_model(exported)), 'resize': 'letterbox'}
    assert ultralytics.asked[0][1] == {'format': 'onnx', 'imgsz': 64, 'opset': 17, 'simplify': True}


def test_the_folder_of_the_weights_is_left_alone(ultralytics, weights, exported, tmp_path):
    """The exporter writes beside what it exports; a copy is exported, elsewhere, which is gone afterwards."""
    ultralytics.result = exported
    before = sorted(tmp_path.iterdir())
    export(weights, tmp_path / 'out' / 'detector.onnx', [64, 96])
    copied, options = ultralytics.asked[0]
    assert copied.name == 'mine.pt' and copied.parent != tmp_path and not copied.parent.exists()
    assert options['imgsz'] == [64, 96]
    assert sorted(path for path in tmp_path.iterdir() if path.name != 'out') == before


def test_a_resize_mode_that_the_file_has_stays(ultralytics, weights, write_model, tmp_path):
    ultralytics.result = write_model(
        np.zeros((1, 7, 30), np.float32), metadata={'names': "['a', 'b', 'c']", 'resize': 'stretch'}
    )
    export(weights, tmp_path / 'out.onnx', [64])
    assert metadata_of(read_model(tmp_path / 'out.onnx'))['resize'] == 'stretch'


def test_without_ultralytics_the_sentence_has_the_commands(monkeypatch, weights, tmp_path):
    monkeypatch.setitem(sys.modules, 'ultralytics', None)
    sentence = refusal(weights, tmp_path / 'out.onnx', [640])
    assert sentence == (
        'Exporting weights needs Ultralytics, which cannot be imported (import of ultralytics halted; None in '
        'sys.modules): run, in the environment of this command, `pip install torch==2.13.0`; '
        '`pip install --no-deps ultralytics==8.4.190 torchvision==0.28.0`; '
        '`pip install numpy matplotlib opencv-python-headless pillow pyyaml requests psutil polars onnx onnxslim`.'
    )


def test_it_never_installs_or_reports_anything_by_itself(monkeypatch, ultralytics, weights, exported, tmp_path):
    monkeypatch.delenv('YOLO_AUTOINSTALL', raising=False)
    monkeypatch.delenv('YOLO_OFFLINE', raising=False)
    ultralytics.result = exported
    export(weights, tmp_path / 'out.onnx', [64])
    assert (os.environ['YOLO_AUTOINSTALL'], os.environ['YOLO_OFFLINE']) == ('False', 'True')


def test_weights_that_are_not_there_are_not_looked_for_on_the_network(ultralytics, tmp_path):
    missing = tmp_path / 'yolo11n.pt'
    assert refusal(missing, tmp_path / 'out.onnx', [640]) == (
        f'Weights file {missing} does not exist: give the .pt file that Ultralytics trained.'
    )
    assert ultralytics.asked == []


def test_another_kind_of_file_is_refused(ultralytics, tmp_path):
    assert refusal(tmp_path / 'a.onnx', tmp_path / 'out.onnx', [640]) == (
        f"Weights file {tmp_path / 'a.onnx'} ends in '.onnx': give the .pt file that Ultralytics trained."
    )


def test_what_ultralytics_says_comes_in_one_sentence(ultralytics, weights, tmp_path):
    ultralytics.result = RuntimeError('PytorchStreamReader failed reading zip archive.\nTraceback of many lines')
    assert refusal(weights, tmp_path / 'out.onnx', [640]) == (
        f'Ultralytics cannot export {weights} (PytorchStreamReader failed reading zip archive): check that it is a '
        'YOLO detection model, and that torch and Ultralytics fit together.'
    )


def test_no_file_is_no_success(ultralytics, weights, tmp_path):
    assert refusal(weights, tmp_path / 'out.onnx', [640]) == (
        f'Ultralytics exported {weights} but left no file: see what it printed above.'
    )


def test_a_result_that_the_detector_cannot_use_replaces_nothing(ultralytics, weights, exported, write_model, tmp_path):
    out = tmp_path / 'out.onnx'
    ultralytics.result = exported
    export(weights, out, [640])
    before = out.read_bytes()
    ultralytics.result = write_model(
        np.zeros((1, 7, 30), np.float32), metadata={'names': "['a', 'b', 'c']", 'task': 'segment'}
    )
    assert refusal(weights, out, [640]) == (
        f"Ultralytics exported {weights}, but the detector cannot use the result: Model file the export is a 'segment' "
        "model: the detector needs one whose task is 'detect', for example yolo11n.onnx instead of yolo11n-seg.onnx."
    )
    assert out.read_bytes() == before


def test_the_command_says_the_licence_and_what_it_made(ultralytics, weights, exported, tmp_path, capsys):
    ultralytics.result = exported
    with pytest.raises(SystemExit):
        main(['--help'])
    assert 'AGPL-3.0' in capsys.readouterr().out
    assert main([str(weights), '--imgsz', '64', '--out', str(tmp_path / 'out.onnx')]) == 0
    assert 'output   [1, 4+nc, N], N = 30' in capsys.readouterr().out


@pytest.mark.parametrize('size', [['640', '480', '3'], ['100'], ['0'], ['8192']])
def test_a_size_that_no_network_has_is_refused(size, capsys):
    assert main(['mine.pt', '--imgsz', *size]) == 1
    assert capsys.readouterr().err == (
        f'Option --imgsz is {" ".join(size)}: give one or two multiples of 32 from 32 to 4096.\n'
    )


def test_importing_the_command_imports_neither_ultralytics_nor_torch():
    source = Path(export_module.__file__).read_text(encoding='utf-8')
    assert 'import ultralytics' not in source and 'import torch' not in source


def test_an_export_replaces_another_and_nothing_else(ultralytics, weights, exported, tmp_path):
    ultralytics.result = exported
    out = tmp_path / 'out.onnx'
    for _ in range(2):
        export(weights, out, [64])
    shutil.copyfile(exported, out)
    asked = len(ultralytics.asked)
    assert refusal(weights, out, [64]) == (
        f"'{out}' exists, and is not a model that this tool made: move it away, or name another file."
    )
    assert out.read_bytes() == exported.read_bytes()
    assert len(ultralytics.asked) == asked, 'it is said before the minutes that an export takes'
