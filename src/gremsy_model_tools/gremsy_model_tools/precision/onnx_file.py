# SPDX-License-Identifier: Apache-2.0
"""Reading an ONNX file as a graph that may be rewritten, and writing one so that nobody ever sees half of it.

`onnx` is needed only here and in the modules beside this one: a robot that runs a finished file does without it.
"""

from __future__ import annotations

import copy
import importlib
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from gremsy_common.atomic_file import NotOurs, NotWritable, refuse_others, refuse_unwritable, write_whole
from gremsy_detector.backends.onnxruntime_providers import in_short, load_onnxruntime
from gremsy_detector.errors import ModelError
from gremsy_detector.model.model_description import InputDescription

# Protocol Buffers refuse a message of 2 GiB; its own framing takes some of that.
_LARGEST_FILE_BYTES = 2**31 - 2**20
_ERRORS_ONLY = 3
STANDARD_DOMAINS = ('', 'ai.onnx')
_PRODUCER = 'gremsy_detector'


def import_onnx() -> Any:
    """The module `onnx`.

    Raises:
        ModelError: with the command that installs it.
    """
    return _import('onnx', lambda: importlib.import_module('onnx'))


def import_onnxruntime() -> Any:
    """The module `onnxruntime`.

    Raises:
        ModelError: with the command that installs it.
    """
    return _import('onnxruntime', load_onnxruntime)


def read_model(path: Path) -> Any:
    """The file as an `onnx.ModelProto`, weights that lie in other files beside it included.

    Raises:
        ModelError: when it cannot be read, or is not ONNX.
    """
    onnx = import_onnx()
    try:
        return onnx.load(str(path))
    except OSError as error:
        missing = error.filename or path
        raise ModelError(
            f'Model file {path} cannot be read ({missing}: {error.strerror or error}): copy it again, with the files '
            'that lie beside it.'
        ) from error
    except Exception as error:  # protobuf's, the checker's and the reader's share no base class but this
        raise ModelError(
            f'Model file {path} cannot be read as ONNX ({in_short(error)}): it is truncated, corrupt or keeps its '
            'weights in a file that is missing or outside its folder, so copy or export it again.'
        ) from error


def write_model(model: Any, path: Path) -> None:
    """Write a model in one piece: the old file, or the new one, is there at any time.

    Raises:
        ModelError: when it is larger than ONNX allows in one file, or cannot be written.
    """
    if model.ByteSize() > _LARGEST_FILE_BYTES:
        raise ModelError(
            f'Model {path.name} takes {model.ByteSize() / 2**30:.1f} GiB, and an ONNX file holds 2: use a smaller one.'
        )
    write_atomically(model.SerializeToString(), path)


def signed(model: Any) -> Any:
    """With the mark of the suite, by which its files are known and may be replaced."""
    model.producer_name = _PRODUCER
    return model


def refuse_place_of_model(path: Path) -> None:
    """Before the work and before the writing: nothing is replaced but a model that carries the mark.

    Raises:
        ModelError: naming what is in the way, or a folder that cannot be written to.
    """
    try:
        refuse_others(path, 'model that this tool made', lambda there: read_model(there).producer_name == _PRODUCER)
        refuse_unwritable(path)
    except (NotOurs, NotWritable) as error:
        raise ModelError(str(error)) from error


def write_atomically(content: bytes, path: Path) -> None:
    """Write a file through a temporary one beside it, which a failure takes away again.

    Raises:
        ModelError: naming the file, when its folder cannot be written or its disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise ModelError(
            f'File {path} cannot be written ({error.strerror or error}): make room, or choose a folder that is yours.'
        ) from error


def metadata_of(model: Any) -> dict[str, str]:
    """The file's own key-value texts."""
    return {entry.key: entry.value for entry in model.metadata_props}


def set_metadata(model: Any, metadata: Mapping[str, str]) -> None:
    """Replace all of the file's key-value texts."""
    del model.metadata_props[:]
    import_onnx().helper.set_model_props(model, dict(metadata))


