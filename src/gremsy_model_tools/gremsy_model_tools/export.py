# SPDX-License-Identifier: Apache-2.0
"""`ros2 run gremsy_model_tools export WEIGHTS.pt`: a user's own Ultralytics weights as an ONNX file for this detector.

Ultralytics and torch are used here and nowhere else, and only where the user has installed them: Ultralytics is
AGPL-3.0, and so is a model trained or exported with it, unless one holds its enterprise licence.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from gremsy_common.errors import SuiteError
from gremsy_common.parameters.parameter_forms import given_path
from gremsy_detector.backends.backend import say_nothing
from gremsy_detector.backends.onnxruntime_backend import OnnxRuntimeBackend
from gremsy_detector.backends.onnxruntime_providers import in_short
from gremsy_detector.detector import Detector
from gremsy_detector.errors import ModelError
from gremsy_detector.model.model_description import ModelDescription
from gremsy_model_tools.model_info import report
from gremsy_model_tools.precision.onnx_file import (
    import_onnx,
    import_onnxruntime,
    metadata_of,
    read_model,
    refuse_place_of_model,
    set_metadata,
    signed,
    write_model,
)

LICENCE = (
    'Ultralytics is AGPL-3.0, and so are models trained or exported with it; the suite itself neither contains nor '
    'needs it.'
)
# `pip install ultralytics` alone may pull a CUDA build of torch and a second OpenCV.
INSTALL = (
    'pip install torch==2.13.0',
    'pip install --no-deps ultralytics==8.4.190 torchvision==0.28.0',
    'pip install numpy matplotlib opencv-python-headless pillow pyyaml requests psutil polars onnx onnxslim',
)
# TensorRT 10.3 reads up to 20, 13 is the least that int8 needs; Ultralytics' own choice follows the torch at hand.
_OPSET = 17
_WEIGHTS = ('.pt', '.yaml', '.yml')


def export(
    weights: Path, out: Path, size_px: Sequence[int], say: Callable[[str], None] = say_nothing
) -> ModelDescription:
    """Export weights and check that the detector can use the result.

    Args:
        weights: an Ultralytics `.pt` file (or a `.yaml`, which gives an untrained network).
        out: the ONNX file to write, in one piece, once it has been checked.
        size_px: height and width of the network's input, or one side.
        say: takes sentences on progress.

    Raises:
        ModelError: when Ultralytics is missing or fails, or the result is none that the detector knows.
    """
    if weights.suffix.lower() not in _WEIGHTS:
        raise ModelError(
            f"Weights file {weights} ends in '{weights.suffix}': give the .pt file that Ultralytics trained."
        )
    ultralytics = _ultralytics()
    # What checks the result; better missed now than after the export.
    import_onnx()
    import_onnxruntime()
    if not weights.is_file():
        # Ultralytics would look for a file of that name on the network.
        raise ModelError(f'Weights file {weights} does not exist: give the .pt file that Ultralytics trained.')
    # Now, not after minutes of export.
    refuse_place_of_model(out)
    say(f'Exporting {weights} with Ultralytics {getattr(ultralytics, "__version__", "of unknown version")}.')
    with tempfile.TemporaryDirectory(prefix='gremsy_export_') as scratch:
        # The exporter writes beside the weights, where the user may not.
        copied = Path(scratch) / weights.name
        try:
            shutil.copyfile(weights, copied)
        except OSError as error:
            raise ModelError(
                f'Weights file {weights} cannot be read ({error.strerror}): check its permissions.'
            ) from error
        exported = _run(ultralytics, copied, weights, list(size_px))
        model = signed(read_model(exported))
        # Explicit, though it is the default: the file then says how it wants to be fed.
        set_metadata(model, {'resize': 'letterbox', **metadata_of(model)})
        checked = Path(scratch) / 'checked.onnx'
        write_model(model, checked)
        try:
            _describe(checked)
        except SuiteError as error:
            raise ModelError(
                f'Ultralytics exported {weights}, but the detector cannot use the result: '
                f'{str(error).replace(str(checked), "the export")}'
            ) from error
        refuse_place_of_model(out)
        write_model(model, out)
    return _describe(out)


def main(arguments: Sequence[str] | None = None) -> int:
    """Export, and print what the file is; 1 and one sentence on stderr when it cannot be made."""
    parser = argparse.ArgumentParser(
        prog='export', description=f'Export Ultralytics weights to an ONNX file for the detector. {LICENCE}'
    )
    parser.add_argument('weights', type=given_path, help='the .pt file')
    parser.add_argument(
        '--imgsz', type=int, nargs='+', default=[640], metavar='PX', help='side, or height and width, of the input'
    )
    parser.add_argument(
        '--out', type=given_path, help='the file to write; WEIGHTS.onnx in the current folder by default'
    )
    options = parser.parse_args(arguments)
    if len(options.imgsz) > 2 or any(not 32 <= side <= 4096 or side % 32 for side in options.imgsz):
        print(
            f'Option --imgsz is {" ".join(map(str, options.imgsz))}: give one or two multiples of 32 from 32 to 4096.',
            file=sys.stderr,
        )
        return 1
    out = options.out if options.out is not None else Path(f'{options.weights.stem}.onnx')
    try:
        model = export(options.weights, out, options.imgsz, say=lambda sentence: print(sentence, file=sys.stderr))
    except SuiteError as error:
        print(error, file=sys.stderr)
        return 1
    print(report(model, 'ONNX Runtime'))
    return 0


def _ultralytics() -> Any:
    # It would install what it misses by itself, a CUDA torch among it, and report what it is used for to its makers.
    os.environ.setdefault('YOLO_AUTOINSTALL', 'False')
    os.environ.setdefault('YOLO_OFFLINE', 'True')
    try:
        return importlib.import_module('ultralytics')
    except ImportError as error:
        raise ModelError(
            f'Exporting weights needs Ultralytics, which cannot be imported ({in_short(error)}): run, in '
            f'the environment of this command, {"; ".join(f"`{command}`" for command in INSTALL)}.'
        ) from error


def _run(ultralytics: Any, copied: Path, weights: Path, size_px: list[int]) -> Path:
    size = size_px[0] if len(size_px) == 1 else size_px
    try:
        result = ultralytics.YOLO(str(copied)).export(format='onnx', imgsz=size, opset=_OPSET, simplify=True)
    except Exception as error:  # torch, Ultralytics and the exporters raise whatever they raise
        raise ModelError(
            f'Ultralytics cannot export {weights} ({in_short(error)}): check that it is a YOLO detection model, and '
            'that torch and Ultralytics fit together.'
        ) from error
    exported = Path(str(result))
    if not exported.is_file():
        raise ModelError(f'Ultralytics exported {weights} but left no file: see what it printed above.')
    return exported


def _describe(path: Path) -> ModelDescription:
    with closing(Detector(OnnxRuntimeBackend(path))) as detector:
        return detector.open()


if __name__ == '__main__':
    sys.exit(main())
