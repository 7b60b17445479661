// SPDX-License-Identifier: Apache-2.0
// Looks at what a page paints: of each frame of its first video the clock that is burned into it, its times, and where
// the ink of the boxes that are drawn over it crosses one row. In the page before anything of its own; the page is not
// touched. `frameReader.seen` has an entry a frame.
(() => {
  // A band of rows, since lines may be dashed (4 px and 5 px of nothing).
  const [CELL, CELLS, WIDTH, HEIGHT, ROW, BAND] = [16, 8, 1280, 720, 420, 10];
  const reader = { seen: [], peers: [], marks: {} };
  window.frameReader = reader;

  const clock = new OffscreenCanvas(CELL * CELLS, CELL * CELLS).getContext('2d', { willReadFrequently: true });
  const strip = new OffscreenCanvas(WIDTH * 2, BAND).getContext('2d', { willReadFrequently: true });
  const side = CELL * CELLS;

  // 64 bits, the first the highest, as 16 hexadecimal digits.
  const word = (picture) => {
    clock.drawImage(picture, 0, 0, side, side, 0, 0, side, side);
    const { data } = clock.getImageData(0, 0, side, side);
    let digits = '';
    for (let nibble = 0; nibble < 16; nibble += 1) {
      let value = 0;
      for (let bit = 0; bit < 4; bit += 1) {
        const cell = nibble * 4 + bit;
        const [x0, y0] = [(cell % CELLS) * CELL, Math.floor(cell / CELLS) * CELL];
        let sum = 0;
        for (let y = 6; y < 10; y += 1) for (let x = 6; x < 10; x += 1) sum += data[((y0 + y) * side + x0 + x) * 4 + 1];
        value = (value << 1) | (sum / 16 > 125 ? 1 : 0);
      }
      digits += value.toString(16);
    }
    return digits;
  };

  // Middles of the lines in ink along the row, in px of the picture.
  const edges = (overlay) => {
    const { width, height } = overlay;
    if (!width || !height) return { found: [], dashed: false };
    const scale = Math.min(width / WIDTH, height / HEIGHT);
    const [left, top] = [(width - WIDTH * scale) / 2, (height - HEIGHT * scale) / 2];
    strip.clearRect(0, 0, width, BAND);
    strip.drawImage(overlay, 0, Math.round(top + ROW * scale), width, BAND, 0, 0, width, BAND);
    const { data } = strip.getImageData(0, 0, width, BAND);
    const found = [];
    let [weight, moment, dashed] = [0, 0, false];
    for (let x = 0; x <= width; x += 1) {
      let [ink, rows] = [0, 0];
      for (let y = 0; x < width && y < BAND; y += 1) {
        const at = (y * width + x) * 4;
        const here = Math.max(0, data[at] - 90) * data[at + 3];
        ink = Math.max(ink, here);
        if (here > 0) rows += 1;
      }
      if (ink > 0 && rows < BAND) dashed = true;
      weight += ink;
      moment += ink * (x + 0.5);
      if (ink === 0 && weight > 0) {
        found.push(Math.round(((moment / weight - left) / scale) * 10) / 10);
        [weight, moment] = [0, 0];
      }
    }
    return { found, dashed };
  };

  // Once a refresh of the screen, after the page's own drawing for it, which was asked for before.
  let last = '';
  const look = (refresh) => {
    requestAnimationFrame(look);
    const still = document.querySelector('.picture canvas.still:not([hidden])');
    if (!still || still.width !== WIDTH) return;
    const found = word(still);
    const { found: lines, dashed } = edges(still.parentElement.querySelector('canvas.overlay'));
    const before = reader.seen.at(-1);
    if (found === last) {
      if (before?.word === found) Object.assign(before, { last_edges: lines, last_dashed: dashed });
      return;
    }
    last = found;
    const told = gremsyPage.counts().eo;
    reader.seen.push({
      word: found, edges: lines, dashed, last_edges: lines, last_dashed: dashed, stamp: told.stamp_ns,
      refresh_ms: performance.timeOrigin + refresh, called_ms: performance.timeOrigin + performance.now(),
      received_ms: told.received_at_ms === null ? null : performance.timeOrigin + told.received_at_ms,
    });
  };
  const watch = new MutationObserver(() => {
    if (!document.querySelector('.picture canvas.still')) return;
    watch.disconnect();
    // Behind the page's, whose first one this script's task has asked for.
    setTimeout(() => requestAnimationFrame(look));
  });
  watch.observe(document, { childList: true, subtree: true });

  // When something happened first, ms since the beginning of the navigation.
  const mark = (name) => { reader.marks[name] ??= performance.now(); };
  const Peer = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Peer {
    constructor(...given) {
      super(...given);
      reader.peers.push(this);
      mark('offering');
      this.addEventListener('connectionstatechange', () => mark(this.connectionState));
      this.addEventListener('track', () => mark('answered'));
    }
  };
  reader.stats = async () => {
    const found = {};
    const peer = reader.peers.at(-1);
    if (!peer) return found;
    (await peer.getStats()).forEach((entry) => {
      if (entry.type === 'inbound-rtp' && entry.kind === 'video') Object.assign(found, entry);
    });
    return found;
  };
})();
