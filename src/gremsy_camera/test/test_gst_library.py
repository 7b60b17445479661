# SPDX-License-Identifier: Apache-2.0
"""Whether GStreamer is there, which decoder is taken, what errors say."""

import subprocess
import sys
import types

import pytest

from gremsy_camera.errors import SourceUnusable
from gremsy_camera.gstreamer.gst_decoders import choose_decoder
from gremsy_camera.gstreamer.gst_library import APT_LINE, GStreamer, load_gstreamer, pipeline_error, why_no_gstreamer

pytest_plugins = ['gremsy_camera.trial.pytest_gstreamer']


@pytest.fixture
def nothing_loaded():
    load_gstreamer.cache_clear()
    yield
    load_gstreamer.cache_clear()


def test_a_python_without_gi_is_told_what_to_install(nothing_loaded, monkeypatch):
    monkeypatch.setitem(sys.modules, 'gi', None)
    assert why_no_gstreamer() == (
        f'{sys.executable} has no GStreamer (no module `gi`): {APT_LINE}, and run the nodes with the Python of the '
        'system, or in a virtual environment made with --system-site-packages.'
    )


def test_a_gi_without_gstreamer_is_told_what_to_install(nothing_loaded, monkeypatch):
    def require_version(name, version):
        raise ValueError(f'Namespace {name} not available')

    monkeypatch.setitem(sys.modules, 'gi', types.SimpleNamespace(require_version=require_version))
    assert why_no_gstreamer() == f'GStreamer lacks a part for Python (Namespace Gst not available): {APT_LINE}.'


def test_a_gstreamer_that_runs_already_is_loaded(gstreamer, nothing_loaded):
    assert load_gstreamer().version == gstreamer.version


def test_a_missing_element_is_named_with_its_package(gstreamer, monkeypatch):
    with pytest.raises(SourceUnusable) as raised:
        gstreamer.make('nvvidconv')
    assert str(raised.value) == 'GStreamer has no element nvvidconv: sudo apt-get install nvidia-l4t-gstreamer.'


EXCEPTION_AFTER_GSTREAMER = """
import sys
sys.path[:0] = [path for path in sys.argv[1].split(':') if path]
import rclpy
from rclpy.executors import SingleThreadedExecutor
from gremsy_camera.gstreamer.gst_library import load_gstreamer
load_gstreamer()
import onnxruntime
context = rclpy.Context()
rclpy.init(context=context, args=[])
# Destroying it again, as Python does with what goes, raises an exception in rclpy's C++.
SingleThreadedExecutor(context=context).shutdown()
rclpy.shutdown(context=context)
print('went on')
"""


