# SPDX-License-Identifier: Apache-2.0
"""`ros2 run gremsy_model_tools build_engine MODEL`: the TensorRT engine of a model, built now instead of at start-up.

TensorRT for RTX builds without a GPU, for every GPU that it runs on: its engines can be copied to where they will run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from gremsy_common.errors import SuiteError
from gremsy_common.parameters.parameter_forms import given_path
from gremsy_common.status_line import StatusLine
from gremsy_detector.backends.backend_registry import AUTO
from gremsy_detector.backends.tensorrt.engine_cache import EngineRequest
from gremsy_detector.backends.tensorrt.engine_key import PRECISIONS
from gremsy_detector.backends.tensorrt.engine_machine import Machine
from gremsy_detector.backends.tensorrt.tensorrt_kinds import KINDS
from gremsy_detector.errors import ModelError
from gremsy_detector.model.default_model import DEFAULT, model_path
from gremsy_detector.model.model_file import read_model_file

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None, machine: Machine | None = None) -> int:
    """Build, or find what is built already.

    Returns:
        0 with the engine's path as the last line; 1 when it cannot be built, 130 when interrupted, each with one
        sentence on stderr; wrong arguments end the program with 2.
    """
    options = _parser().parse_args(arguments)
    line = StatusLine(sys.stdout)
    try:
        # TensorRT may be busy with one step for minutes.
        with line.working('Building the engine'):
            path = _obtain(options, machine if machine is not None else Machine(), line.say)
    except SuiteError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('Interrupted: nothing half-written is left.', file=sys.stderr)
        return _INTERRUPTED
    print(path)
    return 0


def _obtain(options: argparse.Namespace, machine: Machine, say: Callable[[str], None]) -> Path:
    model = model_path(options.model)
    if model.suffix.lower() != '.onnx':
        raise ModelError(
            f"Model file {model} ends in '{model.suffix}' and engines are built from .onnx files: "
            'export it first (ros2 run gremsy_model_tools export WEIGHTS.pt).'
        )
    # Before anything about TensorRT: the name that was typed is the nearer mistake.
    if not model.is_file():
        read_model_file(model)
    machine = _of_kind(options.backend, machine)
    library = machine.library(to_build_only=True)
    target = machine.target_to_build_for(library, options.device)
    cache = machine.cache(library, target, options.engine_dir, say)
    request = EngineRequest(
        model,
        options.precision,
        lean=options.lean,
        best_boxes=True,
        calibration=options.calibration,
        check=options.check,
    )
    if target.kind.portable:
        file = cache.obtain(request, force=options.force)
        reason = machine.unavailable(target.kind)
        if reason is not None:
            say(f'It is for another machine, because {target.kind.title} here {reason}.')
    else:
        # TensorRT builds for the GPU that is current.
        with closing(machine.new_stream(options.device)) as stream:
            stream.open()
            file = cache.obtain(request, force=options.force)
    if file.as_it_is:
        say(f'It is built of the file as it is: {file.as_it_is}.')
    if file.header is not None and file.header.precision != options.precision:
        say(f'It computes in {file.header.precision}: {options.precision} lost too much when it was built.')
    return file.path


def _of_kind(wanted: str, machine: Machine) -> Machine:
    """The machine with the TensorRT that is asked for, or the first that runs here."""
    if wanted != AUTO:
        return replace(machine, kind=next(kind for kind in KINDS if kind.name == wanted))
    reasons = []
    for kind in KINDS:
        reason = machine.unavailable(kind)
        if reason is None:
            return replace(machine, kind=kind)
        elsewhere = kind.portable and machine.not_installed(kind) is None
        hint = f' (`--backend {kind.name}` builds for another machine)' if elsewhere else ''
        reasons.append(f'{kind.title} {reason}{hint}')
    raise ModelError('; '.join(reasons) + '.')


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='build_engine',
        description='Build the TensorRT engine of an ONNX model for the GPU of this machine, or find the one built '
        'before. Prints its path.',
    )
    parser.add_argument(
        '--backend',
        default=AUTO,
        choices=(AUTO, *(kind.name for kind in KINDS)),
        help='which TensorRT builds it: the first that runs here (%(default)s), or one by name; tensorrt_rtx builds '
        'without a GPU, for all RTX cards from the 30 series on',
    )
    parser.add_argument('model', nargs='?', default=DEFAULT, help='an .onnx file; the shipped model by default')
    parser.add_argument(
        '--precision',
        default='fp16',
        choices=PRECISIONS,
        help='of the engine; `model` for the file as it is (%(default)s)',
    )
    parser.add_argument(
        '--calibration', type=given_path, metavar='DIR', help='frames for int8: a folder of images or a video'
    )
    parser.add_argument(
        '--check', type=given_path, metavar='DIR', help='other frames, to hold the result against the model'
    )
    parser.add_argument(
        '--lean', action='store_true', help='an engine that later TensorRT versions and the lean runtime run too'
    )
    parser.add_argument(
        '--engine-dir', type=given_path, metavar='DIR', help="where engines are kept (the user's cache folder)"
    )
    parser.add_argument('--device', type=int, default=0, metavar='N', help='number of the GPU (%(default)s)')
    parser.add_argument('--force', action='store_true', help='build it even if there is one')
    return parser


if __name__ == '__main__':
    sys.exit(main())
