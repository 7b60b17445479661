# SPDX-License-Identifier: Apache-2.0
"""`ros2 run gremsy_model_tools quantize MODEL`: an fp16 or int8 file of a model, checked against the original."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from gremsy_common.errors import SuiteError
from gremsy_common.parameters.parameter_forms import given_path
from gremsy_detector.model.default_model import DEFAULT, model_path
from gremsy_model_tools.precision.gate import DEFAULT_LIMIT
from gremsy_model_tools.precision.prepare import PRECISIONS, prepare_model


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file and say how it agrees; 1 and one sentence on stderr when it cannot be made."""
    parser = argparse.ArgumentParser(
        prog='quantize',
        description='Write a model in another precision and measure how far its boxes agree with the original. '
        'A file that agrees too little is not written; the next finer precision takes its place.',
    )
    parser.add_argument('model', nargs='?', default=DEFAULT, help='an ONNX file in float32; the shipped one by default')
    parser.add_argument('--precision', choices=PRECISIONS, default='int8', help='default: int8')
    parser.add_argument('--calibration', type=given_path, help='real frames for int8: a folder of images, or a video')
    parser.add_argument(
        '--check', type=given_path, help='frames to check on; by default the last quarter of --calibration is held back'
    )
    parser.add_argument(
        '--limit', type=float, default=DEFAULT_LIMIT, help=f'least mAP .5:.95 against the original ({DEFAULT_LIMIT})'
    )
    parser.add_argument('--out', type=given_path, default=Path(), help='folder to write to; the current one by default')
    parser.add_argument('--float-input', action='store_true', help='keep the input as it is, instead of uint8 BGR')
    options = parser.parse_args(arguments)
    if not 0.0 <= options.limit <= 1.0:
        print(f'Option --limit is {options.limit:g}: give a number from 0 to 1.', file=sys.stderr)
        return 1
    try:
        prepared = prepare_model(
            model_path(options.model),
            options.precision,
            options.out,
            calibration=options.calibration,
            check=options.check,
            fold_input=not options.float_input,
            limit=options.limit,
            say=lambda sentence: print(sentence, file=sys.stderr),
        )
    except SuiteError as error:
        print(error, file=sys.stderr)
        return 1
    print(prepared.sentence)
    print(prepared.path)
    return 0


if __name__ == '__main__':
    sys.exit(main())
