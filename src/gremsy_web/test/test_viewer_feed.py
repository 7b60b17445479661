# SPDX-License-Identifier: Apache-2.0
"""What one viewer is sent, and what is left out for it."""

from __future__ import annotations

import asyncio

import pytest

from gremsy_web.video_server.video_paths import SharedPicture
from gremsy_web.video_server.viewer_feed import ViewerFeed


class Asked:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def put(feed: ViewerFeed, *times: int, key: bool = False) -> None:
    for time in times:
        feed.put(lambda time=time: SharedPicture((b'12345',), time, key), key)


def test_nothing_is_cut_for_a_viewer_that_is_not_connected():
    def never() -> SharedPicture:
        raise AssertionError('it was cut')

    ViewerFeed(Asked()).put(never, True)


def test_a_viewer_begins_with_a_key_frame_and_asks_for_one():
    async def see() -> None:
        asked = Asked()
        feed = ViewerFeed(asked)
        put(feed, 1, key=True)
        waits = asyncio.create_task(feed.next())
        await asyncio.sleep(0)
        assert asked.count == 1
        put(feed, 2, 3)
        assert asked.count == 3
        put(feed, 4, key=True)
        put(feed, 5)
        assert [(await waits).timestamp, (await feed.next()).timestamp] == [4, 5]
        assert (asked.count, feed.sent_bytes, feed.discarded) == (3, 10, 0)

    asyncio.run(see())


def test_a_viewer_that_is_far_behind_goes_on_with_the_next_key_frame():
    async def see() -> None:
        asked = Asked()
        feed = ViewerFeed(asked)
        waits = asyncio.create_task(feed.next())
        await asyncio.sleep(0)
        put(feed, 0, key=True)
        await waits
        put(feed, *range(1, 32))
        assert (feed.discarded, asked.count) == (31, 2)
        put(feed, 32)
        put(feed, 33, key=True)
        assert (await feed.next()).timestamp == 33

    asyncio.run(see())


def test_a_picture_that_cannot_be_cut_is_left_out():
    async def see() -> None:
        feed = ViewerFeed(Asked())
        waits = asyncio.create_task(feed.next())
        await asyncio.sleep(0)
        feed.put(lambda: None, True)
        assert not waits.done()
        put(feed, 1)
        put(feed, 2, key=True)
        assert (await waits).timestamp == 2

    asyncio.run(see())


@pytest.mark.parametrize('first', [True, False], ids=['while it waits', 'before'])
def test_the_end_is_told(first):
    async def see() -> None:
        feed = ViewerFeed(Asked())
        if not first:
            feed.end()
        waits = asyncio.create_task(feed.next())
        await asyncio.sleep(0)
        feed.end()
        assert await waits is None
        put(feed, 1, key=True)
        assert await feed.next() is None

    asyncio.run(see())
