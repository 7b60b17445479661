# SPDX-License-Identifier: Apache-2.0
"""Small networks with the heads of real exports, operator by operator, for what reads or builds ONNX files.

Made after what Ultralytics 8.4.190 exports (opset 18, not simplified): the decoding is theirs, anchors and strides as
constants and the halves of the boxes found by `Shape`; the backbone before it is small, with random weights. The test
of all real exports (`--all`) says if one of them has an operator that its small form lacks.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CLASSES = 3
IMAGE_PX = 64
STRIDES = (8, 16, 32)
NAMES = "{0: 'person', 1: 'car', 2: 'dog'}"
_REG_MAX = 16
_TOP = 20
_DETR_CHANNELS = 32
_HEADS = 4
_POINTS = 2


class Network:
    """Nodes and weights as they are added; an operator's name is a tensor's."""

    def __init__(self, seed=0):
        self.nodes = []
        self.weights = []
        self._random = np.random.default_rng(seed)

    def op(self, operator, *inputs, outputs=1, **attributes):
        names = [f'{operator.lower()}_{len(self.nodes)}_{index}' for index in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, names, name=f'node_{len(self.nodes)}', **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, values, dtype=np.int64):
        array = np.asarray(values, dtype=dtype)
        return self.op('Constant', value=numpy_helper.from_array(array))

    def reals(self, values):
        return self.constant(values, np.float32)

    def weight(self, *shape, scale=1.0, shift=0.0):
        name = f'weight_{len(self.weights)}'
        values = self._random.normal(scale=scale, size=shape) + shift
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def conv(self, source, channels, result, *, size=1, stride=1, act='silu', group=1, scale=1.0, shift=0.0, pads=None):
        fan_in = channels // group * size * size
        kernel = self.weight(result, channels // group, size, size, scale=scale / fan_in**0.5)
        found = self.op(
            'Conv',
            source,
            kernel,
            self.weight(result, scale=0.1, shift=shift),
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=[size // 2] * 4 if pads is None else pads,
            group=group,
        )
        if act == 'silu':
            return self.op('Mul', found, self.op('Sigmoid', found))
        return self.op('Relu', found) if act == 'relu' else found

    def linear(self, source, channels, result, *, shift=0.0):
        found = self.op('MatMul', source, self.weight(channels, result, scale=channels**-0.5))
        return self.op('Add', self.weight(result, scale=0.1, shift=shift), found)

    def norm(self, source, channels):
        scale, bias = self.weight(channels, scale=0.1, shift=1.0), self.weight(channels, scale=0.1)
        return self.op('LayerNormalization', source, scale, bias, axis=-1, epsilon=1e-5)

    def model(self, outputs, metadata, *, opset=18, size=(1, 3, IMAGE_PX, IMAGE_PX)):
        graph = helper.make_graph(
            [*self.nodes, *(helper.make_node('Identity', [source], [name]) for name, source, _ in outputs)],
            'small',
            [helper.make_tensor_value_info('images', TensorProto.FLOAT, size)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, _, shape in outputs],
            self.weights,
        )
        made = helper.make_model(
            graph, opset_imports=[helper.make_opsetid('', opset)], ir_version=8 if opset < 20 else 10
        )
        imgsz = f'[{IMAGE_PX}, {IMAGE_PX}]'
        helper.set_model_props(made, {'names': NAMES, 'imgsz': imgsz, 'stride': '32', 'task': 'detect', **metadata})
        onnx.checker.check_model(made)
        return made


def anchors_of(image_px=IMAGE_PX):
    """Centres in cells (2, N) and strides (N,) of every level."""
    centres, strides = [], []
    for stride in STRIDES:
        across = np.arange(image_px // stride) + 0.5
        rows, columns = np.meshgrid(across, across, indexing='ij')
        centres.append(np.stack([columns.ravel(), rows.ravel()]))
        strides.append(np.full(columns.size, float(stride)))
    return np.concatenate(centres, axis=1), np.concatenate(strides)


def _features(net, *, attention):
    """Three levels of features: strided convolutions, C2f, SPPF, attention where asked, and a top-down path."""
    found = net.conv('images', 3, 8, size=3, stride=2)
    found = net.conv(found, 8, 16, size=3, stride=2)
    third = _c2f(net, net.conv(found, 16, 16, size=3, stride=2), 16)
    fourth = _c2f(net, net.conv(third, 16, 32, size=3, stride=2), 32)
    fifth = net.conv(fourth, 32, 32, size=3, stride=2)
    pooled = [net.conv(fifth, 32, 16)]
    for _ in range(3):
        pooled.append(net.op('MaxPool', pooled[-1], kernel_shape=[5, 5], pads=[2, 2, 2, 2], strides=[1, 1]))
    fifth = net.conv(net.op('Concat', *pooled, axis=1), 64, 32)
    if attention:
        fifth = _attention(net, fifth, 32)
    larger = net.op('Resize', fifth, '', net.reals([1, 1, 2, 2]), mode='nearest', nearest_mode='floor',
                    coordinate_transformation_mode='asymmetric')  # fmt: skip
    fourth = net.conv(net.op('Concat', larger, fourth, axis=1), 64, 32)
    return [(third, 16), (fourth, 32), (fifth, 32)]


def _c2f(net, source, channels):
    halves = net.op('Split', net.conv(source, channels, channels), net.constant([channels // 2] * 2), outputs=2, axis=1)
    inner = net.conv(halves[1], channels // 2, channels // 2, size=3)
    joined = net.op('Concat', *halves, net.op('Add', halves[1], inner), axis=1)
    return net.conv(joined, channels * 3 // 2, channels)


def _attention(net, source, channels):
    """C2PSA's block (YOLO 10, 11, 26): heads by Reshape and Split, two matrix products, a depth-wise position term."""
    side = IMAGE_PX // STRIDES[-1]
    key = channels // 4
    mixed = net.conv(source, channels, channels * 2, act='')
    heads = net.op('Reshape', mixed, net.constant([1, 2, channels, side * side]))
    query, keys, values = net.op('Split', heads, net.constant([key, key, channels // 2]), outputs=3, axis=2)
    scores = net.op('MatMul', net.op('Transpose', query, perm=[0, 1, 3, 2]), keys)
    weights = net.op('Softmax', net.op('Mul', scores, net.reals(key**-0.5)), axis=-1)
    shape = net.constant([1, channels, side, side])
    attended = net.op('MatMul', values, net.op('Transpose', weights, perm=[0, 1, 3, 2]))
    place = net.conv(net.op('Reshape', values, shape), channels, channels, size=3, act='', group=channels)
    found = net.op('Add', net.op('Reshape', attended, shape), place)
    return net.op('Add', source, net.conv(found, channels, channels, act=''))


def _dense(net, *, attention=False, dfl=True, corners=False):
    """Boxes (1, 4, N) in pixels and scores (1, classes, N)."""
    sides = 4 * _REG_MAX if dfl else 4
    distances, classes = [], []
    for source, channels in _features(net, attention=attention):
        box = net.conv(net.conv(source, channels, 16, size=3), 16, sides, act='', shift=0.0 if dfl else 1.0)
        score = net.conv(net.conv(source, channels, 16, size=3), 16, CLASSES, act='', scale=2.0)
        distances.append(net.op('Reshape', box, net.constant([1, sides, -1])))
        classes.append(net.op('Reshape', score, net.constant([1, CLASSES, -1])))
    found = net.op('Concat', *distances, axis=-1)
    scores = net.op('Concat', *classes, axis=-1)
    centres, strides = anchors_of()
    if dfl:
        split = net.op('Reshape', found, net.constant([1, 4, _REG_MAX, len(strides)]))
        shares = net.op('Softmax', net.op('Transpose', split, perm=[0, 2, 1, 3]), axis=1)
        net.weights.append(
            numpy_helper.from_array(np.arange(_REG_MAX, dtype=np.float32).reshape(1, -1, 1, 1), 'dfl.weight')
        )
        mean = net.op('Conv', shares, 'dfl.weight', kernel_shape=[1, 1])
        found = net.op('Reshape', mean, net.constant([1, 4, len(strides)]))
    axis = net.constant([1])
    sizes = net.op('Gather', net.op('Shape', found), axis, axis=0)
    half = net.op('Div', net.op('Add', sizes, net.constant([1])), net.constant([2]))
    first = net.op('Mul', half, net.constant([1]))
    second = net.op('Mul', half, net.constant([2]))
    before = net.op('Slice', found, net.constant([0]), first, axis)
    after = net.op('Slice', found, first, second, axis)
    least = net.op('Sub', net.reals(centres[None]), before)
    most = net.op('Add', net.reals(centres[None]), after)
    if corners:
        boxes = net.op('Concat', least, most, axis=1)
    else:
        centre = net.op('Div', net.op('Add', least, most), net.reals(2))
        boxes = net.op('Concat', centre, net.op('Sub', most, least), axis=1)
    return net.op('Mul', boxes, net.reals(strides[None])), net.op('Sigmoid', scores)


def _top(net, rows):
    """The end-to-end head of YOLO 10 and 26: the best anchors, then the best of their classes."""
    boxes, scores = net.op('Split', rows, net.constant([4, CLASSES]), outputs=2, axis=-1)
    _, best = net.op('TopK', net.op('ReduceMax', scores, net.constant([-1]), keepdims=0), net.constant([_TOP]),
                     outputs=2, axis=1)  # fmt: skip
    chosen = net.op('GatherElements', scores, _as_columns(net, best, CLASSES), axis=1)
    values, places = net.op('TopK', net.op('Flatten', chosen, axis=1), net.constant([_TOP]), outputs=2, axis=1)
    label = net.op('Unsqueeze', net.op('Mod', places, net.constant(CLASSES)), net.constant([-1]))
    row = net.op('Cast', net.op('Div', places, net.constant(CLASSES)), to=TensorProto.INT64)
    anchor = net.op('GatherElements', best, row, axis=1)
    corners = net.op('GatherElements', boxes, _as_columns(net, anchor, 4), axis=1)
    score = net.op('Unsqueeze', values, net.constant([-1]))
    return net.op('Concat', corners, score, net.op('Cast', label, to=TensorProto.FLOAT), axis=-1)


def _as_columns(net, rows, count):
    """Each index `count` times, as PyTorch exports `repeat` and `expand`: -1 means the size that is there."""
    ones = net.op('ConstantOfShape', net.constant([3]), value=numpy_helper.from_array(np.array([1], dtype=np.int64)))
    wanted = net.constant([-1, -1, count])
    open_size = net.op('Equal', wanted, net.op('Mul', ones, net.constant(-1)))
    return net.op('Expand', net.op('Unsqueeze', rows, net.constant([-1])), net.op('Where', open_size, ones, wanted))


def yolo(*, attention=False, dfl=True, end_to_end=False, transposed=False, **form):
    """A YOLO of one of the forms; see `LAYOUTS`."""
    net = Network()
    anchors = anchors_of()[1].size
    boxes, scores = _dense(net, attention=attention, dfl=dfl, corners=end_to_end)
    both = net.op('Concat', boxes, scores, axis=1)
    if not end_to_end and not transposed:
        return net.model([('output0', both, [1, 4 + CLASSES, anchors])], {}, **form)
    rows = net.op('Transpose', both, perm=[0, 2, 1])
    if transposed:
        return net.model([('output0', rows, [1, anchors, 4 + CLASSES])], {}, **form)
    return net.model([('output0', _top(net, rows), [1, _TOP, 6])], {'end2end': 'True'}, **form)


def suppressed(**form):
    """YOLOv8 exported with `nms=True`: NonMaxSuppression in the graph, and rows of zeros up to a fixed number."""
    net = Network()
    boxes, scores = _dense(net, corners=True)
    rows = net.op('Transpose', boxes, perm=[0, 2, 1])
    best = net.op('ReduceMax', scores, net.constant([1]), keepdims=1)
    label = net.op('Transpose', net.op('Cast', net.op('ArgMax', scores, axis=1, keepdims=1), to=TensorProto.FLOAT),
                   perm=[0, 2, 1])  # fmt: skip
    table = net.op('Concat', rows, net.op('Transpose', best, perm=[0, 2, 1]), label, axis=-1)
    kept = net.op('NonMaxSuppression', rows, best, net.constant([_TOP]), net.reals([0.5]), net.reals([0.25]))
    index = net.op('Squeeze', net.op('Gather', kept, net.constant([2]), axis=1), net.constant([1]))
    found = net.op('Gather', net.op('Squeeze', table, net.constant([0])), index, axis=0)
    missing = net.op('Sub', net.constant([_TOP]), net.op('Gather', net.op('Shape', found), net.constant([0]), axis=0))
    pads = net.op('Concat', net.constant([0, 0]), missing, net.constant([0]), axis=0)
    padded = net.op('Pad', found, pads, net.reals(0), mode='constant')
    return net.model([('output0', net.op('Unsqueeze', padded, net.constant([0])), [1, _TOP, 6])],
                     {'args': "{'nms': True}"}, **form)  # fmt: skip


def detr(*, outputs='queries', **form):
    """RT-DETR: an encoder with self-attention, queries selected by TopK, deformable attention by GridSample.

    Args:
        outputs: `queries` for boxes and scores in rows, `top` for the best rows, `two` for logits in an output apart.
        form: of the file, see `Network.model`.
    """
    net = Network()
    width = _DETR_CHANNELS
    levels = []
    for (source, channels), stride in zip(_features(net, attention=False), STRIDES, strict=True):
        # As the stem of its backbone does before a convolution of even size.
        padded = net.op('Pad', source, net.constant([0, 0, 0, 0, 0, 0, 1, 1]), net.reals(0), mode='constant')
        levels.append((net.conv(padded, channels, width, size=2, act='relu', pads=(0, 0, 0, 0)), IMAGE_PX // stride))
    last, side = levels[-1]
    rows = _encoded(net, _rows_of(net, last, side), side)
    back = net.op('Reshape', net.op('Transpose', rows, perm=[0, 2, 1]), net.constant([1, width, side, side]))
    levels[-1] = (back, side)
    memory = net.op('Concat', *(_rows_of(net, source, side) for source, side in levels), axis=1)
    counts = [side * side for _, side in levels]
    centres, strides = anchors_of()
    fractions = np.concatenate([centres * strides / IMAGE_PX, np.full((2, len(strides)), 0.2)]).T[None]
    proposals = net.reals(np.log(fractions / (1 - fractions)))
    features = net.norm(net.linear(memory, width, width), width)
    scores = net.linear(features, width, CLASSES)
    boxes = net.op('Add', net.linear(net.op('Relu', net.linear(features, width, width)), width, 4), proposals)
    _, chosen = net.op('TopK', net.op('ReduceMax', scores, net.constant([-1]), keepdims=0), net.constant([_TOP]),
                       outputs=2, axis=1)  # fmt: skip
    target = net.op('GatherElements', features, _as_columns(net, chosen, width), axis=1)
    reference = net.op('Sigmoid', net.op('GatherElements', boxes, _as_columns(net, chosen, 4), axis=1))
    for _ in range(2):
        target, reference = _decoded(net, target, reference, memory, counts)
    logits = net.linear(target, width, CLASSES)
    if outputs == 'two':
        return net.model(
            [('boxes', reference, [1, _TOP, 4]), ('logits', logits, [1, _TOP, CLASSES])], {'model': 'rtdetr'}, **form
        )
    both = net.op('Sigmoid', logits)
    if outputs == 'queries':
        rows = net.op('Concat', reference, both, axis=-1)
        return net.model([('output0', rows, [1, _TOP, 4 + CLASSES])], {'description': 'RT-DETR'}, **form)
    return net.model([('output0', _best_queries(net, reference, both), [1, _TOP, 6])],
                     {'description': 'Ultralytics RT-DETR', 'end2end': 'True'}, **form)  # fmt: skip


def _rows_of(net, source, side):
    kept = net.op('Slice', net.op('Shape', source), net.constant([0]), net.constant([2]), net.constant([0]))
    flat = net.op('Reshape', source, net.op('Concat', kept, net.constant([side * side]), axis=0))
    return net.op('Transpose', flat, perm=[0, 2, 1])


def _encoded(net, rows, side):
    """AIFI: self-attention over the last level, its place as sines and cosines computed in the graph, then GELU."""
    width = _DETR_CHANNELS
    across = net.op('Cast', net.op('Range', net.constant(0), net.constant(side), net.constant(1)), to=TensorProto.FLOAT)
    powers = net.op('Range', net.reals(0), net.reals(width // 4), net.reals(1))
    exponents = net.op('Div', powers, net.reals(width // 4))
    speeds = net.op('Reciprocal', net.op('Pow', net.reals(10000.0), exponents))
    angles = net.op('MatMul', net.op('Unsqueeze', across, net.constant([1])),
                    net.op('Unsqueeze', speeds, net.constant([0])))  # fmt: skip
    waves = net.op('Concat', net.op('Sin', angles), net.op('Cos', angles), axis=1)
    down = net.op('Tile', waves, net.constant([side, 1]))
    right = net.op('Reshape', net.op('Tile', waves, net.constant([1, side])), net.constant([side * side, width // 2]))
    place = net.op('Unsqueeze', net.op('Concat', down, right, axis=1), net.constant([0]))
    rows = net.norm(net.op('Add', rows, _self_attention(net, net.op('Add', rows, place), rows)), width)
    grown = net.linear(rows, width, 2 * width)
    erf = net.op('Erf', net.op('Div', grown, net.reals(2**0.5)))
    gelu = net.op('Mul', net.op('Mul', grown, net.op('Add', erf, net.reals(1))), net.reals(0.5))
    return net.norm(net.op('Add', rows, net.linear(gelu, 2 * width, width)), width)


def _self_attention(net, places, rows):
    width, each = _DETR_CHANNELS, _DETR_CHANNELS // _HEADS

    def heads(source, perm):
        split = net.op('Reshape', source, net.constant([1, -1, _HEADS, each]))
        return net.op('Transpose', split, perm=perm)

    flat = net.op('Squeeze', places, net.constant([0]))
    query = net.op('Gemm', flat, net.weight(width, width, scale=width**-0.5), net.weight(width, scale=0.1), transB=1)
    query = heads(net.op('Unsqueeze', query, net.constant([0])), [0, 2, 1, 3])
    keys = heads(net.linear(places, width, width), [0, 2, 3, 1])
    values = heads(net.linear(rows, width, width), [0, 2, 1, 3])
    weights = net.op('Softmax', net.op('Mul', net.op('MatMul', query, keys), net.reals(each**-0.5)), axis=-1)
    joined = net.op('Transpose', net.op('MatMul', weights, values), perm=[0, 2, 1, 3])
    return net.linear(net.op('Reshape', joined, net.constant([1, -1, width])), width, width)


def _decoded(net, target, reference, memory, counts):
    width = _DETR_CHANNELS
    place = net.linear(net.op('Relu', net.linear(reference, 4, width)), width, width)
    target = net.norm(net.op('Add', target, _self_attention(net, net.op('Add', target, place), target)), width)
    found = _deformable(net, net.op('Add', target, place), reference, memory, counts)
    target = net.norm(net.op('Add', target, found), width)
    grown = net.op('Relu', net.linear(target, width, 2 * width))
    target = net.norm(net.op('Add', target, net.linear(grown, 2 * width, width)), width)
    change = net.linear(net.op('Relu', net.linear(target, width, width)), width, 4)
    return target, net.op('Sigmoid', net.op('Add', change, _inverse_sigmoid(net, reference)))


def _inverse_sigmoid(net, source):
    within = net.op('Clip', source, net.reals(0), net.reals(1))
    low = net.op('Clip', within, net.reals(1e-5))
    high = net.op('Clip', net.op('Sub', net.reals(1), within), net.reals(1e-5))
    return net.op('Log', net.op('Div', low, high))


def _deformable(net, query, reference, memory, counts):
    """Samples of each level at places that the query chooses, weighted by what it says."""
    width, each = _DETR_CHANNELS, _DETR_CHANNELS // _HEADS
    shape = [1, _TOP, _HEADS, len(counts), _POINTS, 2]
    offsets = net.op('Reshape', net.linear(query, width, int(np.prod(shape[2:]))), net.constant(shape))
    flat = net.op('Reshape', net.linear(query, width, int(np.prod(shape[2:5]))),
                  net.constant([1, _TOP, _HEADS, len(counts) * _POINTS]))  # fmt: skip
    weights = net.op('Transpose', net.op('Softmax', flat, axis=-1), perm=[0, 2, 1, 3])
    weights = net.op('Reshape', weights, net.constant([_HEADS, 1, _TOP, len(counts) * _POINTS]))
    centre, size = net.op('Split', net.op('Unsqueeze', reference, net.constant([2, 3, 4])), net.constant([2, 2]),
                          outputs=2, axis=-1)  # fmt: skip
    reach = net.op('Mul', net.op('Mul', net.op('Div', offsets, net.reals(_POINTS)), size), net.reals(0.5))
    places = net.op('Sub', net.op('Mul', net.op('Add', centre, reach), net.reals(2)), net.reals(1))
    grids = net.op('Split', net.op('Transpose', places, perm=[0, 2, 1, 3, 4, 5]), net.constant([1] * len(counts)),
                   outputs=len(counts), axis=3)  # fmt: skip
    values = net.op('Split', net.linear(memory, width, width), net.constant(counts), outputs=len(counts), axis=1)
    samples = []
    queries = net.op('Unsqueeze', net.op('Gather', net.op('Shape', query), net.constant(1), axis=0), net.constant([0]))
    for grid, value, count in zip(grids, values, counts, strict=True):
        side = round(count**0.5)
        picture = net.op('Reshape', net.op('Transpose', value, perm=[0, 2, 1]),
                         net.constant([_HEADS, each, side, side]))  # fmt: skip
        shape = net.op('Concat', net.constant([_HEADS]), queries, net.constant([_POINTS, 2]), axis=0)
        at = net.op('Reshape', grid, shape)
        samples.append(net.op('GridSample', picture, at, mode='bilinear', padding_mode='zeros', align_corners=0))
    sampled = net.op('Mul', net.op('Concat', *samples, axis=-1), weights)
    summed = net.op('ReduceSum', sampled, net.constant([-1]), keepdims=0)
    joined = net.op('Transpose', net.op('Reshape', summed, net.constant([1, width, _TOP])), perm=[0, 2, 1])
    return net.linear(joined, width, width)


def _best_queries(net, boxes, scores):
    """What Ultralytics puts behind RT-DETR from 8.4 on; a whole-number division spelt out as PyTorch does."""
    values, places = net.op('TopK', net.op('Flatten', scores, axis=1), net.constant([_TOP]), outputs=2, axis=1)
    classes = net.constant(CLASSES)
    ratio = net.op('Div', places, classes)
    signs = net.op('Xor', net.op('Less', places, net.constant(0)), net.constant(False, np.bool_))
    rest = net.op('Not', net.op('Equal', net.op('Mod', places, classes), net.constant(0)))
    row = net.op('Where', net.op('And', signs, rest), net.op('Sub', ratio, net.constant(1)), ratio)
    index = net.op('Cast', _as_columns(net, row, 4), to=TensorProto.INT64)
    chosen = net.op('GatherElements', boxes, index, axis=1)
    label = net.op('Sub', places, net.op('Mul', row, classes))
    return net.op(
        'Concat',
        chosen,
        net.op('Unsqueeze', values, net.constant([-1])),
        net.op('Cast', net.op('Unsqueeze', label, net.constant([-1])), to=TensorProto.FLOAT),
        axis=-1,
    )


LAYOUTS = {
    'yolov8': (yolo, {}),
    'yolo11': (yolo, {'attention': True}),
    'yolo26': (yolo, {'attention': True, 'dfl': False}),
    'yolov10 end-to-end': (yolo, {'attention': True, 'end_to_end': True}),
    'yolo26 end-to-end': (yolo, {'attention': True, 'dfl': False, 'end_to_end': True}),
    'transposed': (yolo, {'transposed': True}),
    'suppressed in the graph': (suppressed, {}),
    'rt-detr, rows': (detr, {}),
    'rt-detr, best rows': (detr, {'outputs': 'top'}),
    'rt-detr, two outputs': (detr, {'outputs': 'two'}),
}


def write_layout(layout, path, **form):
    """Write the network of a layout to a file, which is given back."""
    make, options = LAYOUTS[layout]
    path.write_bytes(make(**options, **form).SerializeToString())
    return path
