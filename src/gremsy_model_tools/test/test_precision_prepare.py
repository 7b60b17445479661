# SPDX-License-Identifier: Apache-2.0
"""What a tired or hostile user gives `prepare_model` and `quantize`: one sentence each, and nothing half-written."""

import errno
import os

import cv2
import numpy as np
import pytest

from gremsy_common.errors import SuiteError
from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_detector.backends.onnxruntime_backend import BACKEND
from gremsy_detector.detector import Detector
from gremsy_detector.errors import ModelError
from gremsy_detector.model.default_model import default_model_path
from gremsy_model_tools import quantize

onnx = pytest.importorskip('onnx', reason='the development tools are not installed: run ./gremsy test')
pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed: run ./gremsy setup')

from onnx import TensorProto, helper, numpy_helper

from gremsy_common import atomic_file
from gremsy_model_tools.precision import onnx_file
from gremsy_model_tools.precision.graph_facts import precision_of
from gremsy_model_tools.precision.onnx_file import read_model
from gremsy_model_tools.precision.prepare import prepare_model
from gremsy_model_tools.precision.quantization import quantize as quantize_graph
from src.gremsy_detector.test import model_heads as heads
from src.gremsy_detector.test.test_foreign_models import detect, photo

MODEL = default_model_path()


@pytest.fixture
def frames(tmp_path):
    """A folder of twelve images of noise."""
    folder = tmp_path / 'frames'
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(12):
        cv2.imwrite(str(folder / f'{number}.png'), random.integers(0, 256, (48, 64, 3), np.uint8))
    return folder


