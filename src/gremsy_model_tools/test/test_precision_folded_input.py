# SPDX-License-Identifier: Apache-2.0
"""A graph that takes the camera's bytes answers what the float graph answers, to the bit."""

import numpy as np
import pytest

from gremsy_common.types.frame import Frame, lock_read_only
from gremsy_detector.backends.onnxruntime_backend import BACKEND
from gremsy_detector.detector import Detector
from gremsy_detector.image.network_input import NetworkInput
from gremsy_detector.model.default_model import default_model_path
from gremsy_detector.model.model_description import describe_input

onnx = pytest.importorskip('onnx', reason='the development tools are not installed: run ./gremsy test')
pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed: run ./gremsy setup')

from gremsy_detector.model.onnx_facts import read_onnx_facts
from gremsy_model_tools.precision.folded_input import fold_input
from gremsy_model_tools.precision.onnx_file import metadata_of, read_model, write_model


def folded_file(path, tmp_path):
    graph = read_model(path)
    folded = fold_input(graph, describe_input(read_onnx_facts(path)))
    onnx.checker.check_model(folded)
    target = tmp_path / 'folded.onnx'
    write_model(folded, target)
    return target


def answer(path, image, encoding='bgr8'):
    """The network's raw answer to an image, fed as the node feeds it; and what the file says of its input."""
    backend = BACKEND(path)
    description = describe_input(backend.open())
    network_input = NetworkInput(description)
    network_input.fill(Frame(lock_read_only(image.copy()), 0, 'eo', encoding))
    found = np.array(backend.infer(network_input.tensor)[0])
    backend.close()
    return found, description


@pytest.mark.parametrize('number', [0, 300, 700])
def test_the_default_model_answers_alike_on_real_frames(tmp_path, footage_image, number):
    image = footage_image(number)
    wanted, _ = answer(default_model_path(), image)
    found, fed = answer(folded_file(default_model_path(), tmp_path), image)
    assert (fed.dtype, fed.shape, fed.bgr) == ('uint8', (1, 416, 416, 3), True)
    np.testing.assert_array_equal(found, wanted)
    assert wanted[0, 4:].max() > 0.3, 'the frame has nobody in it, so the comparison says little'


@pytest.mark.parametrize('encoding', ['bgr8', 'rgb8', 'mono8'])
def test_every_encoding_of_an_image_answers_alike(tmp_path, footage_image, encoding):
    image = footage_image(100)
    image = image[..., 0] if encoding == 'mono8' else image
    wanted, _ = answer(default_model_path(), image, encoding)
    found, _ = answer(folded_file(default_model_path(), tmp_path), image, encoding)
    np.testing.assert_array_equal(found, wanted)


