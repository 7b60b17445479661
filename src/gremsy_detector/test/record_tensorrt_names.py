# SPDX-License-Identifier: Apache-2.0
"""Which names TensorRT's Python bindings of each version have, recorded in `tensorrt_names.json`.

Those of TensorRT for RTX, in `tensorrt_rtx_names.json`.

NVIDIA's bindings wheels are on PyPI, the library behind them is not; but an import only needs that the library's nine
functions can be linked, so a stub of them is enough to look at every class. Written anew by
    python -m src.gremsy_detector.test.record_tensorrt_names tensorrt-cu12-bindings==10.3.0 ...
    python -m src.gremsy_detector.test.record_tensorrt_names tensorrt-rtx-cu13-bindings==1.4.0.76 ...
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

RECORD = Path(__file__).with_name('tensorrt_names.json')
RTX_RECORD = Path(__file__).with_name('tensorrt_rtx_names.json')
CLASSES = (
    'Builder',
    'BuilderFlag',
    'ComputeCapability',
    'DynamicShapesKernelSpecializationStrategy',
    'IBuilderConfig',
    'ICudaEngine',
    'IExecutionContext',
    'ILogger',
    'INetworkDefinition',
    'IOptimizationProfile',
    'IProgressMonitor',
    'IRuntimeCache',
    'IRuntimeConfig',
    'ITensor',
    'ITimingCache',
    'MemoryPoolType',
    'NetworkDefinitionCreationFlag',
    'OnnxParser',
    'ParserError',
    'Runtime',
    'TensorIOMode',
)
_FUNCTIONS = (
    'createInferBuilder_INTERNAL',
    'createInferRefitter_INTERNAL',
    'createInferRuntime_INTERNAL',
    'createNvOnnxParserRefitter_INTERNAL',
    'createNvOnnxParser_INTERNAL',
    'getBuilderPluginRegistry',
    'getNvOnnxParserVersion',
    'getPluginRegistry',
    'initLibNvInferPlugins',
)
_LIBRARIES = (
    'nvinfer',
    'nvinfer_plugin',
    'nvonnxparser',
    'nvinfer_lean',
    'tensorrt_rtx',
    'tensorrt_onnxparser_rtx',
)
_LOOK = """
import importlib, json, sys
module = importlib.import_module(sys.argv[1])
names = [f'{one}.{name}' for one in sys.argv[2:] for name in dir(getattr(module, one, None)) if hasattr(module, one)]
names = [name for name in names if '._' not in name]
parts = [name.split('.') for name in names]
called = [f'{one}.{name}' for one, name in parts if callable(getattr(getattr(module, one), name))]
print(json.dumps([module.__version__, names, called]))
"""


def compiler():
    """A C compiler, or None."""
    return shutil.which('cc') or shutil.which('gcc')


def names_of(module, major, scratch, python_path=''):
    """Version, names, and which of them are called rather than read; looked at in a child, with stub libraries.

    Args:
        module: `tensorrt_bindings`, `tensorrt_lean_bindings` or `tensorrt_rtx_bindings`.
        major: of its version, part of the libraries' names.
        scratch: a folder for the stubs.
        python_path: where the module is, if not installed.
    """
    source = scratch / 'stub.c'
    source.write_text(''.join(f'void *{name}(void) {{ return 0; }}\n' for name in _FUNCTIONS))
    for library in _LIBRARIES:
        name = f'lib{library}.so.{major}'
        command = [compiler(), '-shared', '-fPIC', f'-Wl,-soname,{name}', '-o', str(scratch / name), str(source)]
        subprocess.run(command, check=True, capture_output=True)
    environment = os.environ | {'LD_LIBRARY_PATH': f'{scratch}:{os.environ.get("LD_LIBRARY_PATH", "")}'}
    if python_path:
        environment['PYTHONPATH'] = python_path
    child = [sys.executable, '-c', _LOOK, module, *CLASSES]
    answer = subprocess.run(child, capture_output=True, text=True, env=environment, check=True)
    version, names, called = json.loads(answer.stdout)
    return version, set(names), set(called)


def main(requirements):
    """Fetch each wheel, look at it, and write the record: name -> versions that have it; of one kind at a time."""
    found = {}
    rtx = all('-rtx-' in requirement for requirement in requirements)
    for requirement in requirements:
        with tempfile.TemporaryDirectory() as folder:
            scratch = Path(folder)
            fetch = [sys.executable, '-m', 'pip', 'install', '-q', '--no-deps', '--target', folder, requirement]
            subprocess.run(fetch, check=True)
            major = int(requirement.partition('==')[2].split('.')[0])
            version, names, _ = names_of(f'tensorrt{"_rtx" * rtx}_bindings', major, scratch, folder)
            for name in names:
                found.setdefault(name, []).append(version)
            print(f'{requirement}: {version}, {len(names)} names')
    versions = sorted(
        {version for each in found.values() for version in each}, key=lambda text: [*map(int, text.split('.'))]
    )
    everywhere = sorted(name for name, each in found.items() if len(each) == len(versions))
    some = {
        name: [v for v in versions if v in each] for name, each in sorted(found.items()) if len(each) < len(versions)
    }
    content = {'versions': versions, 'in_every_version': everywhere, 'in_some': some}
    (RTX_RECORD if rtx else RECORD).write_text(json.dumps(content, indent=1) + '\n')


if __name__ == '__main__':
    main(sys.argv[1:])