@pytest.fixture
def network(tmp_path):
    """A function that writes a small network of two layers, [1, 7, 64] of three classes."""

    def write(name='net.onnx', *, shape=(1, 3, 64, 64), opset=17, factor=1.0, metadata=None, kind=TensorProto.FLOAT):
        random = np.random.default_rng(1)
        kernels = [random.normal(size=size).astype(np.float32) * 0.1 for size in ((8, 3, 8, 8), (7, 8, 1, 1))]
        nodes = [
            helper.make_node('Cast', ['images'], ['real'], to=TensorProto.FLOAT),
            helper.make_node('Conv', ['real', 'k0'], ['a'], strides=[8, 8]),
            helper.make_node('Mul', ['a', 'factor'], ['b']),
            helper.make_node('Conv', ['b', 'k1'], ['c']),
            helper.make_node('Sigmoid', ['c'], ['d']),
            helper.make_node('Reshape', ['d', 'flat'], ['output0']),
        ]
        constants = {
            'k0': kernels[0],
            'k1': kernels[1],
            'factor': np.float32(factor),
            'flat': np.array([1, 7, -1], dtype=np.int64),
        }
        graph = helper.make_graph(
            nodes,
            'net',
            [helper.make_tensor_value_info('images', kind, shape)],
            [helper.make_tensor_value_info('output0', TensorProto.FLOAT, [1, 7, None])],
            [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', opset)], ir_version=8)
        helper.set_model_props(
            model, {'names': "['a', 'b', 'c']", 'imgsz': '[64, 64]'} if metadata is None else metadata
        )
        path = tmp_path / name
        path.write_bytes(model.SerializeToString())
        return path

    return write


def refusal(model, precision, out, error=SuiteError, **options):
    with pytest.raises(error) as refused:
        prepare_model(model, precision, out, **options)
    assert not out.exists() or not list(out.iterdir())
    return str(refused.value)


def opened(path):
    detector = Detector(BACKEND(path))
    model = detector.open()
    detector.close()
    return model


def test_an_unknown_precision_is_refused_with_those_there_are(tmp_path):
    assert refusal(MODEL, 'int4', tmp_path / 'out', ParameterError) == (
        "Precision 'int4' is not known: use one of model, fp32, fp16, int8."
    )


def test_int8_without_frames_says_where_they_come_from(tmp_path):
    assert refusal(MODEL, 'int8', tmp_path / 'out', ParameterError) == (
        'Precision int8 takes real frames to calibrate on: give --calibration a folder of images or a video, '
        'for example what `ros2 run gremsy_model_tools capture_frames` stored.'
    )


@pytest.mark.parametrize('precision', ['model', 'fp32'])
def test_its_own_precision_only_folds_the_input(tmp_path, precision):
    prepared = prepare_model(MODEL, precision, tmp_path / 'out')
    assert (prepared.precision, prepared.agreement) == ('fp32', None)
    assert prepared.path == tmp_path / 'out' / 'nanodet_g_416.bgr8.onnx'
    assert prepared.sentence == 'nanodet_g_416.onnx runs in fp32 and takes images as they come.'
    assert opened(prepared.path).input.channels_last


def test_nothing_to_do_writes_nothing(tmp_path):
    prepared = prepare_model(MODEL, 'model', tmp_path / 'out', fold_input=False)
    assert (prepared.path, prepared.sentence) == (MODEL, 'nanodet_g_416.onnx runs in fp32, as it is.')
    assert not (tmp_path / 'out').exists()


def test_fp16_without_folding_keeps_the_float_input(tmp_path):
    prepared = prepare_model(MODEL, 'fp16', tmp_path, fold_input=False)
    assert (prepared.precision, prepared.path.name) == ('fp16', 'nanodet_g_416.fp16.onnx')
    assert prepared.sentence == 'nanodet_g_416.onnx: runs in fp16.'
    assert opened(prepared.path).input.dtype == 'float32'


def test_a_folded_model_stays_as_it_is(tmp_path):
    folded = prepare_model(MODEL, 'model', tmp_path).path
    assert prepare_model(folded, 'fp32', tmp_path / 'again').path == folded


def test_a_folded_model_becomes_fp16_too(tmp_path):
    folded = prepare_model(MODEL, 'model', tmp_path).path
    prepared = prepare_model(folded, 'fp16', tmp_path)
    assert precision_of(read_model(prepared.path)) == 'fp16'
    assert opened(prepared.path).input.dtype == 'uint8'


@pytest.mark.parametrize('wanted', ['fp32', 'int8'])
def test_a_model_that_is_fp16_already_is_no_source_for_another(tmp_path, frames, wanted):
    half = prepare_model(MODEL, 'fp16', tmp_path).path
    assert prepare_model(half, 'fp16', tmp_path).path == half
    assert refusal(half, wanted, tmp_path / 'out', calibration=frames) == (
        f'Model file {half} computes in fp16 already and cannot become {wanted}: use precision `model`, or give the '
        'float32 file it was made from.'
    )


def test_dynamic_axes_take_the_metadatas_size(tmp_path, network):
    path = network(shape=('batch', 3, 'height', 'width'))
    prepared = prepare_model(path, 'fp16', tmp_path / 'out')
    assert opened(prepared.path).input.shape == (1, 64, 64, 3)
    # The output's size follows, so that the runtime can keep one buffer for it.
    (output,) = read_model(prepared.path).graph.output
    assert [size.dim_value for size in output.type.tensor_type.shape.dim] == [1, 7, 64]


@pytest.mark.parametrize('kind', [TensorProto.UINT8, TensorProto.FLOAT16])
def test_other_input_types_are_prepared_too(tmp_path, network, kind):
    prepared = prepare_model(network(kind=kind), 'fp16', tmp_path / 'out')
    assert opened(prepared.path).input.dtype == 'uint8'


def test_a_model_without_metadata_is_prepared_too(tmp_path, network):
    prepared = prepare_model(network(metadata={}), 'fp16', tmp_path / 'out')
    assert opened(prepared.path).class_names == ('class0', 'class1', 'class2')


def test_a_model_that_answers_nan_is_refused(tmp_path, network):
    path = network(factor=float('nan'))
    assert refusal(path, 'fp16', tmp_path / 'out') == (
        f'Model file {path} answers NaN or infinity on an ordinary image, so there is nothing to keep to: '
        'export it again.'
    )


def test_a_layer_whose_results_half_cannot_hold_stays_float32(tmp_path, network):
    """Some 3 000 000 between two layers; ONNX Runtime's CPU would hide it, a GPU would answer NaN."""
    path = network(factor=60_000.0)
    model = onnx.load(str(path))
    first = next(tensor for tensor in model.graph.initializer if tensor.name == 'k0')
    first.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(first) * np.float32(100), 'k0'))
    path.write_bytes(model.SerializeToString())
    prepared = prepare_model(path, 'fp16', tmp_path / 'out', fold_input=False)
    inferred = onnx.shape_inference.infer_shapes(read_model(prepared.path))
    kinds = {entry.name: entry.type.tensor_type.elem_type for entry in inferred.graph.value_info}
    assert TensorProto.FLOAT16 not in {kinds.get(name) for name in ('b', 'b_fp16')}
    assert prepared.precision == 'fp16'


def test_a_truncated_model_is_refused(tmp_path):
    path = tmp_path / 'half.onnx'
    path.write_bytes(MODEL.read_bytes()[:3_000_000])
    sentence = refusal(path, 'fp16', tmp_path / 'out')
    assert sentence.startswith(f'Model file {path} is truncated or corrupt: it has 3000000 bytes')
    assert sentence.endswith('are missing, so copy or export it again.')


def test_a_truncated_model_is_refused_where_there_is_no_onnx_runtime(tmp_path):
    path = tmp_path / 'half.onnx'
    path.write_bytes(MODEL.read_bytes()[:3_000_000])
    with pytest.raises(SuiteError, match='cannot be read as ONNX') as refused:
        read_model(path)
    assert str(refused.value).startswith(f'Model file {path} cannot be read as ONNX (')