@pytest.fixture
def write_layered(tmp_path):
    """A function that writes a network whose answer tells the channels and places of its input apart."""

    def write(kind, shape, metadata=None, *, listed_weights=False, batch=1):
        helper, kinds = onnx.helper, onnx.TensorProto
        random = np.random.default_rng(1)
        kernel = random.normal(size=(7, 3, 8, 8)).astype(np.float32)
        nodes = [helper.make_node('Cast', ['images'], ['real'], to=kinds.FLOAT)]
        source = 'real'
        if shape[-1] == 3:
            nodes.append(helper.make_node('Transpose', ['real'], ['planes'], perm=[0, 3, 1, 2]))
            source = 'planes'
        nodes += [
            helper.make_node('Conv', [source, 'kernel'], ['features'], strides=[8, 8]),
            helper.make_node('Reshape', ['features', 'flat'], ['output0']),
        ]
        weights = [
            onnx.numpy_helper.from_array(kernel, 'kernel'),
            onnx.numpy_helper.from_array(np.array([1, 7, -1], dtype=np.int64), 'flat'),
        ]
        inputs = [helper.make_tensor_value_info('images', getattr(kinds, kind), shape)]
        if listed_weights:
            inputs.insert(0, helper.make_tensor_value_info('kernel', kinds.FLOAT, kernel.shape))
        graph = helper.make_graph(
            nodes, 'layered', inputs, [helper.make_tensor_value_info('output0', kinds.FLOAT, [1, 7, None])], weights
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
        helper.set_model_props(model, {'names': "['a', 'b', 'c']", 'imgsz': '[64, 96]', **(metadata or {})})
        path = tmp_path / 'layered.onnx'
        path.write_bytes(model.SerializeToString())
        return path

    return write


@pytest.mark.parametrize(
    ('kind', 'shape', 'metadata'),
    [
        ('FLOAT', (1, 3, 64, 96), {}),
        ('FLOAT', (1, 3, 64, 96), {'channel_order': 'bgr'}),
        ('FLOAT', ('batch', 3, 'height', 'width'), {}),
        ('FLOAT16', (1, 3, 64, 96), {}),
        ('FLOAT', (1, 3, 64, 96), {'mean': '[90, 110.5, 130]', 'std': '[57.375, 57.12, 58.395]'}),
        ('FLOAT16', (1, 3, 64, 96), {'mean': '[90, 110.5, 130]', 'std': '[57, 57, 57]', 'channel_order': 'bgr'}),
        ('FLOAT', (1, 3, 64, 96), {'std': '[1, 1, 1]', 'resize': 'top_left'}),
        ('UINT8', (1, 3, 64, 96), {}),
        ('UINT8', (1, 64, 96, 3), {}),
    ],
)
def test_inputs_of_every_form_are_folded_and_answer_alike(write_layered, tmp_path, kind, shape, metadata):
    path = write_layered(kind, shape, {'description': 'mine', **metadata})
    image = np.random.default_rng(2).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    wanted, _ = answer(path, image)
    target = folded_file(path, tmp_path)
    found, fed = answer(target, image)
    assert (fed.dtype, fed.shape, fed.bgr, fed.width_px, fed.height_px) == ('uint8', (1, 64, 96, 3), True, 96, 64)
    # Sums of 192 products: the order of adding is the runtime's.
    np.testing.assert_allclose(found, wanted, atol=1e-5 * max(1.0, float(np.abs(wanted).max()) / 10))
    expected = {'names': "['a', 'b', 'c']", 'imgsz': '[64, 96]', 'description': 'mine', **metadata}
    assert metadata_of(read_model(target)) == {**expected, 'channel_order': 'bgr'}


def operators(graph):
    return [node.op_type for node in graph.node]


def test_bytes_go_into_a_cast_and_nowhere_else(tmp_path):
    """What TensorRT asks for: its parser refuses a Transpose or a Gather of uint8."""
    folded = read_model(folded_file(default_model_path(), tmp_path))
    assert operators(folded.graph)[:4] == ['Cast', 'Transpose', 'Gather', 'Div']


MOVES = {
    'Transpose': 'moved = Transpose <perm = [0, 3, 1, 2]> (images)',
    'Gather': 'order = Constant <value_ints = [2, 1, 0]> () moved = Gather <axis = 3> (images, order)',
    'Slice': """from = Constant <value_ints = [8]> () to = Constant <value_ints = [40]> ()
                axes = Constant <value_ints = [1]> () moved = Slice (images, from, to, axes)""",
    'two in a row': """planes = Transpose <perm = [0, 3, 1, 2]> (images)
                       moved = SpaceToDepth <blocksize = 2> (planes)""",
    'Concat with itself': """other = Identity (images) moved = Concat <axis = 1> (images, other)""",
    'Resize to the nearest': """scales = Constant <value_floats = [1.0, 0.5, 0.5, 1.0]> ()
                                moved = Resize <mode = "nearest"> (images, , scales)""",
    'Cast to bytes': 'same = Cast <to = 2> (images) moved = Transpose <perm = [0, 2, 1, 3]> (same)',
    'Pad with a constant byte': """widths = Constant <value_ints = [0, 8, 0, 0, 0, 8, 0, 0]> ()
                                   moved = Pad (images, widths, grey)""",
    'its size, and moved': """size = Shape (images) same = Reshape (images, size)
                              moved = Transpose <perm = [0, 3, 1, 2]> (same)""",
}


@pytest.fixture
def write_text(tmp_path):
    """A function that writes a network on bytes [1, 64, 112, 3], whose answer is `moved`, a tensor of its text."""

    def write(text, metadata=None):
        model = onnx.parser.parse_model(
            '<ir_version: 8, opset_import: ["" : 17]> '
            'moving (uint8[1, 64, 112, 3] images) => (float[1, 7, n] output0) <uint8 grey = {114}> {'
            f'{text} real = Cast <to = 1> (moved) rows = Constant <value_ints = [1, 7, -1]> ()'
            'output0 = Reshape (real, rows) }'
        )
        onnx.helper.set_model_props(model, {'names': "['a', 'b', 'c']", **(metadata or {})})
        path = tmp_path / 'moving.onnx'
        path.write_bytes(model.SerializeToString())
        return path

    return write


@pytest.mark.parametrize('channel_order', ['bgr', 'rgb'])
@pytest.mark.parametrize('text', MOVES.values(), ids=MOVES)
def test_a_model_that_moves_bytes_itself_moves_them_as_numbers(write_text, tmp_path, text, channel_order):
    path = write_text(text, {'channel_order': channel_order})
    image = np.random.default_rng(3).integers(0, 256, (64, 112, 3), dtype=np.uint8)
    wanted, _ = answer(path, image)
    target = folded_file(path, tmp_path)
    found, _ = answer(target, image)
    np.testing.assert_array_equal(found, wanted)
    graph = onnx.shape_inference.infer_shapes(read_model(target)).graph
    (entry,) = graph.input
    assert {node.op_type for node in graph.node if entry.name in node.input} == {'Cast'}
    kinds = {each.name: each.type.tensor_type.elem_type for each in graph.value_info}
    assert onnx.TensorProto.UINT8 not in kinds.values()


def test_what_computes_with_bytes_stays_and_answers_alike(write_text, tmp_path):
    """A linear Resize of bytes rounds: as float32 it would answer something else."""
    path = write_text(
        'planes = Transpose <perm = [0, 3, 1, 2]> (images) scales = Constant <value_floats = [1.0, 1.0, 0.5, 0.25]> ()'
        'moved = Resize <mode = "linear"> (planes, , scales)'
    )
    image = np.random.default_rng(3).integers(0, 256, (64, 112, 3), dtype=np.uint8)
    wanted, _ = answer(path, image)
    target = folded_file(path, tmp_path)
    found, _ = answer(target, image)
    np.testing.assert_array_equal(found, wanted)
    assert operators(read_model(target).graph).count('Resize') == 1


def test_a_model_that_casts_its_bytes_at_once_comes_back_as_it_is(write_text):
    path = write_text('moved = Cast <to = 1> (images)', {'channel_order': 'bgr'})
    graph = read_model(path)
    assert fold_input(graph, describe_input(read_onnx_facts(path))) == graph


def test_a_folded_model_comes_back_as_it_is(tmp_path):
    once = folded_file(default_model_path(), tmp_path)
    content = once.read_bytes()
    graph = read_model(once)
    assert fold_input(graph, describe_input(read_onnx_facts(once))).SerializeToString() == content


def test_weights_that_are_listed_as_inputs_stay_there(write_layered, tmp_path):
    path = write_layered('FLOAT', (1, 3, 64, 96), listed_weights=True)
    folded = read_model(folded_file(path, tmp_path))
    assert [entry.name for entry in folded.graph.input] == ['kernel', 'images_bgr8']


def test_the_original_graph_is_not_touched():
    graph = read_model(default_model_path())
    before = graph.SerializeToString()
    fold_input(graph, describe_input(read_onnx_facts(default_model_path())))
    assert graph.SerializeToString() == before


def test_the_detector_finds_the_same_people(tmp_path, footage_image):
    frame = Frame(lock_read_only(footage_image(60)), 5, 'eo')
    results = []
    for path in (default_model_path(), folded_file(default_model_path(), tmp_path)):
        detector = Detector(BACKEND(path))
        detector.open()
        results.append(detector.detect(frame).detections)
        detector.close()
    np.testing.assert_array_equal(results[0].boxes_px, results[1].boxes_px)
    assert 'person' in results[0].labels
