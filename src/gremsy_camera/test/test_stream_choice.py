# SPDX-License-Identifier: Apache-2.0
"""Which reader is taken, and why not another."""

import pytest

from gremsy_camera.errors import SourceUnusable
from gremsy_camera.live.live_parameters import LiveParameters
from gremsy_camera.streams import gstreamer_reader, opencv_reader, pyav_reader, stream_choice
from gremsy_camera.streams.stream_choice import choose_reader


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine that has these readers, and is a Jetson or none."""

    def make(*has, jetson=False):
        for module in (pyav_reader, gstreamer_reader, opencv_reader):
            name = module.__name__.rpartition('.')[2].removesuffix('_reader')
            monkeypatch.setattr(module, 'why_not', lambda _, name=name: None if name in has else f'No {name}: get it.')
        release = tmp_path / 'nv_tegra_release'
        if jetson:
            release.touch()
        monkeypatch.setattr(stream_choice, '_JETSON', release)

    return make


@pytest.mark.parametrize(
    ('has', 'name', 'refused'),
    [
        (('pyav', 'gstreamer', 'opencv'), 'pyav', []),
        (('gstreamer', 'opencv'), 'gstreamer', ['pyav']),
        (('opencv',), 'opencv', ['pyav', 'gstreamer']),
    ],
)
def test_the_first_that_the_machine_has_is_taken_and_the_others_are_explained(machine, has, name, refused):
    machine(*has)
    chosen = choose_reader(LiveParameters())
    assert chosen.name == name
    assert chosen.details == (('reader', name), *((f'not read by {each}', f'No {each}: get it.') for each in refused))
    reasons = '; '.join(f'No {each}' for each in refused)
    assert chosen.sentence == f'RTSP is read by {name}' + (
        f': {reasons} (`./gremsy doctor` says how to get it).' if refused else '.'
    )


@pytest.mark.parametrize(
    ('has', 'decoder', 'name'),
    [
        (('pyav', 'gstreamer', 'opencv'), 'auto', 'gstreamer'),
        (('pyav', 'gstreamer', 'opencv'), 'hardware', 'gstreamer'),
        (('pyav', 'gstreamer', 'opencv'), 'software', 'pyav'),
        (('pyav', 'opencv'), 'auto', 'pyav'),
    ],
)
def test_a_jetsons_decoder_is_gstreamers(machine, has, decoder, name):
    machine(*has, jetson=True)
    assert choose_reader(LiveParameters(decoder=decoder)).name == name


def test_the_one_that_is_asked_for_is_taken_or_refused(machine):
    machine('pyav', 'opencv')
    assert choose_reader(LiveParameters(reader='opencv')).details == (('reader', 'opencv'),)
    with pytest.raises(SourceUnusable) as raised:
        choose_reader(LiveParameters(reader='gstreamer'))
    assert str(raised.value) == ('Nothing on this machine can read RTSP with `reader` gstreamer. No gstreamer: get it.')


def test_none_at_all_gives_every_reason(machine):
    machine()
    with pytest.raises(SourceUnusable) as raised:
        choose_reader(LiveParameters())
    assert str(raised.value) == (
        'Nothing on this machine can read RTSP with `reader` auto. No pyav: get it. No gstreamer: get it. '
        'No opencv: get it.'
    )