def with_weights_outside(path, location):
    """Move the first kernel's bytes to another file."""
    model = onnx.load(str(path))
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == 'k0')
    content = numpy_helper.to_array(tensor).tobytes()
    tensor.ClearField('raw_data')
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (('location', location), ('offset', '0'), ('length', str(len(content)))):
        tensor.external_data.add(key=key, value=value)
    path.write_bytes(model.SerializeToString())
    return content


def test_weights_in_a_file_beside_the_model_come_into_the_new_one(tmp_path, network):
    path = network()
    (tmp_path / 'weights.bin').write_bytes(with_weights_outside(path, 'weights.bin'))
    prepared = prepare_model(path, 'fp16', tmp_path / 'out')
    (tmp_path / 'weights.bin').unlink()
    assert opened(prepared.path).box_count == 64


@pytest.mark.parametrize('location', ['missing.bin', '../outside.bin', '/etc/passwd'])
def test_weights_that_are_missing_or_outside_the_folder_are_refused(tmp_path, network, location):
    folder = tmp_path / 'inner'
    folder.mkdir()
    path = network('inner/net.onnx')
    (tmp_path / 'outside.bin').write_bytes(with_weights_outside(path, location))
    sentence = refusal(path, 'model', tmp_path / 'out')
    assert sentence.startswith(f'Model file {path} ')
    assert sentence.endswith('.') and '\n' not in sentence
    with pytest.raises(SuiteError, match='weights in a file that is missing or outside its folder'):
        read_model(path)


def test_an_old_opset_is_brought_up_for_int8(tmp_path, network, frames):
    prepared = prepare_model(network(opset=11), 'int8', tmp_path / 'out', calibration=frames, limit=0.0)
    assert prepared.precision in ('int8', 'fp16')


def test_an_opset_too_old_for_int8_is_named(network):
    with pytest.raises(SuiteError) as refused:
        quantize_graph(read_model(network(opset=11)), iter(()), 'net.onnx')
    assert str(refused.value) == (
        'Model file net.onnx is of ONNX opset 11, which has no scales per channel: export it with opset 13 or later.'
    )


@pytest.mark.parametrize(
    ('make', 'sentence'),
    [
        (lambda path: None, 'There is no {path}: give a folder of images, or a video file.'),
        (
            lambda path: path.mkdir(),
            'Folder {path} has no images: put some there (.bmp, .jpeg, .jpg, .png, .tif, .tiff, .webp).',
        ),
        (
            lambda path: path.write_bytes(b'no video'),
            '{path} is not a video that OpenCV can open: give a folder of images, or an MP4 or AVI.',
        ),
    ],
)
def test_a_source_without_frames_is_named(tmp_path, make, sentence):
    path = tmp_path / 'source'
    make(path)
    assert refusal(MODEL, 'int8', tmp_path / 'out', calibration=path) == sentence.format(path=path)
    assert refusal(MODEL, 'fp16', tmp_path / 'out', check=path) == sentence.format(path=path)


def write_video(path, count):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, (64, 48))
    for number in range(count):
        writer.write(np.full((48, 64, 3), 10 * number % 255, np.uint8))
    writer.release()
    return path


def test_a_video_of_one_frame_is_too_few(tmp_path):
    path = write_video(tmp_path / 'one.avi', 1)
    assert refusal(MODEL, 'int8', tmp_path / 'out', calibration=path) == (
        f'{path} has 1 frame, too few to calibrate on: give at least 10 that differ.'
    )


def test_images_that_cannot_be_read_are_said_and_left_out(tmp_path, network, frames):
    spoiled = frames / '3.png'
    spoiled.write_bytes(b'\x89PNG broken')
    (frames / '4.png').write_bytes(b'')
    said = []
    prepared = prepare_model(network(), 'int8', tmp_path / 'out', calibration=frames, say=said.append)
    assert prepared.precision in ('fp16', 'int8')
    assert f'Image {spoiled} cannot be read and is left out: remove it, or copy it again.' in said
    assert f'Image {frames / "4.png"} cannot be read and is left out: remove it, or copy it again.' in said


def test_a_folder_of_nothing_but_broken_images_is_refused(tmp_path, frames):
    for file in frames.iterdir():
        file.write_bytes(b'broken')
    assert refusal(MODEL, 'int8', tmp_path / 'out', calibration=frames) == (
        f'None of the images looked at in folder {frames} can be read: copy them again.'
    )


