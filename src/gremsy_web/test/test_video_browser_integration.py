# SPDX-License-Identifier: Apache-2.0
"""A real Chromium sees the video, and says which picture it paints: by the RTP time that the publisher gave it."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import httpx
import pytest

from .video_rig import KnownPublisher, Server, built_in, eventually, mediamtx

pytestmark = pytest.mark.integration

# The least that a page has to do (draft-ietf-wish-whep-03); `seen` are RTP times and when they were painted.
WATCH = """async path => {
  window.seen = []; window.states = [];
  const video = document.createElement('video');
  video.muted = true; video.autoplay = true; document.body.append(video);
  const connection = new RTCPeerConnection();
  connection.addTransceiver('video', {direction: 'recvonly'});
  connection.onconnectionstatechange = () => window.states.push(connection.connectionState);
  connection.ontrack = event => { video.srcObject = event.streams[0]; };
  const painted = (now, frame) => {
    window.seen.push([frame.rtpTimestamp, performance.timeOrigin + frame.expectedDisplayTime, frame.width]);
    video.requestVideoFrameCallback(painted);
  };
  video.requestVideoFrameCallback(painted);
  await connection.setLocalDescription(await connection.createOffer());
  const answer = await fetch(path, {
    method: 'POST', headers: {'Content-Type': 'application/sdp'}, body: connection.localDescription.sdp});
  if (answer.status !== 201) return answer.status;
  window.session = new URL(answer.headers.get('location'), location.href).href;
  connection.onicecandidate = event => event.candidate && fetch(window.session, {
    method: 'PATCH', headers: {'Content-Type': 'application/trickle-ice-sdpfrag', 'If-Match': '*'},
    body: `m=video 9 UDP/TLS/RTP/SAVPF 96\\r\\na=mid:0\\r\\na=${event.candidate.candidate}\\r\\n`});
  await connection.setRemoteDescription({type: 'answer', sdp: await answer.text()});
  return answer.status;
}"""


@pytest.fixture(scope='module', params=['built-in', 'mediamtx'])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    one = built_in() if request.param == 'built-in' else mediamtx(tmp_path_factory.mktemp('mediamtx'))
    with one as running:
        yield running


def test_chromium_names_the_picture_that_it_paints(server, browser):
    # The 32 bits come round while it looks.
    with KnownPublisher(server, 'eo', first_time=2**32 - 4 * 90_000, gop=60) as publisher:
        eventually(lambda: httpx.get(f'{server.control}/v3/paths/get/eo').status_code == 200)
        page = browser.new_page()
        # Any address of the same origin will do; this one has no page.
        page.goto(f'{server.whep}/favicon.ico')
        assert page.evaluate(WATCH, '/eo/whep') == 201
        page.wait_for_function('window.seen.length > 120 && window.seen.at(-1)[0] < 2**31', timeout=30_000)
        seen = page.evaluate('window.seen')
        # They go with the publisher.
        publisher.close()
        page.wait_for_function("['closed', 'failed'].includes(window.states.at(-1))", timeout=20_000)
        page.close()
    assert {width for _, _, width in seen} == {320}
    times = [time for time, _, _ in seen]
    assert max(times) > 2**31
    assert [time for time in times if time not in publisher.sent_at_s] == []
    late_ms = [painted_ms - publisher.sent_at_s[time] * 1000 for time, painted_ms, _ in seen[30:]]
    # Loose: what it is on a machine at rest is the benchmark's to say.
    assert 0 < statistics.median(late_ms) < 1000
