// SPDX-License-Identifier: Apache-2.0
// A robot inside the browser, for the page's tests: its video is a canvas sent over a real WebRTC connection to itself,
// its socket and its HTTP answers are made here. What was asked is kept in `fakeRobot.asked`.
(() => {
  const [WIDTH, HEIGHT] = [1280, 720];
  const OFFSET_NS = 3600n * 1000000000n + BigInt(Math.round(performance.timeOrigin * 1e6)); // its clock: an hour ahead
  const nowNs = () => BigInt(Math.round(performance.now() * 1e6)) + OFFSET_NS;
  // A picture may be older here than the robot's 0.5 s, so that a machine at its limits does not lock the controls.
  const robot = {
    asked: [], sent: [], armed: true, holder: null, you: false, lease: 'lease-1', zoom: 2, azimuth: 0.2, tilt: 0.1,
    videoStatus: 201, key: null, frozen: false, silent: false, staleAfterS: 5, role: 'control', page: null, tracks: true, tracksEvery: 1, frames: 0,
    cameras: ['eo', 'ir'], detectorDelayMs: 0, sockets: [], deleted: 0, boxes: [], nodes: null, state: 'tracking',
    panRadS: 0, pointingOff: '', released: '', source: 'eo', recording: null, settings: {}, settingsAway: [],
  };
  const setting = (name, type, value, more = {}) => ({
    name, type, value, description: '', constraints: '', read_only: false, low: null, high: null, unit: '', choices: [], default: value, ...more,
  });
  robot.settings['eo/tracker'] = [
    setting('autostart', 'bool', true, { description: 'Configure and activate at start; false leaves both to a lifecycle manager.', read_only: true }),
    setting('gain_per_s', 'float', 2.5, { description: 'How quickly an error is turned away: more is quicker, too much swings.', unit: '1/s', low: 0, high: 10, constraints: '0 .. 10', default: 2 }),
    setting('enabled', 'bool', true, { description: 'Whether the lock yields setpoints for the gimbal.' }),
    setting('select', 'str', 'none', { description: 'What is followed by itself at the start.', choices: ['none', 'nearest', 'largest'] }),
    setting('classes', 'str list', ['person', 'car'], { description: 'Classes that may be followed; empty for all.', default: [] }),
    setting('lost_after_s', 'float', 2, { description: 'A target that is not seen for so long is lost.', unit: 's', low: 0.1, constraints: '0.1 or more' }),
    setting('trace_dir', 'str', '', { description: "Folder for a trace of every frame's way through this node; empty for none.", read_only: true }),
  ];
  robot.settings.gimbal_driver = [
    setting('mode', 'str', 'follow', { description: 'Against what the azimuth is held.', choices: ['follow', 'lock', 'mapping'] }),
    setting('time_to_live_s', 'float', 0.2, { description: 'How long a rate command moves the gimbal after its arrival.', unit: 's', low: 0.05, high: 2, constraints: '0.05 .. 2', read_only: true }),
  ];
  window.fakeRobot = robot;
  window.fakeNowNs = () => String(nowNs());

  // Its world: people before a hill, seen by eye and by heat.
  const people = [[300, 430, 70, 190, 7], [620, 400, 80, 220, 12], [940, 450, 64, 170, 31]];
  // A camera that pans to and fro, by a triangle of 4 s: a lens of 1280 px for 1 rad moves what stands still.
  const FOCAL = WIDTH / 2 / Math.tan(0.5);
  const panAt = (ms) => robot.panRadS * (1 - Math.abs(((ms / 1000) % 4) - 2));
  const scene = (pen, heat, t) => {
    const shift = FOCAL * Math.tan(panAt(performance.now()));
    const sky = pen.createLinearGradient(0, 0, 0, HEIGHT);
    sky.addColorStop(0, heat ? '#1c1c1c' : '#9db8c9');
    sky.addColorStop(0.55, heat ? '#3a3a3a' : '#d5dcd6');
    pen.fillStyle = sky;
    pen.fillRect(0, 0, WIDTH, HEIGHT);
    pen.fillStyle = heat ? '#4b4b4b' : '#7c8b6b';
    pen.beginPath();
    pen.moveTo(0, 460);
    for (let x = 0; x <= WIDTH; x += 20) pen.lineTo(x, 420 + 40 * Math.sin(x / 170) + 12 * Math.sin(x / 47));
    pen.lineTo(WIDTH, HEIGHT);
    pen.lineTo(0, HEIGHT);
    pen.fill();
    pen.fillStyle = heat ? '#5a5a5a' : '#6a6f63';
    pen.fillRect(0, 600, WIDTH, 120);
    const boxes = [];
    for (const [x0, y, w, h, id] of people) {
      const x = robot.panRadS === 0 ? x0 + 60 * Math.sin(t / 2 + id) : x0 - 40 + shift;
      pen.fillStyle = heat ? '#f4f4f4' : ['#37475a', '#7a3b2e', '#2f5d50'][id % 3];
      pen.beginPath();
      pen.roundRect(x + w * 0.15, y + h * 0.18, w * 0.7, h * 0.82, 20);
      pen.arc(x + w / 2, y + h * 0.1, h * 0.09, 0, 7);
      pen.fill();
      boxes.push({ id, class: id === 31 ? 'cyclist' : 'person', score: 0.55 + (id % 10) / 25, box: [x, y, w, h] });
    }
    return boxes;
  };
  const canvases = {};
  const streams = {};
  const camera = (name) => {
    if (canvases[name]) return canvases[name];
    const canvas = document.createElement('canvas');
    canvas.width = WIDTH;
    canvas.height = HEIGHT;
    canvases[name] = { canvas, pen: canvas.getContext('2d'), boxes: [] };
    return canvases[name];
  };
  setInterval(() => {
    if (robot.frozen) return;
    for (const [name, one] of Object.entries(canvases)) {
      one.boxes = scene(one.pen, name === 'ir', performance.now() / 1000);
      if (name === 'eo') robot.boxes = one.boxes;
    }
  }, 40);

  const tell = (message) => {
    if (!robot.silent) for (const socket of robot.sockets) socket.hear(message);
  };
  const tellTracks = (name, rtp, stampNs) => {
    const tracks = camera(name).boxes;
    const target = tracks.find((track) => track.id === 12);
    const box = target?.box;
    const say = () => tell({
      type: 'tracks', camera: name, stamp_ns: String(stampNs), rtp, width: WIDTH, height: HEIGHT, tracks,
      lens: robot.panRadS === 0 ? null : { focal: [FOCAL, FOCAL], centre: [WIDTH / 2, HEIGHT / 2] },
      target: robot.state === 'tracking' && box
        ? { enabled: robot.pointingOff === '', still_because: robot.pointingOff, id: 12, state: 'tracking', reason: 'chosen by its place', box, predicted: [box[0] + box[2] / 2 + 14, box[1] + box[3] / 2] }
        : { id: null, state: robot.state, reason: '', box: null, predicted: null },
    });
    if (robot.detectorDelayMs > 0) setTimeout(say, robot.detectorDelayMs);
    else say();
  };

  const answerOffer = async (name, offer) => {
    const peer = new RTCPeerConnection({ encodedInsertableStreams: true });
    robot.peer = peer;
    streams[name] ??= camera(name).canvas.captureStream(25);
    await peer.setRemoteDescription({ type: 'offer', sdp: offer });
    const sender = peer.addTrack(streams[name].getVideoTracks()[0], streams[name]);
    const { readable, writable } = sender.createEncodedStreams();
    readable.pipeThrough(new TransformStream({
      transform(frame, controller) {
        const rtp = frame.getMetadata().rtpTimestamp ?? frame.timestamp;
        robot.frames += 1;
        if (robot.tracks && robot.frames % robot.tracksEvery === 0) tellTracks(name, rtp >>> 0, nowNs() - 12000000n);
        controller.enqueue(frame);
      },
    })).pipeTo(writable);
    await peer.setLocalDescription(await peer.createAnswer());
    await new Promise((done) => {
      if (peer.iceGatheringState === 'complete') done();
      peer.onicegatheringstatechange = () => peer.iceGatheringState === 'complete' && done();
    });
    const sdp = peer.localDescription.sdp;
    if (robot.udpClosed) peer.close();
    return sdp;
  };

  class FakeSocket extends EventTarget {
    static CONNECTING = 0;
    static OPEN = 1;
    static CLOSING = 2;
    static CLOSED = 3;
    constructor(url) {
      super();
      this.url = url;
      this.readyState = 0;
      setTimeout(() => this.begin(), 5);
    }
    begin() {
      if (robot.down) return this.end(1006);
      if (robot.key !== null && !robot.signedIn) return this.end(4401);
      this.readyState = 1;
      robot.sockets.push(this);
      this.onopen?.(new Event('open'));
      this.hear({
        type: 'hello', robot: 'Rover 3', role: robot.role, you: 'socket-1', page: robot.page,
        cameras: robot.cameras.map((name) => ({ name, path: name, width: WIDTH, height: HEIGHT, overlay: true })),
        limits: { azimuth: [-3, 3], tilt: [-0.7, 1.4] }, stale_after_s: robot.staleAfterS, rate_ttl_s: 0.2,
      });
    }
    hear(message) {
      if (this.readyState === 1) this.onmessage?.(new MessageEvent('message', { data: JSON.stringify(message) }));
    }
    send(text) {
      const message = JSON.parse(text);
      robot.sent.push(message);
      if (message.type === 'clock' && !robot.silent) {
        const now = String(nowNs());
        this.hear({ type: 'clock', t0: message.t0, t1_ns: now, t2_ns: now });
      }
      if (message.type === 'take') {
        if (robot.holder !== null && !message.take_over) {
          this.hear({ type: 'error', text: `${robot.holder} holds the controls: take them over.`, for: 'take' });
          return;
        }
        robot.holder = message.name;
        robot.you = true;
        this.hear({ type: 'control', lease: robot.lease, holder: robot.holder, you: true });
        // One that was made before, as a server's queue may have it.
        this.hear({ type: 'state', nodes: [], latency_ms: {}, pointing_error_rad: null, control: { holder: null, you: false } });
      }
      if (message.type === 'give') {
        robot.holder = null;
        robot.you = false;
        this.hear({ type: 'control', lease: null, holder: null, you: false });
      }
    }
    close() { this.end(1000); }
    end(code) {
      if (this.readyState === 3) return;
      this.readyState = 3;
      robot.sockets = robot.sockets.filter((socket) => socket !== this);
      setTimeout(() => this.onclose?.(new CloseEvent('close', { code })), 0);
    }
  }
  window.WebSocket = FakeSocket;

  const json = (body, status = 200) =>
    new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } });
  const realFetch = window.fetch.bind(window);
  window.fetch = async (address, options = {}) => {
    const url = new URL(String(address), location.href);
    const method = options.method ?? 'GET';
    if (!/^\/(api|video)\//.test(url.pathname)) return realFetch(address, options);
    const asked = { method, path: url.pathname, headers: options.headers ?? {}, body: options.body ?? null };
    robot.asked.push(asked);
    if (robot.down) throw new TypeError('Failed to fetch');
    if (robot.key !== null && !robot.signedIn && url.pathname !== '/api/session') return json({ error: 'The key is missing or wrong.', field: null }, 401);
    const whep = /^\/video\/(\w+)\/whep$/.exec(url.pathname);
    if (whep && method === 'POST') {
      if (robot.videoStatus !== 201) return json({ status: 'error', error: 'no stream is available' }, robot.videoStatus);
      const sdp = await answerOffer(whep[1], options.body);
      return new Response(sdp, { status: 201, headers: { 'Content-Type': 'application/sdp', 'X-Gremsy-Video-Times': 'camera', Location: `/video/${whep[1]}/whep/secret-1` } });
    }
    if (url.pathname.includes('/whep/')) {
      if (method === 'DELETE') robot.deleted += 1;
      return new Response(null, { status: 204 });
    }
    if (url.pathname.endsWith('/jpeg')) {
      const { canvas } = camera(url.pathname.split('/')[2]);
      const blob = await new Promise((done) => canvas.toBlob(done, 'image/jpeg'));
      return new Response(blob, { headers: { 'Content-Type': 'image/jpeg', 'X-Gremsy-Stamp': String(nowNs()) } });
    }
    if (url.pathname === '/api/settings') {
      const given = options.body ? JSON.parse(options.body) : { node: url.searchParams.get('node') };
      if (robot.settingsAway.includes(given.node)) return json({ error: `The service ${given.node}/list_parameters is not there: is its node running?`, field: null }, 503);
      const all = robot.settings[given.node] ?? [];
      if (method === 'GET') return json(all);
      const one = all.find((each) => each.name === given.name);
      if (typeof given.value === 'number' && ((one.high !== null && given.value > one.high) || (one.low !== null && given.value < one.low))) {
        return json({ error: `Parameter \`${one.name}\` is ${given.value}, out of its range: use ${one.constraints} ${one.unit}.`, field: null }, 409);
      }
      one.value = given.value;
    }
    if (url.pathname === '/api/session' && method === 'GET') {
      return json({ key_needed: robot.key !== null, role: robot.key !== null && !robot.signedIn ? null : 'control' });
    }
    if (url.pathname === '/api/session') {
      if (JSON.parse(options.body).key !== robot.key) return json({ error: 'The key is missing or wrong.', field: 'key' }, 401);
      robot.signedIn = true;
    }
    if (url.pathname === '/api/camera/setpoint_source') robot.source = JSON.parse(options.body).camera;
    if (url.pathname === '/api/camera/record') {
      const on = JSON.parse(options.body).on;
      robot.recording = { on, text: on ? 'going on' : 'none; last: /data/eo_1.mp4', to: on ? '/data/eo_1.mp4' : '', seconds: 83.2, megabytes: 12.5 };
      return json({ done: true, text: on ? 'Recording to /data/eo_1.mp4.' : 'Wrote /data/eo_1.mp4.' });
    }
    if (url.pathname === '/api/camera/snapshot') {
      const name = JSON.parse(options.body).camera;
      return json({
        done: true, text: 'Wrote /data/snapshot_1.jpg.', on_robot: true, camera: name, stamp_ns: String(nowNs() - 40000000n), width: WIDTH, height: HEIGHT,
        detections: robot.tracks ? camera(name).boxes : null, not_seen_because: robot.tracks ? '' : 'No detections came for this frame: look at the detector and its tracker.',
        picture: `/api/camera/snapshot/${name}/1.jpg`,
      });
    }
    if (url.pathname.startsWith('/api/camera/snapshot/')) {
      const blob = await new Promise((done) => camera(url.pathname.split('/')[4]).canvas.toBlob(done, 'image/jpeg'));
      return new Response(blob, { headers: { 'Content-Type': 'image/jpeg' } });
    }
    if (url.pathname === '/api/target/pointing') robot.pointingOff = '';
    if (url.pathname === '/api/gimbal/look_at') return json({ done: true, text: 'Turning there.', azimuth_rad: 0, tilt_rad: 0, released: robot.released });
    if (url.pathname === '/api/arm') robot.armed = JSON.parse(options.body).armed;
    return json({ done: true });
  };

  const pose = (seconds) => {
    const half = panAt(performance.now() + 1000 * seconds) / 2;
    return [seconds, Math.cos(half), 0, 0, Math.sin(half)];
  };
  setInterval(() => {
    robot.azimuth = robot.panRadS === 0 ? 0.5 * Math.sin(performance.now() / 2600) : panAt(performance.now());
    robot.tilt = 0.25 + 0.2 * Math.cos(performance.now() / 1900);
    tell({
      type: 'gimbal', stamp_ns: String(nowNs()), azimuth_rad: robot.azimuth, tilt_rad: robot.tilt, zoom: robot.zoom,
      armed: robot.armed, holder: robot.holder, mode: 'follow', goal: null, limits: { azimuth: [-3, 3], tilt: [-0.7, 1.4] },
      setpoint_topic: `/rover/${robot.source}/gimbal/setpoint`,
      poses: robot.panRadS === 0 ? [] : [6, 5, 4, 3, 2, 1, 0].map((k) => pose(-0.02 * k)),
    });
  }, 100);
  setInterval(() => tell({
    type: 'state',
    nodes: robot.nodes ?? [
      { name: 'eo/camera', level: 0, message: '' },
      { name: 'eo/detector', level: 0, message: '' },
      { name: 'eo/tracker', level: 1, message: 'telemetry is 90 ms old' },
      { name: 'gimbal_driver', level: 0, message: '' },
    ],
    cameras: Object.fromEntries(robot.cameras.map((name) => [name, { recording: name === 'eo' ? robot.recording : null }])),
    latency_ms: { capture: 4, detect: 28, track: 31, encode: 7, server: 14 },
    pointing_error_rad: 0.004 + 0.006 * Math.abs(Math.sin(performance.now() / 900)),
    control: { holder: robot.holder, you: robot.you },
  }), 500);
  robot.event = (level, source, text) => tell({ type: 'event', stamp_ns: String(nowNs()), level, source, text });
  robot.endSockets = () => [...robot.sockets].forEach((socket) => socket.end(1006));
})();
