# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from gremsy_common.dds_settings import memory_for_images

CONFIG = Path(__file__).parents[2] / 'gremsy_bringup' / 'config'
REMEDY = (
    'set FASTRTPS_DEFAULT_PROFILES_FILE and FASTDDS_DEFAULT_PROFILES_FILE to '
    "gremsy_bringup's config/fastdds_shm.xml in the shell that starts the camera's node."
)
PROFILE = """<dds><profiles xmlns="http://www.eprosima.com"><transport_descriptors><transport_descriptor>
<transport_id>shm</transport_id><type>SHM</type>{}</transport_descriptor></transport_descriptors></profiles></dds>"""


def test_fast_dds_without_a_profile_has_too_little():
    found = memory_for_images({'FASTDDS_BUILTIN_TRANSPORTS': 'LARGE_DATA'})
    assert not found.enough
    assert found.sentence == (
        'Fast DDS has its default 512 kB of shared memory, in which an image does not fit, so that other processes '
        f'lose most images: {REMEDY}'
    )


@pytest.mark.parametrize('variable', ['FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE'])
def test_the_shipped_profile_has_enough(variable):
    path = str(CONFIG / 'fastdds_shm.xml')
    found = memory_for_images({variable: path})
    assert found.enough
    assert found.sentence == f"Fast DDS's profile '{path}' has 33.6 MB of shared memory for images."


def test_a_picture_that_is_larger_than_the_memory_does_not_fit():
    path = str(CONFIG / 'fastdds_shm.xml')
    found = memory_for_images({'FASTDDS_DEFAULT_PROFILES_FILE': path}, picture_bytes=7680 * 4320 * 3)
    assert not found.enough
    assert found.sentence == (
        f"Fast DDS's profile '{path}' has 33.6 MB of shared memory, and an image takes 99.5 MB: {REMEDY}"
    )


def test_a_profile_without_shared_memory_has_none():
    path = str(CONFIG / 'fastdds_loopback.xml')
    found = memory_for_images({'FASTRTPS_DEFAULT_PROFILES_FILE': path})
    assert not found.enough
    assert found.sentence == (
        f"Fast DDS's profile '{path}' has no shared memory, so that images go over the network, where other processes "
        f'lose most: {REMEDY}'
    )


@pytest.mark.parametrize(
    ('size', 'enough'),
    [
        ('', False),
        ('<segment_size>6220799</segment_size>', False),
        ('<segment_size> 6220800 </segment_size>', True),
        ('<segment_size>many</segment_size>', False),
    ],
)
def test_the_segment_counts_and_defaults_to_512_kb(tmp_path, size, enough):
    path = tmp_path / 'profile.xml'
    path.write_text(PROFILE.format(size))
    assert memory_for_images({'FASTRTPS_DEFAULT_PROFILES_FILE': str(path)}).enough is enough


@pytest.mark.parametrize('content', [None, '<dds>', ''], ids=['missing', 'cut short', 'empty'])
def test_a_profile_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / 'profile.xml'
    if content is not None:
        path.write_text(content)
    found = memory_for_images({'FASTRTPS_DEFAULT_PROFILES_FILE': str(path)})
    assert not found.enough
    assert found.sentence.startswith(f"Fast DDS's profile '{path}' cannot be read (")
    assert found.sentence.endswith(f'): {REMEDY}')


def test_another_middleware_is_not_judged():
    found = memory_for_images({'RMW_IMPLEMENTATION': 'rmw_cyclonedds_cpp'})
    assert found.enough
    assert found.sentence == 'rmw_cyclonedds_cpp is used, whose memory for images is not known here.'
