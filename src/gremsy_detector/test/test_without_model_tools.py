# SPDX-License-Identifier: Apache-2.0
"""A robot has the detector and neither `gremsy_model_tools` nor `onnx`: what needs them says so, all else works."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed: run ./gremsy setup')

REPOSITORY = Path(__file__).resolve().parents[3]
PACKAGE = REPOSITORY / 'src/gremsy_detector'

# Begins every program below: as if those packages and what they announce were not installed.
HIDE = """
import importlib.metadata
import sys

HIDDEN = {'gremsy_model_tools', 'onnx'}


class Without:
    def __init__(self, finder):
        self._finder = finder

    def __getattr__(self, name):
        return getattr(self._finder, name)

    def find_spec(self, name, path=None, target=None):
        return None if name.partition('.')[0] in HIDDEN else self._finder.find_spec(name, path, target)

    def find_distributions(self, context=importlib.metadata.DistributionFinder.Context()):
        for found in getattr(self._finder, 'find_distributions', lambda context: ())(context):
            if found.metadata['Name'].replace('-', '_') not in HIDDEN:
                yield found


sys.meta_path[:] = map(Without, sys.meta_path)
"""

IMPORT_ALL = """
import importlib
import pkgutil

import gremsy_detector

for module in pkgutil.walk_packages(gremsy_detector.__path__, 'gremsy_detector.'):
    importlib.import_module(module.name)
for name in HIDDEN:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        print(name, 'is hidden')
"""

DETECT = """
import cv2
from gremsy_common.types.frame import Frame, lock_read_only
from gremsy_detector.backends.backend_registry import choose_backend
from gremsy_detector.detector import Detector, Selection
from gremsy_detector.model.default_model import default_model_path

path = default_model_path()
detector = Detector(choose_backend(path, 'onnxruntime')(path), Selection(classes=('person',)))
detector.open()
found = detector.detect(Frame(lock_read_only(cv2.imread(sys.argv[1])), 1, 'eo', 'bgr8')).detections
detector.close()
print(len(found.scores))
"""

BUILD = """
import json
from pathlib import Path

import numpy as np
from gremsy_detector.backends.backend import BackendOptions
from gremsy_detector.backends.tensorrt.engine_machine import prepare_model
from gremsy_detector.backends.tensorrt_rtx_backend import TensorRtRtxBackend
from gremsy_detector.errors import ModelError
from src.gremsy_detector.test.tensorrt_fakes import LAPTOP, FakeCuda, FakeRtxLibrary, fake_machine

cuda = FakeCuda()
machine = fake_machine(cuda, FakeRtxLibrary(cuda), gpu=LAPTOP, prepare=prepare_model)
model, precision, folder = sys.argv[1:]
said = []
options = BackendOptions(precision=precision, engine_dir=Path(folder), say=said.append)
backend = TensorRtRtxBackend(Path(model), options, machine)
try:
    facts = backend.open()
    answer = backend.infer(np.zeros((1, 3, 64, 64), np.float32))[0].shape
    backend.close()
except ModelError as error:
    facts, answer = None, str(error)
engines = [path.name for path in Path(folder).glob('*.engine')]
print(json.dumps({'answer': answer, 'engines': engines, 'said': said}))
"""


def run(program, *arguments):
    done = subprocess.run(
        [sys.executable, '-c', HIDE + program, *map(str, arguments)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_every_module_of_the_detector_can_be_imported():
    assert sorted(run(IMPORT_ALL).splitlines()) == ['gremsy_model_tools is hidden', 'onnx is hidden']


def test_it_detects(tmp_path, footage_image):
    cv2.imwrite(str(tmp_path / 'frame.png'), footage_image(1))
    assert int(run(DETECT, tmp_path / 'frame.png')) >= 3


def test_it_builds_a_file_as_it_is_and_runs_it(tmp_path, write_model):
    told = json.loads(run(BUILD, write_model(np.zeros((1, 7, 20))), 'model', tmp_path / 'engines'))
    assert told['answer'] == [1, 7, 20]
    assert len(told['engines']) == 1 and told['engines'][0].startswith('tiny-model-64x64-')
    assert told['said'][-2].startswith(f'Built {tmp_path / "engines" / told["engines"][0]} in ')
    assert told['said'][-1] == 'tiny.onnx runs on the GPU as it is: gremsy_model_tools is not installed.'


@pytest.mark.parametrize('precision', ['fp32', 'fp16', 'int8'])
def test_for_another_precision_it_says_what_is_missing(tmp_path, write_model, precision):
    model = write_model(np.zeros((1, 7, 20)))
    told = json.loads(run(BUILD, model, precision, tmp_path / 'engines'))
    assert told['answer'] == (
        f'Model file {model} cannot be prepared because package gremsy_model_tools is not installed: install it, '
        "or build with precision 'model'."
    )
    assert told['engines'] == []


def test_a_file_that_tensorrt_does_not_take_as_it_is_has_one_way_out(tmp_path, write_model):
    """uint8 [1, H, W, 3] whose bytes are moved before they are cast: it is rewritten even for its own precision."""
    model = write_model(np.zeros((1, 7, 20)), input_shape=(1, 64, 64, 3), input_type='UINT8',
                        reshape_input_to=(1, 64, 192))  # fmt: skip
    told = json.loads(run(BUILD, model, 'model', tmp_path / 'engines'))
    assert told['answer'] == (
        f'Model file {model} cannot be prepared because package gremsy_model_tools is not installed: install it.'
    )
    assert told['engines'] == []


def test_neither_the_package_nor_its_tests_import_the_tools():
    """They import the detector: an import the other way would be a circle, whichever file it stands in."""
    found = set()
    for path in PACKAGE.rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            names = [node.module or ''] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if any('gremsy_model_tools' in name for name in names):
                found.add(str(path.relative_to(PACKAGE)))
    assert found == set()
