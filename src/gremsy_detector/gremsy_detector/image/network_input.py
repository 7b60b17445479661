# SPDX-License-Identifier: Apache-2.0
"""An image into the network's input tensor, through buffers that are made once.

The resize runs on the source's own numbers, before anything becomes float: 1080p to 640 costs a quarter of converting
first (measured on one core). A network that takes uint8 [1, H, W, 3] BGR gets the resize's output itself. Padding is
written when the source's size changes, and never again.

Which source encodings the detector takes, and how each becomes 8-bit colour or grey.

Encodings whose pixels stand for themselves (bgr8, rgba8, mono16, ...) are resized as they are, and their channels put
in order afterwards, on a fifth of the pixels. Those whose pixels share colour with their neighbours (YUV, Bayer) become
BGR first, at full size, in a buffer that is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gremsy_common.picture.infrared_stretch import InfraredStretch
from gremsy_common.types.frame import Frame
from gremsy_common.types.pixel_layout import PIXEL_LAYOUTS, PixelLayout
from gremsy_detector.errors import FrameError
from gremsy_detector.image.picture_form import PictureForm, PictureSlot
from gremsy_detector.image.resize import PADDING_GREY, Placement, letterbox, resize_into, stretch, top_left
from gremsy_detector.model.model_description import InputDescription, ResizeMode

# A demosaic looks at the neighbours: of less than 3x3 pixels OpenCV makes black.
_SMALLEST_BAYER_PX = 3


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An image that can be resized.

    Attributes:
        pixels: (H, W) or (H, W, C), uint8, or uint16 of one channel, in this machine's byte order.
        rgb: at which channel red, green and blue lie; the same thrice for grey.
        converted: `pixels` is BGR made of something else, in the reader's buffer.
    """

    pixels: NDArray[Any]
    rgb: tuple[int, int, int]
    converted: bool = False


