# SPDX-License-Identifier: Apache-2.0
"""What a GPU does in the CPU's stead answers as the CPU does: every encoding, resize mode, input and layout."""

from dataclasses import replace

import numpy as np
import pytest

onnx = pytest.importorskip('onnx', reason='the development tools are not installed: run ./gremsy test')

from gremsy_common.types.frame import Frame, lock_read_only
from gremsy_common.types.pixel_layout import PIXEL_LAYOUTS
from gremsy_detector.backends.backend import BackendOptions
from gremsy_detector.backends.gpu import graph_maker
from gremsy_detector.backends.gpu.graph_maker import GraphRefused
from gremsy_detector.backends.onnxruntime_backend import OnnxRuntimeBackend
from gremsy_detector.backends.onnxruntime_providers import load_onnxruntime
from gremsy_detector.decode.decoder import DecodeSettings, decode
from gremsy_detector.detector import Detector
from gremsy_detector.errors import ModelError
from gremsy_detector.image.network_input import NetworkInput
from gremsy_detector.model.default_model import default_model_path
from gremsy_detector.model.model_description import InputDescription, Layout, ResizeMode
from gremsy_detector.selection import Selection
from gremsy_model_tools.gpu import gpu_graphs
from gremsy_model_tools.gpu.best_boxes import MOST_BOXES, with_best_boxes
from gremsy_model_tools.gpu.gpu_graphs import gpu_model, picture_front
from gremsy_model_tools.precision.onnx_file import read_model, simplified
from src.gremsy_detector.test.model_heads import write_nanodet_plus, write_rtmdet, write_yolox

CPU = BackendOptions(provider='cpu')
YOLO = InputDescription('images', 160, 96, 'float32', False, False, ResizeMode.LETTERBOX)


def frame_of(encoding, width=94, height=66, seed=0):
    layout = PIXEL_LAYOUTS[encoding]
    rows = height * 3 // 2 if layout.half_height_chroma else height
    shape = (rows, width) if layout.channels == 1 else (rows, width, layout.channels)
    random = np.random.default_rng(seed)
    most = np.iinfo(layout.dtype).max
    return Frame(lock_read_only(random.integers(0, most, shape, dtype=layout.dtype, endpoint=True)), 1, 'eo', encoding)


class Slot:
    """A `PictureSlot` in plain memory."""

    def __init__(self, form, lent):
        self.form, self.array, self.lent = form, np.zeros(form.shape, np.uint8), lent

    def lends(self, _pixels):
        return self.lent

    def take(self, pixels):
        self.form.copy(pixels, self.array)
        return self.array


class OnTheCpu:
    """Makes the network's input of pictures as the GPU would, by the same graph."""

    def __init__(self, description, *, lent=False):
        self.description, self.lent = description, lent
        self.forms = {}
        self.input = NetworkInput(description, pictures=self.picture)

    def picture(self, form):
        if form not in self.forms:
            session = load_onnxruntime().InferenceSession(
                picture_front(form, self.description), providers=['CPUExecutionProvider']
            )
            self.forms[form] = (Slot(form, self.lent), session)
        return self.forms[form][0]

    def fill(self, frame):
        placement = self.input.fill(frame)
        slot, session = next(each for each in self.forms.values() if each[0].array is self.input.tensor)
        return placement, session.run(None, {'picture': slot.array})[0]


def held_to_the_cpu(description, *frames, lent=False):
    """Within one count of 255 in each byte, and the same but for a few."""
    plain, through_graph = NetworkInput(description), OnTheCpu(description, lent=lent)
    for frame in frames:
        wanted_placement = plain.fill(frame)
        placement, found = through_graph.fill(frame)
        assert placement == wanted_placement
        assert (found.shape, found.dtype) == (plain.tensor.shape, plain.tensor.dtype)
        count = 1.0 if description.dtype == 'uint8' else 1.0 / min(description.std)
        apart = np.abs(found.astype(np.float64) - plain.tensor.astype(np.float64))
        # A tenth for float16, which has 11 bits.
        assert apart.max() <= 1.1 * count + (1e-3 if description.dtype == 'float16' else 0.0)
        assert np.mean(apart > 0.3 * count) < 0.01
    return through_graph


