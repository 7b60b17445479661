# SPDX-License-Identifier: Apache-2.0
"""Pictures of GStreamer as arrays, against GStreamer's own conversion to BGR of the same picture."""

import numpy as np
import pytest

from gremsy_camera.errors import PictureDamaged, SourceError
from gremsy_camera.gstreamer.gst_pictures import RAW_FORMATS, layout_of, pixels_of
from gremsy_camera.live.raw_pictures import FORMATS, PictureLayout, image_of
from gremsy_common.picture.picture_memory import PictureMemory

pytest_plugins = ['gremsy_camera.trial.pytest_gstreamer']

# Greys are their own truth below.
COLOURED = [name for name in RAW_FORMATS if not name.startswith('GRAY')]


def one_picture(gstreamer, caps, pattern='smpte'):
    gst = gstreamer.gst
    pipeline = gst.parse_launch(
        # From RGB: its own YUV is of limited range, whatever the caps say.
        f'videotestsrc pattern={pattern} num-buffers=1 ! video/x-raw,format=RGB '
        f'! videoconvert chroma-resampler=0 chroma-mode=0 ! {caps} '
        '! appsink name=sink sync=false'
    )
    pipeline.set_state(gst.State.PLAYING)
    sample = pipeline.get_by_name('sink').try_pull_sample(5 * gst.SECOND)
    assert sample is not None
    layout = layout_of(gstreamer, sample.get_caps())
    image = pixels_of(gstreamer, sample, layout, PictureMemory())()
    pipeline.set_state(gst.State.NULL)
    return image, layout


@pytest.mark.parametrize('colorimetry', ['bt601', '1:4:16:4'], ids=['limited', 'full'])
@pytest.mark.parametrize('size', [(64, 48), (66, 50), (63, 47), (1, 1), (2, 3)], ids=str)
@pytest.mark.parametrize('name', COLOURED)
def test_every_format_has_the_colours_that_gstreamer_gives_it(gstreamer, name, size, colorimetry):
    width, height = size
    colours = '' if name.startswith(('BGR', 'RGB')) else f',colorimetry={colorimetry}'
    # A plain colour: chroma halved and doubled again is nobody's truth at an edge.
    for pattern in ('red', 'green', 'blue', 'white', 'black'):
        image, layout = one_picture(
            gstreamer, f'video/x-raw,format={name},width={width},height={height}{colours}', pattern
        )
        truth = {'red': (0, 0, 255), 'green': (0, 255, 0), 'blue': (255, 0, 0)}.get(
            pattern, (255,) * 3 if pattern == 'white' else (0,) * 3
        )
        assert layout.encoding == 'bgr8' and image.shape == (height, width, 3) and image.dtype == np.uint8
        assert image.flags.c_contiguous
        np.testing.assert_allclose(image.reshape(-1, 3), np.tile(truth, (width * height, 1)), atol=4)


@pytest.mark.parametrize('name', COLOURED)
def test_every_pixel_is_where_it_belongs(gstreamer, name):
    caps = 'video/x-raw,format={},width=158,height=94'
    truth, _ = one_picture(gstreamer, caps.format('BGR'))
    image, _ = one_picture(gstreamer, caps.format(name))
    far = np.abs(image.astype(int) - truth).max(axis=2) > 12
    # Columns beside an edge of the colour bars share their chroma.
    assert far.mean() < 0.08


def test_grey_stays_grey(gstreamer):
    image, layout = one_picture(gstreamer, 'video/x-raw,format=GRAY8,width=63,height=47', 'white')
    assert (layout.encoding, image.dtype, image.shape) == ('mono8', np.uint8, (47, 63))
    assert (image >= 235).all()


def test_sixteen_bits_stay_sixteen(gstreamer):
    image, layout = one_picture(gstreamer, 'video/x-raw,format=GRAY16_LE,width=63,height=47', 'white')
    assert (layout.encoding, image.dtype, image.shape) == ('mono16', np.uint16, (47, 63))
    assert image.dtype.isnative and (image >= 235 << 8).all()


def test_padded_rows_are_left_out():
    layout = PictureLayout('GRAY16_LE', 3, 2, (10,), (4,), False, 0.0)
    data = np.zeros(4 + 10 + 6, np.uint8)
    rows = np.lib.stride_tricks.as_strided(data[4:], (2, 6), (10, 1))
    rows[:] = np.array([[1, 2, 3], [4, 5, 6]], '<u2').view(np.uint8)
    np.testing.assert_array_equal(image_of([data], layout, PictureMemory()), [[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize('name', RAW_FORMATS)
def test_too_few_bytes_are_an_error_and_no_crash(gstreamer, name):
    planes = FORMATS[name].planes
    layout = PictureLayout(name, 64, 48, (256, 256, 256)[:planes], (0, 3072, 4096)[:planes])
    with pytest.raises(ValueError, match=r'1000 of \d+ bytes'):
        image_of([np.zeros(1000, np.uint8)], layout, PictureMemory())
    caps = gstreamer.gst.Caps.from_string(f'video/x-raw,format={name},width=64,height=48')
    sample = gstreamer.gst.Sample.new(gstreamer.gst.Buffer.new_wrapped(bytes(1000)), caps, None, None)
    with pytest.raises(PictureDamaged) as raised:
        pixels_of(gstreamer, sample, layout_of(gstreamer, caps), PictureMemory())()
    assert str(raised.value) == f'A picture of GStreamer is smaller than {name} of 64x48: it is left out.'


def test_what_is_no_picture_is_refused_by_name(gstreamer):
    with pytest.raises(SourceError) as raised:
        layout_of(gstreamer, gstreamer.gst.Caps.from_string('video/x-raw,format=P010_10LE,width=4,height=4'))
    assert 'P010_10LE' in str(raised.value)


def test_a_jpeg_that_cannot_be_decoded_is_left_out(gstreamer):
    gst = gstreamer.gst
    sample = gst.Sample.new(gst.Buffer.new_wrapped(b'no picture'), gst.Caps.from_string('image/jpeg'), None, None)
    make = pixels_of(gstreamer, sample, layout_of(gstreamer, sample.get_caps()), PictureMemory())
    with pytest.raises(PictureDamaged) as raised:
        make()
    assert str(raised.value) == 'A JPEG picture cannot be decoded: it is left out.'
