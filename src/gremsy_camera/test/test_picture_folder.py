# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest

from gremsy_camera.errors import SourceEnded, SourceError, SourceUnusable
from gremsy_camera.footage.footage_reader import AtEnd, FootageReader
from gremsy_camera.footage.picture_folder import PictureFolder
from gremsy_camera.sources import create_source


@pytest.fixture
def fill(tmp_path):
    """Pictures named so that the alphabet has them in another order than their numbers; each of a grey of 8 k."""

    def make(count, suffix='.png', width=64, kind=np.uint8, channels=3):
        for index in range(count):
            shape = (48, width, channels) if channels > 1 else (48, width)
            cv2.imwrite(str(tmp_path / f'frame{index + 8}{suffix}'), np.full(shape, 8 * index, kind))
        return tmp_path

    return make


def levels(reader, count):
    return [round(float(reader.next().image.mean()) / 8) for _ in range(count)]


@pytest.mark.parametrize('suffix', ['.png', '.jpg', '.JPEG', '.bmp', '.tif', '.webp'])
def test_pictures_come_in_the_order_of_their_numbers(fill, suffix):
    reader = PictureFolder(fill(5, suffix))
    info = reader.open()
    assert (info.width, info.height, info.rate_hz, info.frames) == (64, 48, 0.0, 5)
    assert levels(reader, 12) == [0, 1, 2, 3, 4] * 2 + [0, 1]
    assert reader.loops == 2 and reader.decode_failures == 0


def test_what_is_no_picture_of_this_size_is_left_out_and_counted(fill):
    folder = fill(4)
    (folder / 'frame9.png').write_bytes(b'no picture')
    cv2.imwrite(str(folder / 'frame10.png'), np.zeros((48, 32, 3), np.uint8))
    (folder / 'notes.txt').write_text('no picture by its name')
    (folder / 'frame5.png').mkdir()
    reader = PictureFolder(folder, AtEnd.HOLD)
    reader.open()
    assert levels(reader, 2) == [0, 3] and reader.next() is None
    assert reader.decode_failures == 2 and reader.ended


def test_grey_of_8_bits_is_colour_and_of_16_stays(fill, tmp_path):
    eight = PictureFolder(fill(2, channels=1))
    eight.open()
    assert eight.next().image.shape == (48, 64, 3)
    infrared = tmp_path / 'infrared'
    infrared.mkdir()
    truth = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) * 21
    cv2.imwrite(str(infrared / '1.png'), truth)
    reader = PictureFolder(infrared)
    reader.open()
    np.testing.assert_array_equal(reader.next().image, truth)


def test_colours_of_16_bits_become_8(fill):
    reader = PictureFolder(fill(3, kind=np.uint16))
    reader.open()
    assert reader.next().image.dtype == np.uint8


def test_a_folder_that_stops_says_so(fill):
    folder = fill(2)
    reader = PictureFolder(folder, AtEnd.STOP)
    reader.open()
    levels(reader, 2)
    with pytest.raises(SourceEnded) as raised:
        reader.next()
    assert str(raised.value) == (
        f'The folder {folder} ended after 2 pictures and `at_end` is `stop`: set `at_end` to `loop` or `hold` to go on.'
    )


def test_a_folder_that_is_emptied_breaks_and_new_pictures_come_in_the_next_round(fill):
    folder = fill(2)
    reader = PictureFolder(folder)
    reader.open()
    levels(reader, 1)
    cv2.imwrite(str(folder / 'frame99.png'), np.full((48, 64, 3), 80, np.uint8))
    assert levels(reader, 4) == [1, 0, 1, 10]
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(SourceError) as raised:
        reader.next()
    assert str(raised.value) == f'The pictures of {folder} have gone: put them back, or set another `source`.'


def test_a_folder_without_pictures_is_one_sentence(tmp_path):
    with pytest.raises(SourceUnusable) as raised:
        PictureFolder(tmp_path).open()
    assert str(raised.value) == (
        f'The folder {tmp_path} holds no pictures: name one with .bmp, .jpeg, .jpg, .png, .tif, .tiff or .webp, or a '
        'video file.'
    )


def test_a_folder_of_damaged_pictures_is_one_sentence(tmp_path):
    (tmp_path / 'a.png').write_bytes(b'no picture')
    with pytest.raises(SourceUnusable) as raised:
        PictureFolder(tmp_path).open()
    assert str(raised.value) == (f'None of the 1 pictures in {tmp_path} can be decoded: check that they are complete.')


def test_a_folder_is_no_footage_of_the_simulated_camera(tmp_path):
    with pytest.raises(SourceUnusable) as raised:
        FootageReader(tmp_path).open()
    assert str(raised.value) == f'{tmp_path} is a folder: name a video in it.'


def test_a_folder_plays_at_the_rate_asked_for(context, fill, said):
    folder = fill(3)
    source = create_source(str(folder), context(rate_hz=20.0))
    assert source.open().rate_hz == 20.0
    captured = [source.read(1.0) for _ in range(4)]
    assert [each.footage_index for each in captured] == [0, 1, 2, 0]
    assert np.diff([each.frame.stamp_ns for each in captured]).tolist() == [50_000_000] * 3
    assert said.sentences == [f'The folder {folder} ended and starts again.']
    source.close()


def test_a_folder_of_infrared_is_mono16(context, fill):
    source = create_source(f'file://{fill(2, ".tiff", kind=np.uint16, channels=1)}', context())
    assert source.open().rate_hz == 10.0
    frame = source.read(1.0).frame
    assert frame.encoding == 'mono16' and frame.image.dtype == np.uint16 and not frame.image.flags.writeable
    source.close()


@pytest.mark.parametrize(
    ('kind', 'channels', 'encoding'), [(np.uint16, 1, 'mono16'), (np.uint16, 3, 'bgr8'), (np.uint8, 1, 'bgr8')]
)
def test_one_picture_is_given_as_the_same_one_in_a_folder(context, fill, kind, channels, encoding):
    folder = fill(1, '.png', kind=kind, channels=channels)
    frames = []
    for path in (folder, next(folder.iterdir())):
        source = create_source(str(path), context())
        source.open()
        frames.append(source.read(1.0).frame)
        source.close()
    assert [each.encoding for each in frames] == [encoding, encoding]
    assert np.array_equal(frames[0].image, frames[1].image)
