# SPDX-License-Identifier: Apache-2.0
"""`ros2 run gremsy_model_tools model_info [MODEL]`: what a model file is, and the classes that `classes` may name."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_detector.backends.backend import BackendOptions
from gremsy_detector.backends.backend_registry import AUTO, choose_backend, find_backends
from gremsy_detector.detector import Detector
from gremsy_detector.errors import ModelError
from gremsy_detector.model.default_model import DEFAULT, model_path
from gremsy_detector.model.model_description import InputDescription, ModelDescription


def report(model: ModelDescription, backend: str) -> str:
    """The description as lines of text."""
    fed, read = model.input, model.output
    form = f'{fed.dtype} {list(fed.shape)}, {"BGR" if fed.bgr else "RGB"}, {fed.resize.value}'
    strides = f', grids of stride {", ".join(map(str, read.strides_px))} px' if read.strides_px else ''
    duplicates = (
        'duplicates removed here (NMS)'
        if read.layout.has_duplicates
        else 'one per object, the network leaves no duplicates'
    )
    logits = ', scores are logits' if read.logits else ''
    lines = [
        f'model    {model.path}',
        f'title    {model.title}',
        f'file     {"; ".join(map(str, model.inputs))} -> {"; ".join(map(str, model.outputs))}',
        f'input    {fed.name}: {form}',
        f'values   {_values(fed)}',
        f'output   {read.layout.value}, N = {read.box_count}, stride {model.stride_px} px{logits}{strides}',
        f'boxes    {duplicates}',
        f'backend  {backend}',
        f'classes  {len(model.class_names)}',
    ]
    return '\n'.join(lines + [f'  {index:4d} {name}' for index, name in enumerate(model.class_names)])


def _values(fed: InputDescription) -> str:
    """What stands in the input tensor."""
    if fed.dtype == 'uint8':
        return '0..255, scaled in the graph'
    if any(fed.mean):
        return f'(pixel - {list(fed.mean)}) / {list(fed.std)}'
    alike = len(set(fed.std)) == 1
    return f'0..{255 / fed.std[0]:g}' if alike else f'pixel / {list(fed.std)}'


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report; 1 and one sentence on stderr when the file cannot be used."""
    parser = argparse.ArgumentParser(prog='model_info', description='What a model file is and its classes.')
    parser.add_argument('model', nargs='?', default=DEFAULT, help='a model file; the shipped one by default')
    backends = [AUTO, *(backend.name for backend in find_backends())]
    parser.add_argument('--backend', default=AUTO, choices=backends, help='what runs it')
    parser.add_argument('--provider', default=AUTO, help='of ONNX Runtime: auto, cuda, tensorrt, openvino or cpu')
    options = parser.parse_args(arguments)

    def say(sentence: str) -> None:
        print(sentence, file=sys.stderr)

    try:
        path = model_path(options.model)
        backend = choose_backend(path, options.backend)(path, BackendOptions(provider=options.provider, say=say))
        detector = Detector(backend)
        model = detector.open()
    except (ModelError, ParameterError) as error:
        print(error, file=sys.stderr)
        return 1
    print(report(model, backend.description))
    detector.close()
    return 0


if __name__ == '__main__':
    sys.exit(main())
