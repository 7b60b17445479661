# SPDX-License-Identifier: Apache-2.0
"""Conversion to float16: what becomes it, what does not, and that the answer stays."""

import numpy as np
import pytest

from gremsy_detector.model.default_model import default_model_path
from gremsy_detector.model.model_description import InputDescription, ResizeMode, describe_input

onnx = pytest.importorskip('onnx', reason='the development tools are not installed: run ./gremsy test')
onnxruntime = pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed: run ./gremsy setup')

from onnx import TensorProto, helper, numpy_helper

from gremsy_detector.model.onnx_facts import read_onnx_facts
from gremsy_model_tools.precision.decoding_tail import decoding_tail
from gremsy_model_tools.precision.graph_facts import precision_of
from gremsy_model_tools.precision.half import to_half
from gremsy_model_tools.precision.onnx_file import metadata_of, read_model, simplified


def input_of(shape):
    return InputDescription('images', shape[3], shape[2], 'float32', False, False, ResizeMode.LETTERBOX)


def model_of(nodes, constants, *, shape=(1, 3, 8, 8), output='output0', opset=17):
    """A simplified model; every constant is an array by its name."""
    graph = helper.make_graph(
        nodes,
        'small',
        [helper.make_tensor_value_info('images', TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', opset)], ir_version=8)
    return simplified(model, input_of(shape))


def run(model, tensor):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
    return session.run(None, {session.get_inputs()[0].name: tensor})[0]


def conv_weights(seed=0, out=4, channels=3):
    return np.random.default_rng(seed).normal(size=(out, channels, 3, 3)).astype(np.float32)


def kinds_of(model):
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    return {entry.name: entry.type.tensor_type.elem_type for entry in inferred.graph.value_info}


IMAGE = np.random.default_rng(3).random((1, 3, 8, 8), dtype=np.float32)
CONV = helper.make_node('Conv', ['images', 'w0'], ['a'], pads=[1, 1, 1, 1])
LAST = helper.make_node('Conv', ['b', 'w1'], ['output0'], pads=[1, 1, 1, 1])
WEIGHTS = {'w0': conv_weights(), 'w1': conv_weights(1, 4, 4)}


def test_the_default_model_computes_in_half_and_answers_alike():
    path = default_model_path()
    graph = read_model(path)
    description = describe_input(read_onnx_facts(path))
    half = to_half(simplified(graph, description))
    onnx.checker.check_model(half, full_check=True)
    assert (precision_of(graph), precision_of(half)) == ('fp32', 'fp16')
    assert metadata_of(half) == metadata_of(graph)
    tensor = np.random.default_rng(1).random(description.shape, dtype=np.float32)
    wanted, found = run(graph, tensor), run(half, tensor)
    assert found.dtype == np.float32
    # Measured .4 px and .0006 on a real frame.
    np.testing.assert_allclose(found[0, :4], wanted[0, :4], atol=2.0)
    np.testing.assert_allclose(found[0, 4:], wanted[0, 4:], atol=0.01)


def test_the_default_models_boxes_are_put_together_in_float32():
    path = default_model_path()
    graph = read_model(path)
    plain = simplified(graph, describe_input(read_onnx_facts(path)))
    tail = [node for node in plain.graph.node if node.name in decoding_tail(plain)]
    assert {'Softmax', 'MatMul', 'Sub'} <= {node.op_type for node in tail}
    assert not any(node.op_type in ('Conv', 'LeakyRelu') for node in tail)
    kinds = kinds_of(to_half(plain))
    made = [name for node in tail for name in node.output if name in kinds]
    assert len(made) > 10
    assert {kinds[name] for name in made} <= {TensorProto.FLOAT}


def test_distribution_focal_loss_belongs_to_the_tail():
    nodes = [
        helper.make_node('Conv', ['images', 'w0'], ['a'], pads=[1, 1, 1, 1], name='layer'),
        helper.make_node('Softmax', ['a'], ['b'], axis=1, name='soft'),
        helper.make_node('Conv', ['b', 'dfl'], ['output0'], name='mean'),
    ]
    model = model_of(nodes, {'w0': conv_weights(), 'dfl': np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1)})
    assert decoding_tail(model) == {'soft', 'mean'}


def test_an_epsilon_that_half_would_round_to_zero_keeps_its_operator_in_float32():
    nodes = [CONV, helper.make_node('Add', ['a', 'epsilon'], ['b'], name='add'), LAST]
    half = to_half(model_of(nodes, {**WEIGHTS, 'epsilon': np.float32(1e-9)}))
    add = next(node for node in half.graph.node if node.op_type == 'Add')
    assert list(add.input) == ['a', 'epsilon']
    assert kinds_of(half)['b'] == TensorProto.FLOAT


def test_a_constant_beyond_the_range_of_half_keeps_its_operator_in_float32():
    nodes = [CONV, helper.make_node('Mul', ['a', 'large'], ['b']), LAST]
    half = to_half(model_of(nodes, {**WEIGHTS, 'large': np.array([1e6, 1, 1, 1], np.float32).reshape(4, 1, 1)}))
    onnx.checker.check_model(half, full_check=True)
    assert kinds_of(half)['b'] == TensorProto.FLOAT
    assert np.isfinite(run(half, IMAGE)).all()


def test_an_input_that_knows_no_half_stays_float32():
    """Resize's scales are float32 by definition, whatever it resizes."""
    nodes = [CONV, helper.make_node('Resize', ['a', '', 'scales'], ['b'], mode='nearest'), LAST]
    model = model_of(nodes, {**WEIGHTS, 'scales': np.array([1, 1, 2, 2], np.float32)})
    half = to_half(model)
    onnx.checker.check_model(half, full_check=True)
    resize = next(node for node in half.graph.node if node.op_type == 'Resize')
    assert resize.input[0] == 'a_fp16'
    assert resize.input[2] == 'scales'
    np.testing.assert_allclose(run(half, IMAGE), run(model, IMAGE), atol=0.2)


def test_a_cast_to_float32_between_layers_becomes_one_to_half():
    nodes = [
        CONV,
        helper.make_node('Cast', ['a'], ['whole'], to=TensorProto.INT32),
        helper.make_node('Cast', ['whole'], ['b'], to=TensorProto.FLOAT),
        LAST,
    ]
    model = model_of(nodes, WEIGHTS)
    half = to_half(model)
    onnx.checker.check_model(half, full_check=True)
    assert kinds_of(half)['b_fp16'] == TensorProto.FLOAT16
    np.testing.assert_allclose(run(half, IMAGE), run(model, IMAGE), atol=0.5)


def test_a_graph_inside_a_node_is_left_alone_and_finds_what_it_reads():
    """The branches of an If read a tensor of the graph around them by its name."""

    def branch(name, operator):
        return helper.make_graph(
            [helper.make_node(operator, ['a'], [name])],
            name,
            [],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)],
        )

    nodes = [
        CONV,
        helper.make_node('ReduceMax', ['a'], ['top'], keepdims=0),
        helper.make_node('Greater', ['top', 'zero'], ['asked']),
        helper.make_node('If', ['asked'], ['b'], then_branch=branch('yes', 'Relu'), else_branch=branch('no', 'Neg')),
        LAST,
    ]
    model = model_of(nodes, {**WEIGHTS, 'zero': np.float32(0)})
    half = to_half(model)
    onnx.checker.check_model(half)
    np.testing.assert_allclose(run(half, IMAGE), run(model, IMAGE), atol=0.2)
    assert precision_of(half) == 'fp16'
