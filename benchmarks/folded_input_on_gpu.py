# SPDX-License-Identifier: Apache-2.0
"""The folded uint8 preprocessing on a real NVIDIA GPU, held against the CPU's.

The TensorRT that PyPI has builds engines, but runs them on RTX cards only. So the operators that `fold_input` puts
before a network are run one by one with torch on the GPU, on bytes that the suite's own page-locked memory brought
there; their last output must be the tensor that `NetworkInput` writes on the CPU for the same image. Stand-alone;
torch is this script's alone:

    export PYTHONPATH=src/gremsy_detector:src/gremsy_common:src/gremsy_model_tools
    python3 benchmarks/folded_input_on_gpu.py

Prints one JSON object; `failed` lists what did not hold, and makes the exit status 1.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gremsy_common.types.frame import Frame, lock_read_only
from gremsy_detector.backends.gpu.cuda_memory import CudaStream
from gremsy_detector.image.network_input import NetworkInput
from gremsy_detector.model.model_description import InputDescription, ResizeMode
from gremsy_model_tools.precision.folded_input import fold_input

# One rounding of x/255 in float32, and in float16.
_MOST_OFF = {'float32': 6e-8, 'float16': 5e-4}
_SIZES_PX = ((640, 640), (416, 416), (96, 64))


def main() -> int:
    """Every size, type and resize mode; 1 when one of them differs."""
    onnx, torch = importlib.import_module('onnx'), importlib.import_module('torch')
    results: list[dict[str, Any]] = []
    for width, height in _SIZES_PX:
        for dtype in ('float32', 'float16'):
            for resize in ResizeMode:
                described = InputDescription('images', width, height, dtype, False, False, resize)
                most_off = _difference(described, onnx, torch)
                results.append(
                    {'input': f'{width}x{height} {dtype} {resize.value}', 'max_difference': most_off}
                    | ({} if most_off <= _MOST_OFF[dtype] else {'failed': True})
                )
    failed = [each['input'] for each in results if 'failed' in each]
    gpu = torch.cuda.get_device_name(0)
    print(json.dumps({'gpu': gpu, 'torch': torch.__version__, 'inputs': results, 'failed': failed}))
    return 1 if failed else 0


def _difference(described: InputDescription, onnx: Any, torch: Any) -> float:
    """Largest difference between the GPU's tensor and the CPU's, over an image that has every byte value."""
    image = _image(1920, 1080)
    frame = Frame(lock_read_only(image), 1, 'eo_optical', 'bgr8')
    reference = NetworkInput(described)
    reference.fill(frame)
    nodes, constants = _folded_nodes(described, onnx)
    stream = CudaStream(0)
    stream.open()
    try:
        shape = (1, described.height_px, described.width_px, 3)
        pinned = stream.new_host_array(shape, 'uint8')
        on_camera = InputDescription(
            'images', described.width_px, described.height_px, 'uint8', True, True, described.resize
        )
        NetworkInput(on_camera, pinned).fill(frame)
        memory = stream.new_device_memory(pinned.nbytes)
        stream.upload(memory, pinned)
        stream.wait()
        tensor = _run(nodes, constants, torch.as_tensor(_OnGpu(memory.address, shape), device='cuda'), torch)
        on_gpu: NDArray[Any] = tensor.cpu().numpy()
    finally:
        stream.close()
    if on_gpu.shape != reference.tensor.shape or on_gpu.dtype != reference.tensor.dtype:
        return float('inf')
    return float(np.abs(on_gpu.astype(np.float64) - reference.tensor.astype(np.float64)).max())


class _OnGpu:
    """Bytes at an address of the GPU, in the form that torch takes over."""

    def __init__(self, address: int, shape: tuple[int, ...]) -> None:
        self.__cuda_array_interface__ = {'shape': shape, 'typestr': '|u1', 'data': (address, False), 'version': 3}


def _image(width_px: int, height_px: int) -> NDArray[np.uint8]:
    random = np.random.default_rng(5)
    image = random.integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)
    image[: height_px // 2] = np.arange(width_px, dtype=np.uint8)[None, :, None]
    return image


def _folded_nodes(described: InputDescription, onnx: Any) -> tuple[list[Any], dict[str, NDArray[Any]]]:
    """The nodes that folding puts before a network that does nothing, and their constants."""
    helper = onnx.helper
    kind = onnx.TensorProto.FLOAT if described.dtype == 'float32' else onnx.TensorProto.FLOAT16
    shape = list(described.shape)
    graph = helper.make_graph(
        [helper.make_node('Identity', ['images'], ['output0'])],
        'nothing',
        [helper.make_tensor_value_info('images', kind, shape)],
        [helper.make_tensor_value_info('output0', kind, shape)],
    )
    plain = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'nothing.onnx'
        onnx.save(fold_input(plain, described), str(path))
        folded = onnx.load(str(path))
    constants = {each.name: onnx.numpy_helper.to_array(each) for each in folded.graph.initializer}
    return [node for node in folded.graph.node if node.op_type != 'Identity'], constants


def _run(nodes: list[Any], constants: dict[str, NDArray[Any]], source: Any, torch: Any) -> Any:
    """The operators of `folded_input._steps` by their ONNX definitions, on the GPU."""
    types = {1: torch.float32, 10: torch.float16}
    for node in nodes:
        attributes = {each.name: each for each in node.attribute}
        if node.op_type == 'Transpose':
            source = source.permute(*attributes['perm'].ints)
        elif node.op_type == 'Gather':
            indices = torch.as_tensor(constants[node.input[1]].copy(), device=source.device)
            source = source.index_select(attributes['axis'].i, indices)
        elif node.op_type == 'Cast':
            source = source.to(types[attributes['to'].i])
        elif node.op_type == 'Div':
            source = source / torch.as_tensor(constants[node.input[1]].copy(), device=source.device)
        else:
            raise SystemExit(f'Folding has put an operator {node.op_type} there: this script does not know it.')
    return source


if __name__ == '__main__':
    sys.exit(main())