class PictureReader:
    """Turns frames into pictures; for sources of one size and encoding it allocates nothing after the first frame."""

    def __init__(self) -> None:
        self._buffers: dict[str, NDArray[Any]] = {}

    def read(self, frame: Frame) -> Picture:
        """A view of the frame's own pixels where they can be resized as they are, else of a buffer.

        Raises:
            FrameError: for an unknown encoding, or an image that is not what it says.
        """
        layout = PIXEL_LAYOUTS.get(frame.encoding)
        if layout is None:
            raise FrameError(
                f"Images from '{frame.frame_id}' are encoded as '{frame.encoding}': "
                f'publish them as {", ".join(PIXEL_LAYOUTS)}.',
                'unknown encoding',
            )
        image: NDArray[Any] = frame.image
        _check(frame, layout)
        if not image.dtype.isnative or not _in_rows(image):
            # 16 bits in the other byte order, or rows that OpenCV cannot read: put right as they are copied.
            plain = self._scratch('plain', image.shape, np.dtype(image.dtype.newbyteorder('=')))
            np.copyto(plain, image)
            image = plain
        if not layout.shares_colour or layout.to_bgr is None:
            return Picture(image, layout.rgb)
        height = layout.height_px(image.shape[0])
        bgr = self._scratch('bgr', (height, image.shape[1], 3), np.dtype(np.uint8))
        return Picture(cv2.cvtColor(image, layout.to_bgr, dst=bgr), layout.rgb, converted=True)

    def _scratch(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """The buffer of that name, made again where the source has changed."""
        kept = self._buffers.get(name)
        if kept is None or kept.shape != shape or kept.dtype != dtype:
            kept = self._buffers[name] = np.empty(shape, dtype)
        return kept


def _in_rows(image: NDArray[Any]) -> bool:
    """Do pixels follow each other, and rows, perhaps with padding?

    OpenCV reads rows of stride 0 wrongly, and refuses 16-bit rows that begin at odd addresses.
    """
    columns = image.shape[1]
    pixel = image[0, 0].nbytes
    packed = image.ndim == 2 or image.strides[2] == image.itemsize
    return packed and image.flags.aligned and image.strides[1] == pixel and image.strides[0] >= columns * pixel


def _check(frame: Frame, layout: PixelLayout) -> None:
    """Raises FrameError where the array is not an image of that layout."""
    image: NDArray[Any] = frame.image
    plain = image.ndim == 2 if layout.channels == 1 else image.ndim == 3 and image.shape[2] == layout.channels
    if not plain or image.dtype.newbyteorder('=') != np.dtype(layout.dtype) or image.size == 0:
        raise FrameError(
            f"An image from '{frame.frame_id}' says {frame.encoding} but is {image.dtype} {list(image.shape)}: "
            'check its publisher.',
            'another layout than said',
        )
    rows, columns = image.shape[:2]
    if layout.half_height_chroma and rows % 3:
        raise FrameError(
            f"An image from '{frame.frame_id}' says {frame.encoding} but has {rows} rows, which is not the picture's "
            'height and half of it: check its publisher.',
            'another layout than said',
        )
    height = layout.height_px(rows)
    if (layout.even_width and columns % 2) or (layout.even_height and height % 2):
        needed = 'width and height' if layout.even_height else 'width'
        raise FrameError(
            f"An image from '{frame.frame_id}' is {columns}x{height} px, and {frame.encoding} needs an even {needed}: "
            'publish it as bgr8, or in another size.',
            'odd size',
        )
    if frame.encoding.startswith('bayer_') and min(columns, height) < _SMALLEST_BAYER_PX:
        raise FrameError(
            f"An image from '{frame.frame_id}' is {columns}x{height} px, and {frame.encoding} needs "
            f'{_SMALLEST_BAYER_PX}x{_SMALLEST_BAYER_PX} at least: check its publisher.',
            'too small',
        )


_PLACE = {ResizeMode.LETTERBOX: letterbox, ResizeMode.STRETCH: stretch, ResizeMode.TOP_LEFT: top_left}
# Tiles and the whole image alternate: their buffers are kept. A source that changes its size for ever must not fill the
# memory; four buffers an image size at most.
_MOST_BUFFERS = 32


def no_pictures(_form: PictureForm) -> PictureSlot | None:
    """Of a back end that takes the network's input only."""
    return None


class NetworkInput:
    """The input tensor of one model, filled image after image."""

    def __init__(
        self,
        description: InputDescription,
        tensor: NDArray[Any] | None = None,
        pictures: Callable[[PictureForm], PictureSlot | None] = no_pictures,
    ) -> None:
        """Allocate.

        Args:
            description: of the input.
            tensor: zeroed, of the description's shape and dtype, from the back end; None makes one.
            pictures: the slot for pictures of a form that the back end resizes itself; None where it does not.
        """
        self._description = description
        self._scaled = np.dtype(description.dtype) != np.uint8
        self._mean = np.array(description.mean, np.float32)
        self._std = np.array(description.std, np.float32)
        self._centred = bool(self._mean.any())
        # One number for all channels: a grey picture then fills one of them, and the others are copies.
        self._channels_alike = len(set(description.mean)) == len(set(description.std)) == 1
        self._placement: Placement | None = None
        self._reader = PictureReader()
        self._infrared = InfraredStretch()
        self._infrared_whole = InfraredStretch()
        self._grey_whole: NDArray[np.uint8] = np.empty((0, 0), np.uint8)
        self._small: dict[tuple[tuple[int, ...], np.dtype[Any]], NDArray[Any]] = {}
        self._pictures = pictures
        self._own: NDArray[Any] = np.zeros(description.shape, dtype=description.dtype) if tensor is None else tensor
        self.tensor = self._own
        """What was filled last: the network's input, or a picture that the back end makes it of."""
        self._padded_for: Placement | None = None
        self._pad()

    def fill(self, frame: Frame) -> Placement:
        """Resize one image into `tensor`, or leave that to the back end, and say where in the input the image lies.

        Raises:
            FrameError: for an unknown encoding, or an image that is not what it says.
        """
        picture = self._reader.read(frame)
        height, width = picture.pixels.shape[:2]
        placement = self._placement
        if placement is None or (placement.source_width_px, placement.source_height_px) != (width, height):
            placement = self._place(width, height)
        try:
            if not self._leave_to_back_end(picture, placement, frame.stamp_ns):
                self._write(picture, placement, frame.stamp_ns)
        except cv2.error as error:
            raise FrameError(
                f"An image from '{frame.frame_id}', {frame.encoding} of {width}x{height} px, cannot be resized "
                f'({error.err}): publish it in another size.'
            ) from error
        return placement

    def cuttable(self, frame: Frame) -> Frame:
        """The same image for whom cuts windows out of it before `fill`.

        A window of a YUV or Bayer image would begin amid shared colours, and one of 4:2:0 would have none; windows of
        an infrared image would each be stretched in their own way. Those become bgr8 or mono8 here, once; all others
        are handed back as they are.

        Raises:
            FrameError: for an unknown encoding, or an image that is not what it says.
        """
        picture = self._reader.read(frame)
        if picture.pixels.dtype != np.uint8:
            # Not among the small buffers: a window as large as the network's input would be resized onto itself.
            if self._grey_whole.shape != picture.pixels.shape:
                self._grey_whole = np.empty(picture.pixels.shape, np.uint8)
            self._infrared_whole.stretch(picture.pixels, frame.stamp_ns, self._grey_whole)
            return replace(frame, image=self._grey_whole, encoding='mono8')
        if picture.converted:
            return replace(frame, image=picture.pixels, encoding='bgr8')
        return frame

    def _place(self, width_px: int, height_px: int) -> Placement:
        placement = _PLACE[self._description.resize](
            width_px, height_px, self._description.width_px, self._description.height_px
        )
        if len(self._small) > _MOST_BUFFERS:
            self._small.clear()
        self._placement = placement
        return placement

    def _pad(self) -> None:
        if not self._scaled:
            self._own[...] = PADDING_GREY
            return
        # Of float inputs, the channels are always the second axis.
        self._own[...] = ((np.float32(PADDING_GREY) - self._mean) / self._std)[:, None, None]

    def _leave_to_back_end(self, picture: Picture, placement: Placement, stamp_ns: int) -> bool:
        """Hand the picture over as it is, where the back end takes it."""
        size = (placement.height_px, placement.width_px)
        infrared = picture.pixels.dtype != np.uint8
        # How infrared is stretched goes by the whole picture: it is made small and 8-bit here.
        shown = replace(placement, source_height_px=size[0], source_width_px=size[1]) if infrared else placement
        channels = 1 if picture.pixels.ndim == 2 else picture.pixels.shape[2]
        form = PictureForm(shown, channels, picture.rgb)
        slot = self._pictures(form)
        if slot is None:
            return False
        pixels = self._resized(picture, size, stamp_ns) if infrared else picture.pixels
        if form.rows.evenly is None and slot.lends(pixels):
            # To copy no row spares more of the CPU than to bring up those between costs the bus.
            slot = self._pictures(replace(form, whole=True)) or slot
        self.tensor = slot.take(pixels)
        return True

    def _write(self, picture: Picture, placement: Placement, stamp_ns: int) -> None:
        self.tensor = self._own
        if self._padded_for != placement:
            # Only a source of another size moves the image: what it does not cover must be padding again.
            self._pad()
            self._padded_for = placement
        rows = slice(placement.y_px, placement.y_px + placement.height_px)
        columns = slice(placement.x_px, placement.x_px + placement.width_px)
        wanted = picture.rgb[::-1] if self._description.bgr else picture.rgb
        if not self._description.channels_last:
            self._write_planes(picture, self.tensor[0, :, rows, columns], wanted, stamp_ns)
        elif wanted == (0, 1, 2) and picture.pixels.shape[2] == 3:
            resize_into(picture.pixels, self.tensor[0, rows, columns])
        else:
            self._write_pixels(picture, self.tensor[0, rows, columns], wanted, stamp_ns)

    def _write_pixels(
        self, picture: Picture, target: NDArray[np.uint8], wanted: tuple[int, int, int], stamp_ns: int
    ) -> None:
        """Into (H, W, 3) uint8; `wanted` are the channels of the picture in the order of the target's."""
        small = self._resized(picture, target.shape[:2], stamp_ns)
        if small.ndim == 2:
            cv2.cvtColor(small, cv2.COLOR_GRAY2BGR, dst=target)
        elif small.shape[2] == 3:
            cv2.cvtColor(small, cv2.COLOR_BGR2RGB, dst=target)
        else:
            # "BGRA to BGR" drops the fourth channel and leaves the order, whatever it is called.
            cv2.cvtColor(small, cv2.COLOR_BGRA2BGR if wanted == (0, 1, 2) else cv2.COLOR_BGRA2RGB, dst=target)

    def _write_planes(
        self, picture: Picture, target: NDArray[Any], wanted: tuple[int, int, int], stamp_ns: int
    ) -> None:
        """Into (3, H, W) of any dtype."""
        small = self._resized(picture, target.shape[1:], stamp_ns)
        if small.ndim == 2:
            self._write_plane(small, target[0], 0)
            if self._channels_alike or not self._scaled:
                target[1:] = target[0]
                return
            for channel in (1, 2):
                self._write_plane(small, target[channel], channel)
            return
        planes = self._buffer((small.shape[2], *target.shape[1:]), np.dtype(np.uint8))
        cv2.split(small, list(planes))
        for index, channel in enumerate(wanted):
            self._write_plane(planes[channel], target[index], index)

    def _write_plane(self, plane: NDArray[np.uint8], target: NDArray[Any], channel: int) -> None:
        if not self._scaled:
            target[...] = plane
        elif self._centred:
            # float16 would round twice.
            centred = self._buffer(plane.shape, np.dtype(np.float32))
            np.subtract(plane, self._mean[channel], out=centred, dtype=np.float32)
            np.divide(centred, self._std[channel], out=target, casting='same_kind')
        else:
            # Divided, not multiplied by 1/255: the very float32 that the network was trained on, at the same price.
            np.divide(plane, self._std[channel], out=target, casting='same_kind')

    def _resized(self, picture: Picture, size: tuple[int, ...], stamp_ns: int) -> NDArray[np.uint8]:
        """The picture at (height, width) `size`, 8 bits, its channels as they were."""
        pixels = picture.pixels
        small = self._buffer((*size, *pixels.shape[2:]), pixels.dtype)
        resize_into(pixels, small)
        if pixels.dtype == np.uint8:
            return small
        grey: NDArray[np.uint8] = self._buffer(size, np.dtype(np.uint8))
        self._infrared.stretch(small, stamp_ns, grey)
        return grey

    def _buffer(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Kept for the next image of this size and encoding."""
        key = (shape, dtype)
        found = self._small.get(key)
        if found is None:
            found = self._small[key] = np.empty(shape, dtype)
        return found