def test_exceptions_of_other_libraries_go_on_after_gstreamer_was_loaded(gstreamer):
    """As in a container: ROS, then a camera of GStreamer, then the detector's ONNX Runtime."""
    pytest.importorskip('rclpy', reason='ROS 2 is not sourced: run ./gremsy test')
    pytest.importorskip('onnxruntime')
    ran = subprocess.run(
        [sys.executable, '-c', EXCEPTION_AFTER_GSTREAMER, ':'.join(sys.path)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, 'went on\n'), ran.stderr


class Element:
    """One that has every property in `properties`; `starts` where READY is reached."""

    def __init__(self, starts, properties=()):
        self.starts, self.properties, self.values = starts, properties, {}

    def find_property(self, name):
        return name if name in self.properties else None

    def set_state(self, state):
        return 'failure' if state == 'ready' and not self.starts else 'success'


class Machine:
    """GStreamer as a machine with these elements has it, as far as the choice of a decoder asks."""

    def __init__(self, **elements):
        self.elements = elements
        self.State = types.SimpleNamespace(READY='ready', NULL='null')
        self.StateChangeReturn = types.SimpleNamespace(FAILURE='failure')
        self.ElementFactory = types.SimpleNamespace(find=elements.get, make=lambda name, _: elements.get(name))

    @staticmethod
    def util_set_object_arg(element, name, value):
        element.values[name] = value


def choose(machine, wanted='auto', failed=(), in_order=(), encoding='H264'):
    return choose_decoder(GStreamer(machine, None), encoding, wanted, dict(failed), in_order)


def test_the_jetsons_decoder_comes_first_and_is_told_to_hold_nothing_back():
    # Properties as `gst-inspect-1.0 nvv4l2decoder` of JetPack 6 lists them.
    jetson = Element(True, ['enable-max-performance', 'disable-dpb', 'max-errors'])
    chosen = choose(Machine(nvv4l2decoder=jetson, nvh264dec=Element(True), avdec_h264=Element(True)))
    assert (chosen.decoder.element, chosen.passed_over, chosen.promised_no_reorder) == ('nvv4l2decoder', {}, True)
    assert jetson.values == {'enable-max-performance': 'true', 'disable-dpb': 'true', 'max-errors': '-1'}
    assert chosen.decoder.then == 'nvvidconv ! video/x-raw,format=NV12'


def test_a_stream_with_b_frames_is_put_in_order_by_it():
    jetson = Element(True, ['enable-max-performance', 'disable-dpb'])
    chosen = choose(Machine(nvv4l2decoder=jetson), in_order={'nvv4l2decoder'})
    assert jetson.values == {'enable-max-performance': 'true'} and not chosen.promised_no_reorder


def test_what_is_installed_without_its_hardware_is_passed_over_with_the_reason():
    machine = Machine(nvh264dec=Element(False), vah264dec=Element(False), avdec_h264=Element(True))
    chosen = choose(machine)
    assert chosen.decoder.element == 'avdec_h264'
    assert chosen.passed_over == {
        'nvv4l2decoder': 'is not installed',
        'nvh264dec': 'does not start on this machine',
        'vah264dec': 'does not start on this machine',
        'vaapih264dec': 'is not installed',
        'v4l2h264dec': 'is not installed',
    }


@pytest.mark.parametrize(
    ('wanted', 'element'), [('auto', 'vah265dec'), ('hardware', 'vah265dec'), ('software', 'avdec_h265')]
)
def test_the_kind_that_is_wanted_is_taken(wanted, element):
    machine = Machine(vah265dec=Element(True), avdec_h265=Element(True))
    assert choose(machine, wanted, encoding='H265').decoder.element == element


def test_one_that_failed_on_this_stream_is_followed_by_the_next():
    machine = Machine(nvh264dec=Element(True), openh264dec=Element(True))
    chosen = choose(machine, failed={'nvh264dec': 'failed on this stream: no'}.items())
    assert chosen.decoder.element == 'openh264dec'
    assert chosen.passed_over['nvh264dec'] == 'failed on this stream: no'


def test_no_decoder_at_all_names_the_package():
    with pytest.raises(SourceUnusable) as raised:
        choose(Machine(), 'software')
    assert str(raised.value) == (
        'GStreamer has no decoder for H.264 in software that works here (avdec_h264 is not installed, openh264dec is '
        'not installed): sudo apt-get install gstreamer1.0-libav.'
    )


def error_of(gstreamer, description):
    gst = gstreamer.gst
    pipeline = gst.parse_launch(description)
    pipeline.set_state(gst.State.PLAYING)
    message = pipeline.get_bus().timed_pop_filtered(5 * gst.SECOND, gst.MessageType.ERROR)
    pipeline.set_state(gst.State.NULL)
    return pipeline_error(gstreamer, message)


def test_an_error_is_read_without_the_names_of_c_files(gstreamer):
    error = error_of(gstreamer, 'filesrc location=/none.bin name=file ! fakesink')
    assert (error.sender, error.status) == ('file', 0)
    assert error.words == 'Could not open file "/none.bin" for reading (system error: No such file or directory)' or (
        '.c' not in error.words and '/none.bin' in error.words
    )


def test_what_failed_to_flow_is_said(gstreamer):
    error = error_of(gstreamer, 'videotestsrc ! identity error-after=1 name=middle ! fakesink')
    assert '.c(' not in error.words and error.words
