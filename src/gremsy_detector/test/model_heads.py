# SPDX-License-Identifier: Apache-2.0
"""Small ONNX files that end in the true heads of YOLOX, NanoDet-Plus, RTMDet (MMDeploy) and D-FINE, random weights.

Each head has the operators that its authors' exporter writes; what stands before it is a chain of strided convolutions.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CLASSES = ('person', 'car', 'dog')
NAMES = repr(dict(enumerate(CLASSES)))


class Graph:
    """Collects nodes and weights; every method names its result and returns the name."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.weights = [], []

    def constant(self, array):
        name = f'c{len(self.weights)}'
        self.weights.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, operator, *inputs, outputs=1, name=None, **attributes):
        names = [name or f'n{len(self.nodes)}_{index}' for index in range(outputs)]
        inputs = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        self.nodes.append(helper.make_node(operator, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def conv(self, source, channels_in, channels_out, kernel=1, stride=1, scale=1.0, bias=0.0):
        size = (channels_out, channels_in, kernel, kernel)
        weights = self.rng.normal(0, scale / np.sqrt(channels_in * kernel * kernel), size).astype(np.float32)
        biases = (bias + 0.5 * self.rng.normal(size=channels_out)).astype(np.float32)
        padding = [kernel // 2] * 4
        return self.node(
            'Conv', source, weights, biases, kernel_shape=[kernel, kernel], strides=[stride, stride], pads=padding
        )

    def levels(self, strides, channels=4):
        """A feature map for each stride."""
        # Whatever the scale of the input, the maps are of the order of 1.
        source = self.node('InstanceNormalization', 'images', np.ones(3, np.float32), np.zeros(3, np.float32))
        found, stride, channels_in = [], 1, 3
        while stride < strides[-1]:
            source = self.node('Tanh', self.conv(source, channels_in, channels, kernel=3, stride=2, scale=2.0))
            stride, channels_in = 2 * stride, channels
            if stride in strides:
                found.append(source)
        return found

    def rows_of(self, levels):
        """(1, C, H, W) maps to (1, cells, C), as `flatten(2)`, `cat(2)` and `permute(0, 2, 1)`."""
        flat = [self.node('Flatten', level, axis=2) for level in levels]
        flat = [self.node('Unsqueeze', each, np.array([0])) for each in flat]
        return self.node('Concat', *flat, axis=2)

    def write(self, path, size, inputs, outputs, metadata):
        width, height = size
        image = helper.make_tensor_value_info('images', TensorProto.FLOAT, [1, 3, height, width])
        graph = helper.make_graph(
            self.nodes,
            'head',
            [image, *(helper.make_tensor_value_info(*each) for each in inputs)],
            [helper.make_tensor_value_info(*each) for each in outputs],
            self.weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
        helper.set_model_props(model, metadata)
        onnx.checker.check_model(model)
        path.write_bytes(model.SerializeToString())
        return path


def _flat_rows(graph, levels):
    """Flatten(axis=2) merges the leading axes: [1*C, H*W], so the batch is put back before all is joined."""
    return graph.node('Transpose', graph.rows_of(levels), perm=[0, 2, 1])


def write_yolox(path, size=(416, 320), strides=(8, 16, 32), metadata=None, seed=1, classes=3):
    """YOLOXHead.forward with decode_in_inference off (yolox/models/yolo_head.py)."""
    graph = Graph(seed)
    levels = []
    for feature in graph.levels(strides):
        box = graph.conv(feature, 4, 4)
        objectness = graph.node('Sigmoid', graph.conv(feature, 4, 1, scale=3.0))
        scores = graph.node('Sigmoid', graph.conv(feature, 4, classes, scale=3.0))
        levels.append(graph.node('Concat', box, objectness, scores, axis=1))
    graph.node('Identity', _flat_rows(graph, levels), name='output')
    cells = sum(-(-size[0] // stride) * -(-size[1] // stride) for stride in strides)
    shape = [1, cells, 5 + classes]
    metadata = {'names': NAMES} if metadata is None else metadata
    return graph.write(path, size, [], [('output', TensorProto.FLOAT, shape)], metadata)


def write_nanodet_plus(path, size=(416, 320), metadata=None, seed=2, classes=3):
    """NanoDetPlusHead._forward_onnx (nanodet/model/head/nanodet_plus_head.py)."""
    graph = Graph(seed)
    strides, bins, nc = (8, 16, 32, 64), 8, classes
    levels = []
    for feature in graph.levels(strides):
        both = graph.conv(feature, 4, nc + 4 * bins, scale=3.0)
        scores, sides = graph.node('Split', both, np.array([nc, 4 * bins]), outputs=2, axis=1)
        levels.append(graph.node('Concat', graph.node('Sigmoid', scores), sides, axis=1))
    graph.node('Identity', _flat_rows(graph, levels), name='output')
    cells = sum(-(-size[0] // stride) * -(-size[1] // stride) for stride in strides)
    metadata = {'names': NAMES} if metadata is None else metadata
    return graph.write(path, size, [], [('output', TensorProto.FLOAT, [1, cells, nc + 4 * bins])], metadata)


def write_rtmdet(path, size=(320, 256), metadata=None, seed=3, score_bias=0.0, classes=3):
    """RTMDetHead as MMDeploy exports it: predict_by_feat, then ONNX' own NonMaxSuppression, and `dets`, `labels`."""
    graph = Graph(seed)
    strides, nc = (8, 16, 32), classes
    scores, distances, priors = [], [], []
    for feature, stride in zip(graph.levels(strides), strides, strict=True):
        scores.append(graph.conv(feature, 4, nc, scale=3.0, bias=score_bias))
        distances.append(graph.node('Mul', graph.conv(feature, 4, 4, bias=2.0), np.float32(stride)))
        rows, columns = -(-size[1] // stride), -(-size[0] // stride)
        y, x = np.divmod(np.arange(rows * columns), columns)
        priors.append(np.stack([x, y], axis=1).astype(np.float32) * stride)  # MlvlPointGenerator(offset=0)
    scores = graph.node('Sigmoid', _flat_rows(graph, scores))
    least, most = graph.node('Split', _flat_rows(graph, distances), np.array([2, 2]), outputs=2, axis=2)
    priors = graph.constant(np.concatenate(priors)[None])
    boxes = graph.node('Concat', graph.node('Sub', priors, least), graph.node('Add', priors, most), axis=2)
    by_class = graph.node('Transpose', scores, perm=[0, 2, 1])
    chosen = graph.node(
        'NonMaxSuppression', boxes, by_class, np.array([200]), np.array([0.6], np.float32), np.array([0.05], np.float32)
    )
    labels = graph.node('Gather', chosen, np.array(1), axis=1)
    where = graph.node('Gather', chosen, np.array(2), axis=1)
    picked = graph.node('Gather', boxes, where, axis=1)
    score = graph.node('Unsqueeze', graph.node('GatherND', by_class, chosen), np.array([0, 2]))
    graph.node('Concat', picked, score, axis=2, name='dets')
    graph.node('Unsqueeze', labels, np.array([0]), name='labels')
    outputs = [('dets', TensorProto.FLOAT, [1, 'count', 5]), ('labels', TensorProto.INT64, [1, 'count'])]
    return graph.write(path, size, [], outputs, {'names': NAMES} if metadata is None else metadata)


def write_dfine(path, size=(320, 256), metadata=None, seed=4, top=30):
    """A DETR's two heads and DFINEPostProcessor.deploy (src/zoo/dfine/postprocessor.py): labels, boxes, scores."""
    graph = Graph(seed)
    nc = len(CLASSES)
    (feature,) = graph.levels((32,))
    logits = _flat_rows(graph, [graph.conv(feature, 4, nc, scale=3.0)])
    boxes = graph.node('Sigmoid', _flat_rows(graph, [graph.conv(feature, 4, 4)]))
    cx, cy, w, h = graph.node('Split', boxes, np.array([1, 1, 1, 1]), outputs=4, axis=2)
    half_w, half_h = graph.node('Mul', w, np.float32(0.5)), graph.node('Mul', h, np.float32(0.5))
    corners = graph.node(
        'Concat', graph.node('Sub', cx, half_w), graph.node('Sub', cy, half_h), graph.node('Add', cx, half_w),
        graph.node('Add', cy, half_h), axis=2,
    )  # fmt: skip
    sizes = graph.node('Cast', 'orig_target_sizes', to=TensorProto.FLOAT)
    sizes = graph.node('Unsqueeze', graph.node('Tile', sizes, np.array([1, 2])), np.array([1]))
    corners = graph.node('Mul', corners, sizes)
    flat = graph.node('Reshape', graph.node('Sigmoid', logits), np.array([1, -1]))
    scores, index = graph.node('TopK', flat, np.array([top]), outputs=2, axis=1)
    graph.node('Identity', scores, name='scores')
    query = graph.node('Div', index, np.array(nc))
    graph.node('Sub', index, graph.node('Mul', query, np.array(nc)), name='labels')
    query = graph.node('Tile', graph.node('Unsqueeze', query, np.array([2])), np.array([1, 1, 4]))
    graph.node('GatherElements', corners, query, axis=1, name='boxes')
    outputs = [
        ('labels', TensorProto.INT64, [1, top]),
        ('boxes', TensorProto.FLOAT, [1, top, 4]),
        ('scores', TensorProto.FLOAT, [1, top]),
    ]
    inputs = [('orig_target_sizes', TensorProto.INT64, ['N', 2])]
    return graph.write(path, size, inputs, outputs, {'names': NAMES} if metadata is None else metadata)


def write_detr(path, size=(320, 256), metadata=None, seed=5, classes=3):
    """D-FINE as Hugging Face exports it: `logits` and `pred_boxes` (cx, cy, w, h in fractions), all axes dynamic."""
    graph = Graph(seed)
    (feature,) = graph.levels((32,))
    graph.node('Identity', _flat_rows(graph, [graph.conv(feature, 4, classes, scale=3.0)]), name='logits')
    graph.node('Sigmoid', _flat_rows(graph, [graph.conv(feature, 4, 4)]), name='pred_boxes')
    outputs = [(name, TensorProto.FLOAT, [1, None, last]) for name, last in (('logits', classes), ('pred_boxes', 4))]
    return graph.write(path, size, [], outputs, {'names': NAMES} if metadata is None else metadata)
