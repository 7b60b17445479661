# SPDX-License-Identifier: Apache-2.0
"""What the video benchmark's script reads from the pixels of a real page."""

import shutil

import numpy as np
import pytest

pytest.importorskip('rclpy', reason='the workspace is not built: run ./gremsy setup')

from benchmarks.video.video_page import CHROMIUMS, READER, PaintedFrame, why_no_browser
from benchmarks.video.video_scene import burn

STAMP_NS = 1_795_990_000_123_456_000


@pytest.mark.integration
@pytest.mark.skipif(why_no_browser() is not None, reason='needs Chromium and `./gremsy setup --extra page`')
def test_the_reader_reads_clock_and_boxes_from_a_real_page():
    from playwright.sync_api import sync_playwright

    bits = np.zeros((128, 128, 3), np.uint8)
    burn(bits, STAMP_NS // 1000)
    cells = (bits[8::16, 8::16, 0] > 125).astype(int).ravel().tolist()
    # A picture with lines at 300 and 500 of its px over it, at half the size, and what the page says of it.
    body = '<div class="picture"></div>'
    draw = """([cells, stamp]) => {
      window.gremsyPage = { counts: () => ({ eo: { stamp_ns: stamp, received_at_ms: performance.now() } }) };
      const canvas = document.createElement('canvas');
      [canvas.className, canvas.width, canvas.height] = ['still', 1280, 720];
      const pen = canvas.getContext('2d');
      cells.forEach((bit, at) => {
        pen.fillStyle = bit ? '#e2e2e2' : '#181818';
        pen.fillRect((at % 8) * 16, Math.floor(at / 8) * 16, 16, 16);
      });
      const overlay = document.createElement('canvas');
      [overlay.className, overlay.width, overlay.height] = ['overlay', 640, 360];
      const ink = overlay.getContext('2d');
      [ink.strokeStyle, ink.lineWidth] = ['#fff', 1.25];
      ink.strokeRect(150, 20, 100, 300);
      document.querySelector('.picture').append(canvas, overlay);
    }"""
    with sync_playwright() as playwright:
        program = next(each for each in CHROMIUMS if shutil.which(each))
        chromium = playwright.chromium.launch(executable_path=program, args=['--no-sandbox', '--disable-gpu'])
        page = chromium.new_page()
        page.add_init_script(path=str(READER))
        page.goto('about:blank')
        page.set_content(body)
        page.evaluate(draw, [cells, str(STAMP_NS)])
        for _ in range(400):
            seen = page.evaluate('frameReader.seen')
            if seen:
                break
            page.wait_for_timeout(25)
        chromium.close()
    (frame,) = [PaintedFrame.of(entry) for entry in seen]
    assert frame.stamp_ns == frame.page_stamp_ns == STAMP_NS
    assert 0 < frame.painted_s - frame.received_s < 1
    assert frame.boxes.edges_px == pytest.approx((300.0, 500.0), abs=1.0)
    assert not frame.boxes.dashed
