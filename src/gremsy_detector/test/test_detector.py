# SPDX-License-Identifier: Apache-2.0
"""An image in, its detections out: in source pixels, under the image's own stamp, through the real back end."""

import itertools

import numpy as np
import pytest

from gremsy_common.parameters.parameter_fields import ParameterError
from gremsy_detector.backends.backend_registry import choose_backend
from gremsy_detector.detector import Detector, Selection
from gremsy_detector.errors import FrameError, InferenceError, ModelError
from gremsy_detector.image.region_of_interest import Region
from gremsy_detector.image.tiling import Tiling
from gremsy_detector.model.default_model import default_model_path, model_path

pytest.importorskip('onnxruntime', reason='ONNX Runtime is not installed: run ./gremsy setup')


def output(*rows, anchors=30):
    """A dense [1, 7, N] output: rows of x_min, y_min, x_max, y_max (network px), score, class."""
    dense = np.zeros((1, 7, anchors), np.float32)
    for column, (x0, y0, x1, y1, score, index) in enumerate(rows):
        dense[0, :4, column] = [(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0]
        dense[0, 4 + index, column] = score
    return dense


@pytest.fixture
def open_detector(write_model):
    """A function that opens a detector on a model of known answer; closed after the test."""
    opened = []

    def make(base, selection=None, clock_ns=None, **options):
        path = write_model(base, **options)
        backend = choose_backend(path)(path)
        detector = Detector(backend, selection, **({'clock_ns': clock_ns} if clock_ns else {}))
        detector.open()
        opened.append(detector)
        return detector

    yield make
    for each in opened:
        each.close()


def test_boxes_are_in_source_pixels_under_the_images_own_stamp(open_detector, make_frame):
    detector = open_detector(output((16, 16, 32, 40, 0.9, 0), (40, 10, 60, 30, 0.8, 2)))
    # 640x480 in 64x64: scale 0.1, 8 px of grey above.
    found = detector.detect(make_frame(stamp_ns=123)).detections
    np.testing.assert_allclose(found.boxes_px, [[160, 80, 320, 320], [400, 20, 600, 220]], atol=1e-4)
    np.testing.assert_allclose(found.scores, [0.9, 0.8], atol=1e-6)
    assert found.labels.tolist() == ['person', 'dog']
    assert (found.stamp_ns, found.frame_id) == (123, 'eo_optical')
    assert found.boxes_px.dtype == found.scores.dtype == np.float64


def test_a_model_that_was_trained_stretched_is_fed_stretched(open_detector, make_frame):
    names = {'names': "{0: 'person', 1: 'car', 2: 'dog'}", 'resize': 'stretch'}
    detector = open_detector(output((16, 16, 32, 40, 0.9, 0)), metadata=names)
    found = detector.detect(make_frame()).detections
    np.testing.assert_allclose(found.boxes_px, [[160, 120, 320, 300]], atol=1e-4)


def test_boxes_are_clipped_and_those_wholly_in_the_padding_left_out(open_detector, make_frame):
    detector = open_detector(output((-4, 2, 20, 20, 0.9, 0), (10, 1, 20, 7, 0.8, 0)))
    found = detector.detect(make_frame()).detections
    np.testing.assert_allclose(found.boxes_px, [[0, 0, 200, 120]], atol=1e-4)


def test_an_image_without_objects_gives_an_empty_result_of_its_own_stamp(open_detector, make_frame):
    found = open_detector(output()).detect(make_frame(stamp_ns=77)).detections
    assert (len(found), found.stamp_ns) == (0, 77)
    assert found.boxes_px.shape == (0, 4)
    assert found.labels.dtype.kind == 'U'


def test_every_image_is_looked_at_anew(open_detector, make_frame):
    """The model's score is the image's mean brightness: bright, dark, bright again."""
    base = output((16, 16, 32, 40, 0.0, 0))
    slope = np.zeros_like(base)
    slope[0, 4, 0] = 1.0
    metadata = {'names': "{0: 'person', 1: 'car', 2: 'dog'}", 'resize': 'stretch'}
    detector = open_detector(base, slope=slope, metadata=metadata)
    for grey in (200, 30, 250, 120):
        found = detector.detect(make_frame(grey=grey)).detections
        assert len(found) == (grey / 255 > Selection().confidence)
        np.testing.assert_allclose(found.scores, [grey / 255] if len(found) else [], atol=1e-4)


def test_an_earlier_result_is_not_changed_by_the_next_image(open_detector, make_frame):
    detector = open_detector(output((16, 16, 32, 40, 0.9, 0)))
    first = detector.detect(make_frame()).detections
    kept = first.boxes_px.copy()
    detector.detect(make_frame(width=100, height=300))
    np.testing.assert_array_equal(first.boxes_px, kept)


@pytest.mark.parametrize(
    'shapes',
    [
        {'input_shape': ('batch', 3, 'height', 'width'), 'output_shape': ('batch', 7, 'anchors')},
        {'input_shape': (1, 3, 64, 64), 'output_shape': (1, 'a', 'b')},
    ],
)
def test_dynamic_axes_are_settled_by_running_once(open_detector, make_frame, shapes):
    detector = open_detector(output((16, 16, 32, 40, 0.9, 0)), **shapes)
    assert detector.model.box_count == 30
    for _ in range(3):
        found = detector.detect(make_frame()).detections
        np.testing.assert_allclose(found.boxes_px, [[160, 80, 320, 320]], atol=1e-4)


def test_a_transposed_file_gives_the_same_boxes(open_detector, make_frame):
    rows = ((16, 16, 32, 40, 0.9, 0), (40, 10, 60, 30, 0.8, 2))
    dense = open_detector(output(*rows)).detect(make_frame()).detections
    turned = open_detector(output(*rows).transpose(0, 2, 1)).detect(make_frame()).detections
    np.testing.assert_array_equal(dense.boxes_px, turned.boxes_px)


def test_an_end_to_end_file_gives_the_same_boxes(open_detector, make_frame):
    rows = ((16, 16, 32, 40, 0.9, 0), (40, 10, 60, 30, 0.8, 2))
    dense = open_detector(output(*rows)).detect(make_frame()).detections
    ended = open_detector(np.array([[*rows, *[(0.0,) * 6] * 20]])).detect(make_frame()).detections
    np.testing.assert_allclose(dense.boxes_px, ended.boxes_px, atol=1e-4)
    assert dense.labels.tolist() == ended.labels.tolist()


def test_a_uint8_model_is_fed_uint8(open_detector, make_frame):
    base = output((16, 16, 32, 40, 0.0, 0))
    slope = np.zeros_like(base)
    slope[0, 4, 0] = 1 / 255
    metadata = {'names': "{0: 'person', 1: 'car', 2: 'dog'}", 'resize': 'stretch'}
    detector = open_detector(base, slope=slope, input_shape=(1, 64, 64, 3), input_type='UINT8', metadata=metadata)
    np.testing.assert_allclose(detector.detect(make_frame(grey=204)).detections.scores, [0.8], atol=1e-5)


def test_a_new_selection_holds_from_the_next_image_on(open_detector, make_frame):
    detector = open_detector(output((16, 16, 32, 40, 0.55, 0), (40, 10, 60, 30, 0.8, 2)))
    assert len(detector.detect(make_frame()).detections) == 2
    detector.select(Selection(confidence=0.6))
    assert detector.detect(make_frame()).detections.labels.tolist() == ['dog']
    detector.select(Selection(confidence=0.1, classes=('person',)))
    assert detector.detect(make_frame()).detections.labels.tolist() == ['person']
    detector.select(Selection(max_detections=1))
    assert detector.detect(make_frame()).detections.labels.tolist() == ['dog']


def test_a_refused_selection_leaves_the_old_one(open_detector, make_frame):
    detector = open_detector(output((16, 16, 32, 40, 0.9, 0)), Selection(classes=('person',)))
    with pytest.raises(ParameterError):
        detector.select(Selection(classes=('elk',)))
    assert len(detector.detect(make_frame()).detections) == 1


def test_a_class_may_have_a_threshold_of_its_own(open_detector, make_frame):
    rows = ((16, 16, 32, 40, 0.5, 0), (40, 10, 60, 30, 0.45, 2))
    for base in (output(*rows), output(*rows).transpose(0, 2, 1), np.array([[*rows, *[(0.0,) * 6] * 20]])):
        detector = open_detector(base)
        detector.select(Selection(confidence=0.4, class_confidence=(('person', 0.6),)))
        assert detector.detect(make_frame()).detections.labels.tolist() == ['dog']
        detector.select(Selection(confidence=0.6, class_confidence=(('person', 0.4),)))
        assert detector.detect(make_frame()).detections.labels.tolist() == ['person']
        detector.select(Selection(confidence=0.6, classes=('dog',), class_confidence=(('dog', 0.3), ('person', 0.3))))
        assert detector.detect(make_frame()).detections.labels.tolist() == ['dog']


def rows_of(found):
    """What a result says, as texts that can be compared."""
    table = zip(found.labels.tolist(), found.scores.tolist(), found.boxes_px.tolist(), strict=True)
    return [f'{label} {score:.6f} {np.round(box, 4).tolist()}' for label, score, box in table]


def crowd(seed, anchors=120):
    """People, cars and dogs all over the picture with scores of all heights, each answered several times."""
    random = np.random.default_rng(seed)
    centres = random.uniform(0, 64, (40, 2))[random.integers(0, 40, anchors)] + random.normal(0, 1.5, (anchors, 2))
    halves = random.uniform(3, 12, (anchors, 2))
    corners = np.concatenate([centres - halves, centres + halves], axis=1)
    scores, classes = random.uniform(0, 1, anchors), random.integers(0, 3, anchors)
    rows = ((*box, score, index) for box, score, index in zip(corners, scores, classes, strict=True))
    return output(*rows, anchors=anchors)


def test_what_is_doubtful_is_a_candidate_only(open_detector, make_frame):
    rows = ((16, 16, 32, 40, 0.9, 0), (40, 10, 60, 30, 0.4, 2), (2, 30, 10, 50, 0.15, 0))
    detector = open_detector(output(*rows), Selection(confidence=0.5, candidate_confidence=0.2))
    result = detector.detect(make_frame(stamp_ns=9))
    assert result.detections.labels.tolist() == ['person']
    assert result.candidates.labels.tolist() == ['person', 'dog']
    assert result.candidates.scores.tolist() == pytest.approx([0.9, 0.4])
    assert (result.candidates.stamp_ns, result.candidates.frame_id) == (9, 'eo_optical')
    # A lower `confidence` alone never makes a detection that is no candidate.
    detector.select(Selection(confidence=0.1, candidate_confidence=0.2))
    result = detector.detect(make_frame())
    assert rows_of(result.detections) == rows_of(result.candidates)
    assert len(result.detections) == 3


@pytest.mark.parametrize('own', [(), (('person', 0.7), ('dog', 0.1))], ids=['one threshold', 'thresholds of classes'])
@pytest.mark.parametrize('tiling', [Tiling(), Tiling(2, 2, 0.2)], ids=['whole', 'tiles'])
@pytest.mark.parametrize('most', [1000, 7])
def test_the_detections_are_those_of_a_detector_that_knows_no_candidates(open_detector, make_frame, own, tiling, most):
    wanted = {'confidence': 0.5, 'class_confidence': own, 'tiling': tiling, 'max_detections': most}
    more = 0
    for seed in range(5):
        detector = open_detector(crowd(seed), Selection(**wanted, candidate_confidence=0.5))
        alone = detector.detect(make_frame()).detections
        assert 0 < len(alone) <= most
        detector.select(Selection(**wanted, candidate_confidence=0.05))
        both = detector.detect(make_frame())
        assert rows_of(both.detections) == rows_of(alone)
        assert len(both.candidates) <= most
        assert set(rows_of(both.candidates)) >= set(rows_of(alone))
        assert both.candidates.scores.tolist() == sorted(both.candidates.scores.tolist(), reverse=True)
        more += len(both.candidates) - len(both.detections)
    assert more > 0 or most == 7


def test_the_candidates_are_what_a_detector_with_their_threshold_would_report(open_detector, make_frame):
    detector = open_detector(crowd(1), Selection(confidence=0.6, candidate_confidence=0.1))
    candidates = detector.detect(make_frame()).candidates
    detector.select(Selection(confidence=0.1))
    assert rows_of(candidates) == rows_of(detector.detect(make_frame()).detections)


def test_a_class_that_is_doubted_is_so_for_the_candidates_and_one_that_is_trusted_too(open_detector, make_frame):
    rows = ((16, 16, 32, 40, 0.4, 0), (40, 10, 60, 30, 0.7, 2), (2, 30, 10, 50, 0.15, 1))
    # A dog must score more than .8 to be followed; a car is reported at .1, so it is a candidate there too.
    own = (('dog', 0.8), ('car', 0.1), ('person', 0.3))
    detector = open_detector(output(*rows), Selection(confidence=0.5, candidate_confidence=0.2, class_confidence=own))
    result = detector.detect(make_frame())
    assert result.detections.labels.tolist() == result.candidates.labels.tolist() == ['person', 'car']
    # .3 for people does not take from the candidates what lies between .2 and .3.
    low = open_detector(output((16, 16, 32, 40, 0.25, 0)), Selection(0.5, 0.2, class_confidence=own))
    result = low.detect(make_frame())
    assert (len(result.detections), len(result.candidates)) == (0, 1)


def test_what_is_reported_is_a_candidate_though_others_score_better(open_detector, make_frame):
    rows = ((16, 16, 32, 40, 0.3, 0), (40, 10, 60, 30, 0.45, 2), (2, 30, 10, 50, 0.4, 1))
    own = (('person', 0.25),)
    detector = open_detector(output(*rows), Selection(0.5, 0.2, class_confidence=own, max_detections=2))
    result = detector.detect(make_frame())
    assert result.detections.labels.tolist() == ['person']
    assert result.candidates.labels.tolist() == ['dog', 'person']


STRETCHED = {'names': "{0: 'person', 1: 'car', 2: 'dog'}", 'resize': 'stretch'}


def brightness_is_the_score():
    base = output((16, 16, 32, 40, 0.0, 0))
    slope = np.zeros_like(base)
    slope[0, 4, 0] = 1.0
    return {'base': base, 'slope': slope, 'metadata': STRETCHED}


def test_only_the_region_is_looked_at_and_its_boxes_are_in_source_pixels(open_detector, make_frame):
    detector = open_detector(**brightness_is_the_score())
    image = np.zeros((480, 640, 3), np.uint8)
    image[120:360, 320:] = 204
    detector.select(Selection(region=Region(0.5, 0.25, 1.0, 0.75)))
    found = detector.detect(make_frame(image)).detections
    np.testing.assert_allclose(found.scores, [0.8], atol=1e-3)
    # 64x64 network pixels over 320x240 source pixels that begin at (320, 120).
    np.testing.assert_allclose(found.boxes_px, [[320 + 80, 120 + 60, 320 + 160, 120 + 150]], atol=1e-4)
    detector.select(Selection(region=Region(0.0, 0.25, 0.5, 0.75)))
    assert len(detector.detect(make_frame(image)).detections) == 0


def test_boxes_end_where_the_region_ends(open_detector, make_frame):
    detector = open_detector(output((-10, 16, 80, 40, 0.9, 0)), metadata=STRETCHED)
    detector.select(Selection(region=Region(0.25, 0.0, 0.75, 1.0)))
    found = detector.detect(make_frame()).detections
    np.testing.assert_allclose(found.boxes_px, [[160, 120, 480, 300]], atol=1e-4)


def test_every_tile_is_looked_at_in_its_own_place(open_detector, make_frame):
    detector = open_detector(output((16, 16, 32, 40, 0.9, 0)), metadata=STRETCHED)
    detector.select(Selection(tiling=Tiling(2, 1, 0.0, whole_too=False)))
    found = detector.detect(make_frame(stamp_ns=9)).detections
    assert found.stamp_ns == 9
    np.testing.assert_allclose(sorted(found.boxes_px.tolist()), [[80, 120, 160, 300], [400, 120, 480, 300]], atol=1e-4)
    # The next image of another size has other tiles.
    found = detector.detect(make_frame(width=320, height=240)).detections
    np.testing.assert_allclose(sorted(found.boxes_px.tolist()), [[40, 60, 80, 150], [200, 60, 240, 150]], atol=1e-4)


def test_the_whole_image_is_looked_at_beside_its_tiles(open_detector, make_frame):
    detector = open_detector(output((16, 16, 32, 40, 0.9, 0)), metadata=STRETCHED)
    detector.select(Selection(tiling=Tiling(2, 1, 0.0, whole_too=True)))
    found = detector.detect(make_frame()).detections
    assert [160, 120, 320, 300] in np.round(found.boxes_px).tolist()


def test_the_most_boxes_are_those_of_the_image_not_of_a_tile(open_detector, make_frame):
    detector = open_detector(output((16, 16, 32, 40, 0.9, 0)), metadata=STRETCHED)
    detector.select(Selection(max_detections=3, tiling=Tiling(3, 3, 0.0, whole_too=False)))
    assert len(detector.detect(make_frame()).detections) == 3


@pytest.mark.parametrize('size', [(1, 1), (1, 5000), (5000, 1), (2, 3), (7680, 4320)])
@pytest.mark.parametrize(
    'selection',
    [
        Selection(),
        Selection(region=Region(0.3, 0.3, 0.31, 0.31)),
        Selection(region=Region(0.1, 0.1, 0.9, 0.9), tiling=Tiling(3, 2, 0.3)),
    ],
    ids=['whole', 'region', 'region and tiles'],
)
def test_an_image_of_any_size_is_answered_inside_itself(open_detector, make_frame, size, selection):
    detector = open_detector(output((-9, -9, 99, 99, 0.9, 0)), selection)
    found = detector.detect(make_frame(width=size[0], height=size[1])).detections
    assert len(found) >= 1
    assert (found.boxes_px >= 0).all()
    assert (found.boxes_px <= [*size, *size]).all()


@pytest.mark.parametrize('image', [np.zeros((0, 5, 3), np.uint8), np.zeros(7, np.uint8), np.zeros((), np.uint8)])
def test_an_array_that_is_no_image_is_refused_with_tiles_too(open_detector, make_frame, image):
    detector = open_detector(output(), Selection(tiling=Tiling(2, 2)))
    with pytest.raises(FrameError, match="An image from 'eo_optical' says bgr8 but is"):
        detector.detect(make_frame(image))


def test_the_stages_of_all_tiles_are_added_up(open_detector, make_frame):
    ticks = itertools.count()
    selection = Selection(tiling=Tiling(2, 1, 0.0, whole_too=False))
    times = open_detector(output(), selection, clock_ns=lambda: next(ticks)).detect(make_frame()).times
    # Two tiles of one tick a stage, and one for the merging: 7 in all.
    assert (times.preprocess_ns, times.inference_ns, times.decode_ns) == (2, 2, 3)


def test_resize_can_be_told_against_the_file(write_model, make_frame):
    path = write_model(output((16, 16, 32, 40, 0.9, 0)))
    for resize, box in (('stretch', [160, 120, 320, 300]), ('letterbox', [160, 80, 320, 320])):
        detector = Detector(choose_backend(path)(path), resize=resize)
        detector.open()
        np.testing.assert_allclose(detector.detect(make_frame()).detections.boxes_px, [box], atol=1e-4)
        detector.close()


def test_the_network_is_warmed_up_as_often_as_asked(write_model):
    path = write_model(output())
    backend = FailsOnce(choose_backend(path)(path))
    backend.runs = 2
    Detector(backend, warm_up_runs=5).open()
    assert backend.runs == 7


def test_an_unknown_class_refuses_the_start(write_model):
    path = write_model(output())
    with pytest.raises(ParameterError) as refused:
        Detector(choose_backend(path)(path), Selection(classes=('persom',))).open()
    assert str(refused.value) == (
        "Parameter `classes` has 'persom', which is not a class of tiny.onnx: did you mean 'person'? "
        '`ros2 run gremsy_model_tools model_info` lists its 3 classes.'
    )


def test_the_stages_are_timed_one_after_the_other(open_detector, make_frame):
    ticks = itertools.accumulate(itertools.count(1))  # 1, 3, 6, 10: 2, 3 and 4 apart
    detector = open_detector(output(), clock_ns=lambda: next(ticks))
    times = detector.detect(make_frame()).times
    assert (times.preprocess_ns, times.inference_ns, times.decode_ns) == (2, 3, 4)


class FailsOnce:
    """A back end whose second run (the first is the warm-up) fails."""

    def __init__(self, backend):
        self.backend = backend
        self.runs = 0
        self.closed = False

    def open(self):
        return self.backend.open()

    def new_input(self, shape, dtype):
        return self.backend.new_input(shape, dtype)

    def infer(self, tensor):
        self.runs += 1
        if self.runs == 2:
            raise InferenceError('out of memory')
        return self.backend.infer(tensor)

    def close(self):
        self.closed = True
        self.backend.close()

    description = 'fails once'


def test_after_a_failed_run_the_next_image_is_detected(write_model, make_frame):
    path = write_model(output((16, 16, 32, 40, 0.9, 0)))
    detector = Detector(FailsOnce(choose_backend(path)(path)))
    detector.open()
    with pytest.raises(InferenceError, match='out of memory'):
        detector.detect(make_frame())
    assert len(detector.detect(make_frame()).detections) == 1
    detector.close()


def test_after_an_image_that_cannot_be_read_the_next_one_is_detected(open_detector, make_frame):
    detector = open_detector(output((16, 16, 32, 40, 0.9, 0)))
    with pytest.raises(FrameError):
        detector.detect(make_frame(encoding='bayer_rggb8'))
    assert len(detector.detect(make_frame()).detections) == 1


def test_a_model_that_is_refused_is_let_go(write_model):
    path = write_model(np.zeros((1, 99)))
    backend = FailsOnce(choose_backend(path)(path))
    with pytest.raises(ModelError):
        Detector(backend).open()
    assert backend.closed


def test_a_detector_that_is_not_open_says_so(make_frame, tmp_path):
    path = tmp_path / 'm.onnx'
    detector = Detector(choose_backend(path)(path))
    with pytest.raises(InferenceError) as refused:
        detector.detect(make_frame())
    assert str(refused.value) == 'The detector has no model open: call open() first.'
    detector.close()


def test_default_means_the_shipped_model_and_a_tilde_the_home_folder(monkeypatch):
    monkeypatch.setenv('HOME', '/home/someone')
    assert model_path('default') == default_model_path()
    assert str(model_path('~/m.onnx')) == '/home/someone/m.onnx'