@pytest.mark.parametrize('encoding', sorted(PIXEL_LAYOUTS))
def test_pictures_of_every_encoding(encoding):
    held_to_the_cpu(YOLO, frame_of(encoding))


@pytest.mark.parametrize('resize', list(ResizeMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(
    'size',
    [(480, 288), (320, 192), (94, 66), (500, 400), (1, 1), (160, 96), (2000, 30), (7, 300)],
    ids=lambda size: f'{size[0]}x{size[1]}',
)
def test_pictures_of_every_size_and_resize_mode(resize, size):
    description = InputDescription('images', 160, 96, 'float32', False, False, resize)
    held_to_the_cpu(description, frame_of('bgr8', *size))


INPUTS = {
    'yolo': YOLO,
    'half': InputDescription('images', 160, 96, 'float16', False, False, ResizeMode.LETTERBOX),
    'bytes': InputDescription('images', 160, 96, 'uint8', False, False, ResizeMode.LETTERBOX),
    'folded': InputDescription('images', 160, 96, 'uint8', True, True, ResizeMode.LETTERBOX),
    'rgb last': InputDescription('images', 160, 96, 'uint8', True, False, ResizeMode.TOP_LEFT),
    'yolox': InputDescription('images', 160, 96, 'float32', False, True, ResizeMode.TOP_LEFT, std=(1.0, 1.0, 1.0)),
    'nanodet': InputDescription(
        'images',
        160,
        96,
        'float32',
        False,
        True,
        ResizeMode.STRETCH,
        (103.53, 116.28, 123.675),
        (57.375, 57.12, 58.395),
    ),
}


@pytest.mark.parametrize('description', INPUTS.values(), ids=INPUTS)
def test_every_way_of_being_fed(description):
    held_to_the_cpu(description, *(frame_of(encoding) for encoding in ('bgr8', 'rgba8', 'mono8', 'mono16')))


def test_a_source_that_changes_its_size_in_mid_stream():
    through_graph = held_to_the_cpu(
        YOLO, frame_of('bgr8'), frame_of('bgr8', 480, 288), frame_of('bgr8', seed=1), frame_of('rgb8')
    )
    assert len(through_graph.forms) == 3


def test_of_1080p_only_the_rows_go_up_that_are_looked_at():
    through_graph = OnTheCpu(InputDescription('images', 640, 640, 'float32', False, False, ResizeMode.LETTERBOX))
    through_graph.fill(frame_of('bgr8', 1920, 1080))
    assert through_graph.input.tensor.shape == (360, 1920, 3)


@pytest.mark.parametrize(
    ('size', 'rows'), [((500, 400), 400), ((480, 288), 96)], ids=['unevenly apart', 'evenly apart']
)
def test_of_a_picture_that_is_read_where_it_lies_all_rows_go_up_unless_they_are_evenly_apart(size, rows):
    through_graph = held_to_the_cpu(YOLO, frame_of('bgr8', *size), lent=True)
    assert through_graph.input.tensor.shape[0] == rows


def test_rows_with_padding_are_copied_without_it():
    padded = np.random.default_rng(0).integers(0, 256, (66, 100, 3), dtype=np.uint8)[:, :94]
    held_to_the_cpu(YOLO, Frame(lock_read_only(padded), 1, 'eo', 'bgr8'))


def answers(path, frame):
    detector = Detector(OnnxRuntimeBackend(path, CPU), Selection(confidence=0.05, candidate_confidence=0.05))
    model = detector.open()
    found = detector.detect(frame)
    detector.close()
    return model, found.detections


def decoded(path):
    """Of an image of noise, before anything is clipped to it."""
    backend = OnnxRuntimeBackend(path, CPU)
    detector = Detector(backend)
    model = detector.open()
    network_input = NetworkInput(model.input)
    network_input.fill(frame_of('bgr8', 200, 150))
    found = decode(backend.infer(network_input.tensor), model.output, DecodeSettings(0.05, 1.0, 100))
    detector.close()
    return model, found


def held_to_the_file(path, folder):
    wanted_model, wanted = decoded(path)
    model, found = decoded(gpu_model(path, 'model', folder, [].append))
    assert len(wanted.scores) > 20
    assert (model.class_names, model.input) == (wanted_model.class_names, wanted_model.input)
    assert found.classes.tolist() == wanted.classes.tolist()
    np.testing.assert_allclose(found.boxes_network_px, wanted.boxes_network_px, rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-5)
    return model


def dense(path_writer, transposed):
    random = np.random.default_rng(3)
    answer = np.empty((1, 7, 2000), np.float32)
    answer[0, :2] = random.uniform(5, 60, (2, 2000))
    answer[0, 2:4] = random.uniform(2, 20, (2, 2000))
    answer[0, 4:] = random.uniform(0, 1, (3, 2000)) ** 6
    return path_writer(answer.transpose(0, 2, 1) if transposed else answer)


@pytest.mark.parametrize('transposed', [False, True], ids=['dense', 'transposed'])
def test_the_best_boxes_of_yolos(write_model, tmp_path, transposed):
    model = held_to_the_file(dense(write_model, transposed), tmp_path / 'kept')
    assert (model.layout, model.box_count) == (Layout.BEST_BOXES, MOST_BOXES)


@pytest.mark.parametrize(
    ('write', 'metadata'),
    [
        (write_yolox, {'names': "['person', 'car', 'dog']", 'layout': 'yolox'}),
        (write_yolox, {'names': "['person', 'car', 'dog']", 'layout': 'yolox_decoded'}),
        (write_nanodet_plus, None),
    ],
    ids=['yolox', 'yolox_decoded', 'nanodet_plus'],
)
def test_the_best_boxes_of_networks_on_a_grid(tmp_path, write, metadata):
    model = held_to_the_file(write(tmp_path / 'grid.onnx', metadata=metadata), tmp_path / 'kept')
    assert model.layout is Layout.BEST_BOXES


def test_the_best_boxes_of_the_shipped_model(tmp_path, footage_image):
    rewritten = gpu_model(default_model_path(), 'model', tmp_path, [].append)
    frame = Frame(lock_read_only(footage_image(100)), 1, 'eo', 'bgr8')
    _, wanted = answers(default_model_path(), frame)
    model, found = answers(rewritten, frame)
    assert model.layout is Layout.BEST_BOXES
    assert len(wanted) > 5
    np.testing.assert_allclose(found.boxes_px, wanted.boxes_px, atol=0.01)


def test_in_float16_they_are_nearly_the_same(tmp_path, footage_image):
    rewritten = gpu_model(default_model_path(), 'fp16', tmp_path, [].append)
    frame = Frame(lock_read_only(footage_image(100)), 1, 'eo', 'bgr8')
    _, wanted = answers(default_model_path(), frame)
    _, found = answers(rewritten, frame)
    assert any(entry.type.tensor_type.elem_type == onnx.TensorProto.FLOAT16
               for entry in onnx.shape_inference.infer_shapes(read_model(rewritten)).graph.value_info)  # fmt: skip
    assert len(found) == pytest.approx(len(wanted), abs=2)


def test_a_network_with_few_boxes_keeps_its_answer_and_gets_a_fixed_size(tmp_path):
    fed = {'names': "['person', 'car', 'dog']", 'std': '[255, 255, 255]', 'mean': '[0, 0, 0]', 'resize': 'letterbox'}
    path = write_rtmdet(tmp_path / 'rtmdet.onnx', metadata={**fed, 'channel_order': 'rgb'})
    model, _ = answers(gpu_model(path, 'model', tmp_path / 'kept', [].append), frame_of('bgr8'))
    assert model.layout is Layout.DETS_LABELS


def test_a_network_gone_wrong_does_not_take_the_sound_boxes_with_it(write_model):
    random = np.random.default_rng(3)
    answer = random.uniform(0.1, 0.4, (1, 7, 2000)).astype(np.float32)
    answer[0, :4] *= 100
    answer[0, 4:, 7] = np.nan
    answer[0, 5, 8] = np.inf
    answer[0, 2, 9] = np.nan
    answer[0, 6, 9] = 0.9
    answer[0, 4, 10] = 0.8
    path = write_model(answer)
    backend = OnnxRuntimeBackend(path, CPU)
    detector = Detector(backend)
    described = detector.open()
    detector.close()
    model = with_best_boxes(simplified(read_model(path), described.input), described.output)
    session = load_onnxruntime().InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
    rows = session.run(None, {'images': np.zeros((1, 3, 64, 64), np.float32)})
    settings = DecodeSettings(confidence=0.5, iou=0.5, max_detections=10)
    output = described.output
    wanted = decode([answer], output, settings)
    found = decode(rows, replace(output, layout=Layout.BEST_BOXES), settings)
    assert wanted.scores.tolist() == found.scores.tolist() == [np.float32(0.8)]


def test_what_was_made_is_kept_and_made_again_where_it_is_damaged(write_model, tmp_path):
    path, said = dense(write_model, False), []
    first = gpu_model(path, 'model', tmp_path / 'kept', said.append)
    content = first.read_bytes()
    assert gpu_model(path, 'model', tmp_path / 'kept', said.append) == first
    assert len(said) == 1
    first.write_bytes(content[: len(content) // 2])
    assert gpu_model(path, 'model', tmp_path / 'kept', said.append).read_bytes() == content
    path = dense(lambda answer: write_model(answer * 0.5), False)
    assert gpu_model(path, 'model', tmp_path / 'kept', said.append) != first


def test_a_graph_that_cannot_be_rewritten_is_refused_in_a_sentence(write_model, tmp_path):
    path = write_model(np.zeros((1, 7, 20)), input_shape=(1, 4, 64, 64))
    with pytest.raises(ModelError) as refused:
        gpu_model(path, 'model', tmp_path / 'kept', [].append)
    assert 'one input is supported' in str(refused.value)
    assert not (tmp_path / 'kept').exists()


def test_a_refusal_is_kept_until_packages_or_model_change_or_it_is_removed(write_model, tmp_path, monkeypatch):
    path, said = dense(write_model, False), []
    monkeypatch.setattr(gpu_graphs, '_alike', lambda *_: False)

    def refusal(model=path):
        with pytest.raises(GraphRefused) as refused:
            gpu_model(model, 'model', tmp_path / 'kept', said.append)
        return str(refused.value)

    why = 'The graph made of tiny.onnx for the GPU gives other results than the file'
    assert refusal() == f'{why}.'
    (kept,) = (tmp_path / 'kept').iterdir()
    assert refusal() == f'{why} (found at an earlier start: remove {kept} to have it tried again).'
    assert len(said) == 1, 'it was made again'
    kept.unlink()
    assert refusal() == f'{why}.'
    kept.write_bytes(b'half of i')
    assert refusal() == f'{why}.'
    monkeypatch.setattr(graph_maker, 'version', lambda name: '999')
    assert refusal() == f'{why}.'
    assert refusal(dense(lambda answer: write_model(answer * 0.5), False)) == f'{why}.'
    assert len(said) == 5
    # With other packages it can be made.
    monkeypatch.undo()
    assert gpu_model(path, 'model', tmp_path / 'kept', said.append).exists()


def test_a_refusal_that_cannot_be_kept_is_said(write_model, tmp_path, monkeypatch):
    path, said = dense(write_model, False), []
    monkeypatch.setattr(gpu_graphs, '_alike', lambda *_: False)
    (tmp_path / 'kept').write_bytes(b'')
    with pytest.raises(GraphRefused):
        gpu_model(path, 'model', tmp_path / 'kept', said.append)
    assert said[1].endswith('.refused.json cannot be written (File exists): every start tries to make it again.')