def image_inputs(model: Any) -> list[Any]:
    """The graph's inputs that a caller fills; old files list their weights among the inputs too."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [entry for entry in model.graph.input if entry.name not in weights]


def name_nodes(model: Any) -> None:
    """Give every node a name of its own: exporters leave names empty or use one twice, and tools go by them."""
    seen: set[str] = set()
    for index, node in enumerate(model.graph.node):
        if not node.name.strip() or node.name in seen:
            node.name = unused_name(f'{node.op_type}_{index}', seen)
        seen.add(node.name)


def unused_name(wanted: str, taken: Iterable[str]) -> str:
    """`wanted`, or the first of `wanted_2`, `wanted_3`, ... that is free."""
    used = set(taken)
    name, count = wanted, 1
    while name in used:
        count += 1
        name = f'{wanted}_{count}'
    return name


def simplified(model: Any, description: InputDescription) -> Any:
    """The same network with a fixed input, known types and shapes, and constants folded.

    Rewriting needs to know the type of every tensor, and quantising their shapes; a graph that was exported with
    dynamic axes computes its shapes from the image's, which folds away once that is fixed. ONNX Runtime's basic
    optimisations are the ones that stay inside standard ONNX.

    Raises:
        ModelError: when ONNX Runtime cannot load it with that input.
    """
    onnx, runtime = import_onnx(), import_onnxruntime()
    fixed = copy.deepcopy(model)
    _fix_input(fixed, description)
    metadata = metadata_of(model)
    options = runtime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY + 1
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory(prefix='gremsy_onnx_') as scratch:
        plain, folded = Path(scratch) / 'plain.onnx', Path(scratch) / 'folded.onnx'
        options.optimized_model_filepath = str(folded)
        write_model(fixed, plain)
        try:
            runtime.InferenceSession(str(plain), options, providers=['CPUExecutionProvider'])
            result = onnx.shape_inference.infer_shapes(onnx.load(str(folded)))
        except Exception as error:  # their exceptions share no base class but this
            size = f'{description.width_px}x{description.height_px}'
            raise ModelError(
                f'Model of input {description.name} cannot be fixed to {size} pixels ({in_short(error)}): '
                'export it with a fixed size.'
            ) from error
    _drop_unused_domains(result)
    set_metadata(result, metadata)
    name_nodes(result)
    return result


def at_opset(model: Any, version: int) -> Any | None:
    """The same network in a later version of ONNX's operators; None where one of them has no later form.

    Args:
        model: an `onnx.ModelProto`; one that is as late already comes back.
        version: the least to have.
    """
    onnx = import_onnx()
    if opset_of(model) >= version:
        return model
    try:
        later = onnx.shape_inference.infer_shapes(onnx.version_converter.convert_version(model, version))
        onnx.checker.check_model(later)
    except Exception:  # noqa: BLE001 the converter raises whatever its adapters raise; the caller has another way
        return None
    set_metadata(later, metadata_of(model))
    return later


def with_types(model: Any) -> Any:
    """The model with the type and shape of every tensor noted that can be inferred."""
    return import_onnx().shape_inference.infer_shapes(model)


def opset_of(model: Any) -> int:
    """The version of ONNX's own operators that it is written in; 0 where it does not say."""
    return next((entry.version for entry in model.opset_import if entry.domain in STANDARD_DOMAINS), 0)


def types_of(model: Any) -> dict[str, int]:
    """Element type of every tensor whose type is known, by name."""
    graph = model.graph
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    for entry in (*graph.input, *graph.output, *graph.value_info):
        if entry.type.HasField('tensor_type') and entry.type.tensor_type.elem_type:
            types[entry.name] = entry.type.tensor_type.elem_type
    return types


def _import(name: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except ImportError as error:
        raise ModelError(
            f'Rewriting a model file needs the Python package {name}, which is not installed: '
            f'`./gremsy setup --extra precision`, or pip install {name}.'
        ) from error


def _fix_input(model: Any, description: InputDescription) -> None:
    (entry,) = image_inputs(model)
    dimensions = entry.type.tensor_type.shape.dim
    for dimension, size in zip(dimensions, description.shape, strict=True):
        dimension.dim_value = size
    for output in model.graph.output:
        for dimension in output.type.tensor_type.shape.dim:
            # What an open size becomes follows from the input's; a size that was stated stays.
            if not dimension.HasField('dim_value'):
                dimension.Clear()
    del model.graph.value_info[:]


def _drop_unused_domains(model: Any) -> None:
    """ONNX Runtime lists every domain that it knows; another reader may refuse those it does not."""
    used = {node.domain for node in model.graph.node} | {''}
    kept = [entry for entry in model.opset_import if entry.domain in used or entry.domain == 'ai.onnx']
    del model.opset_import[:]
    model.opset_import.extend(kept)
