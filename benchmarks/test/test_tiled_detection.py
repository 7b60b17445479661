# SPDX-License-Identifier: Apache-2.0
import numpy as np

from benchmarks.reference.tiled_detection import TileLayout, look_tiled, merge_boxes, tile_windows

WHOLE = (40.0, 90.0)


def find_bright(image):
    """A stand-in for the detector: the bounding box of what is bright."""
    rows, columns = np.nonzero(image[:, :, 0] > 128)
    if not len(rows):
        return np.zeros((0, 4)), np.zeros(0)
    found = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], dtype=np.float64)
    return found, np.array([0.9])


def image_with(box):
    image = np.zeros((576, 768, 3), dtype=np.uint8)
    image[box[1] : box[3], box[0] : box[2]] = 255
    return image


def test_the_whole_image_and_overlapping_tiles_cover_everything():
    windows = tile_windows(768, 576, TileLayout())
    assert windows[0].tolist() == [0, 0, 768, 576]
    assert windows[1].tolist() == [0, 0, 384, 288]
    assert windows[5].tolist() == [192, 144, 576, 432]
    assert windows[-1].tolist() == [384, 288, 768, 576]


def test_somebody_on_the_border_of_tiles_is_found_whole_once():
    wanted = [370, 270, 400, 350]
    boxes, scores = look_tiled(image_with(wanted), find_bright, TileLayout())
    assert (boxes == wanted).all(), 'a cut part was taken for a person'
    merged, _ = merge_boxes(boxes, scores, 0.45, 0.75)
    np.testing.assert_allclose(merged, [wanted])


def test_somebody_at_the_images_own_edge_is_kept():
    wanted = [740, 500, 768, 576]
    boxes, _ = look_tiled(image_with(wanted), find_bright, TileLayout())
    assert len(boxes) and (boxes == wanted).all()


def test_boxes_that_agree_are_averaged_by_score_and_parts_go():
    boxes = np.array([[0.0, 0, 10, 20], [2, 0, 12, 20], [1, 0, 9, 8], [50, 0, 60, 20]])
    merged, scores = merge_boxes(boxes, np.array([0.6, 0.2, 0.5, 0.4]), 0.45, 0.75)
    np.testing.assert_allclose(merged, [[0.5, 0, 10.5, 20], [50, 0, 60, 20]])
    np.testing.assert_allclose(scores, [0.6, 0.4])


def test_nothing_merges_to_nothing():
    merged, scores = merge_boxes(np.zeros((0, 4)), np.zeros(0), 0.45, 0.75)
    assert merged.shape == (0, 4) and scores.shape == (0,)
