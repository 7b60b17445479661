# SPDX-License-Identifier: Apache-2.0
"""What the archive of `doctor --robot` has of a running graph, of the real middleware."""

import threading
import time
import uuid

import pytest

rclpy = pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image, Imu

from gremsy_bringup.robot_doctor.doctor_telemetry_node import listen

pytestmark = pytest.mark.integration

RATE_HZ, LATE_NS = 50, 200_000_000


def test_rates_ages_and_words_are_heard_and_no_picture_is_asked_for():
    topic = f'/it_{uuid.uuid4().hex[:8]}/gimbal/attitude'
    picture = topic.replace('gimbal/attitude', 'image_raw')
    context = rclpy.Context()
    rclpy.init(context=context, args=[])
    talker, listener = (rclpy.create_node(name, context=context) for name in ('talker', 'listener'))
    attitude = talker.create_publisher(Imu, topic, 10)
    diagnostics = talker.create_publisher(DiagnosticArray, '/diagnostics', 10)
    pictures = talker.create_publisher(Image, picture, 1)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(listener)
    ended = threading.Event()

    def talk():
        status = DiagnosticStatus(name=topic, level=DiagnosticStatus.WARN, message='warm')
        status.values = [KeyValue(key='rate (Hz)', value='50.0')]
        while not ended.wait(1.0 / RATE_HZ):
            message = Imu()
            stamp_ns = talker.get_clock().now().nanoseconds - LATE_NS
            message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
            attitude.publish(message)
            diagnostics.publish(DiagnosticArray(status=[status]))

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        asked = []

        def spin_once(seconds):
            asked.append(pictures.get_subscription_count())
            executor.spin_once(seconds)

        began = time.monotonic()
        told = listen(listener, spin_once, 3.0)
        took = time.monotonic() - began
    finally:
        ended.set()
        thread.join()
        executor.shutdown()
        for node in (talker, listener):
            node.destroy_node()
        rclpy.shutdown(context=context)
    rates = told['rates'][topic]
    assert 0 < rates['messages'] <= RATE_HZ * took + 1
    assert rates['rate_hz'] == pytest.approx(rates['messages'] / 3.0, abs=0.01)
    # The stamp's age, and not the time of anything else; under load it only grows.
    assert rates['age_ms_p99'] >= rates['age_ms_p50'] >= LATE_NS / 1e6
    assert told['diagnostics'][topic] == {'level': 1, 'message': 'warm', 'values': {'rate (Hz)': '50.0'}}
    assert told['topics'][picture]['publishers'] == 1
    assert picture not in told['rates']
    assert set(asked) == {0}
