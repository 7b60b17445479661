# SPDX-License-Identifier: Apache-2.0
"""Memory of pictures comes again, and never while somebody looks at what is in it."""

import gc
import threading

import numpy as np

from gremsy_common.picture.picture_memory import PictureMemory, block_of
from gremsy_common.types.frame import lock_read_only

SHAPE = (40, 30, 3)


def address(array):
    return array.ctypes.data


def test_memory_that_nobody_looks_at_comes_again():
    memory = PictureMemory()
    places = set()
    for value in range(10):
        image = memory.new(SHAPE)
        assert (image.shape, image.dtype, image.flags.writeable) == (SHAPE, np.uint8, True)
        image[...] = value
        places.add(address(lock_read_only(image)))
        del image
    assert len(places) == 1
    assert places.pop() % 4096 == 0


def test_a_view_of_a_view_keeps_what_it_shows():
    memory = PictureMemory()
    image = memory.new(SHAPE)
    image[...] = 7
    row = image[2:, ::2][0]
    del image
    gc.collect()
    others = [memory.new(SHAPE) for _ in range(3)]
    for other in others:
        other[...] = 9
    assert (row == 7).all()
    assert address(row) // 4096 not in {address(other) // 4096 for other in others}


def test_another_size_has_memory_of_its_own_and_the_old_is_let_go():
    memory = PictureMemory()
    small, large = memory.new((10, 10), 'uint16'), memory.new(SHAPE)
    assert (small.dtype, small.nbytes, large.nbytes) == (np.uint16, 200, 3600)
    del small, large
    assert len(memory._idle) == 1


def test_whoever_keeps_many_does_not_make_the_memory_grow_for_ever():
    memory = PictureMemory()
    kept = [memory.new(SHAPE) for _ in range(50)]
    kept.clear()
    assert len(memory._idle) == 4


def test_threads_get_memory_of_their_own():
    memory, wrong = PictureMemory(), []

    def work(value):
        for _ in range(300):
            image = memory.new(SHAPE)
            image[...] = value
            if not (image == value).all():
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(value,)) for value in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert wrong == []


def test_its_block_is_told_by_whose_memory_a_picture_is():
    memory = PictureMemory()
    blocks = set()
    for _ in range(3):
        image = memory.new(SHAPE)
        owner = image
        while isinstance(owner, np.ndarray) and owner.base is not None:
            owner = owner.base
        blocks.add(id(block_of(owner.obj)))
        del image, owner
    assert len(blocks) == 1
    plain = np.zeros(SHAPE)
    assert block_of(plain) is plain