def test_a_full_disk_leaves_the_old_file_and_nothing_half_written(tmp_path, monkeypatch):
    out = tmp_path / 'out'
    old = prepare_model(MODEL, 'model', out).path
    content = old.read_bytes()

    def full(_handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic_file.os, 'fsync', full)
    with pytest.raises(SuiteError) as refused:
        prepare_model(MODEL, 'model', out)
    assert str(refused.value) == (
        f'File {old} cannot be written (No space left on device): make room, or choose a folder that is yours.'
    )
    assert [(file.name, file.read_bytes()) for file in out.iterdir()] == [(old.name, content)]


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / 'out').write_bytes(b'')
    with pytest.raises(SuiteError, match='cannot be written') as refused:
        prepare_model(MODEL, 'model', tmp_path / 'out')
    assert str(refused.value) == (
        f"'{tmp_path}/out/nanodet_g_416.bgr8.onnx' cannot be written, because '{tmp_path}/out' is no folder that you "
        'may write to: name another file.'
    )


def test_without_onnx_the_sentence_says_how_to_get_it(tmp_path, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(onnx_file.importlib, 'import_module', missing)
    with pytest.raises(SuiteError) as refused:
        read_model(MODEL)
    assert str(refused.value) == (
        'Rewriting a model file needs the Python package onnx, which is not installed: '
        '`./gremsy setup --extra precision`, or pip install onnx.'
    )


def test_the_command_writes_the_file_and_prints_where(tmp_path, capsys):
    assert quantize.main(['--precision', 'fp16', '--out', str(tmp_path)]) == 0
    assert capsys.readouterr().out == (
        f'nanodet_g_416.onnx: runs in fp16.\n{tmp_path / "nanodet_g_416.fp16.bgr8.onnx"}\n'
    )


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        (['--limit', '7'], 'Option --limit is 7: give a number from 0 to 1.'),
        (['--limit', 'nan'], 'Option --limit is nan: give a number from 0 to 1.'),
        (
            ['/no/such.onnx', '--precision', 'fp16'],
            "Model file /no/such.onnx does not exist: set `model` to an existing file, or to 'default' for the one "
            'shipped.',
        ),
    ],
)
def test_the_command_refuses_in_one_sentence(capsys, arguments, sentence):
    assert quantize.main(arguments) == 1
    assert capsys.readouterr().err == f'{sentence}\n'


@pytest.mark.parametrize(('precision', 'name'), [('fp16', 'nanodet_g_416.fp16.bgr8'), ('fp32', 'nanodet_g_416.bgr8')])
@pytest.mark.parametrize('kind', ['model', 'text', 'link'])
def test_a_file_of_the_users_own_is_neither_replaced_nor_removed(tmp_path, precision, name, kind):
    path, target = tmp_path / 'out' / f'{name}.onnx', tmp_path / 'mine.onnx'
    path.parent.mkdir()
    target.write_bytes(MODEL.read_bytes() if kind == 'model' else b'mine')
    path.symlink_to(target) if kind == 'link' else path.write_bytes(target.read_bytes())
    before = path.read_bytes()
    with pytest.raises(SuiteError) as refused:
        prepare_model(MODEL, precision, tmp_path / 'out')
    assert str(refused.value) == (
        f"'{path}' exists, and is not a model that this tool made: move it away, or name another file."
    )
    assert path.read_bytes() == before and path.is_symlink() == (kind == 'link')


def test_a_file_that_was_made_here_is_replaced(tmp_path):
    first = prepare_model(MODEL, 'fp16', tmp_path / 'out').path
    assert prepare_model(MODEL, 'fp16', tmp_path / 'out').path == first


@pytest.mark.parametrize('write', [heads.write_yolox, heads.write_nanodet_plus])
def test_a_head_told_by_its_values_is_prepared_as_it_is_fed(tmp_path, make_frame, write):
    """What is folded into the graph is what the node would have done, though the file says nothing of it."""
    path = write(tmp_path / 'm.onnx')
    image = photo(640, 480)
    plain, before = detect(path, image, make_frame, 0.4, iou=0.5)
    folded = prepare_model(path, 'model', tmp_path / 'out', fold_input=True).path
    model, after = detect(folded, image, make_frame, 0.4, iou=0.5)
    assert (model.input.dtype, model.layout) == ('uint8', plain.layout)
    assert len(before.scores) > 5
    np.testing.assert_allclose(after.boxes_px, before.boxes_px, atol=1e-3)
    np.testing.assert_allclose(after.scores, before.scores, atol=1e-5)


def test_a_model_with_a_second_input_is_not_prepared_but_told(tmp_path):
    path = heads.write_dfine(tmp_path / 'dfine.onnx')
    with pytest.raises(ModelError) as refused:
        prepare_model(path, 'fp16', tmp_path / 'out')
    assert str(refused.value) == (
        f'Model file {path} has the inputs images float32 [1, 3, 256, 320]; orig_target_sizes int64 [N, 2]: one '
        'input is supported, [1, 3, height, width] float32, float16 or uint8, or [1, height, width, 3] uint8.'
    )
