// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { boxAt, fit, toElement, toPixel } from '../logic/geometry.js';
import { PoseMemory, directionOf, pixelOf } from '../logic/bearings.js';
import { between } from '../logic/between.js';
import { FrameMatch } from '../logic/frame_match.js';
import { freshness } from '../logic/freshness.js';
import { Gestures, deflection, zoomFor } from '../logic/gestures.js';
import { Backoff, StallWatch, connectionIsOver, whepVerdict } from '../logic/reconnect.js';
import { RobotClock } from '../logic/robot_clock.js';
import { Trail } from '../logic/trail.js';
import { rtpDistance, rtpOfStamp, stampFromAnchor, stampOfRtp } from '../logic/rtp_time.js';

const SECOND = 1000000000n;
// 2^32 ticks of 90 kHz: 13 h 15 min 21.858... s.
const WRAP_NS = (2n ** 32n * 100000n) / 9n;

test('a stamp has the RTP time that the publisher gives it', () => {
  assert.equal(rtpOfStamp(0n), 0);
  assert.equal(rtpOfStamp(SECOND), 90000);
  // Python: 1764453000123456789 * 9 // 100000 % 2**32
  assert.equal(rtpOfStamp(1764453000123456789n), 2944176103);
  assert.equal(rtpOfStamp(WRAP_NS), 2 ** 32 - 1);
  assert.equal(rtpOfStamp(WRAP_NS + 1n), 0);
});

test('the stamp comes back from its RTP time within one tick, across the wrap and with a clock minutes off', () => {
  for (const stamp of [1764453000123456789n, WRAP_NS - 5n, WRAP_NS + 5n, 7n * WRAP_NS, 40n * WRAP_NS - 1n]) {
    for (const off of [0n, 600n * SECOND, -600n * SECOND, 23000n * SECOND, -23000n * SECOND]) {
      const found = stampOfRtp(rtpOfStamp(stamp), stamp + off);
      const error = found - stamp;
      assert.ok(error <= 0n ? error > -11112n : error < 11112n, `${stamp} ${off}: ${error}`);
      assert.equal(rtpOfStamp(found), rtpOfStamp(stamp));
    }
  }
});

test('distances of RTP times go the short way round the wrap', () => {
  assert.equal(rtpDistance(5, 2 ** 32 - 5), 10);
  assert.equal(rtpDistance(2 ** 32 - 5, 5), -10);
  assert.equal(rtpDistance(90000, 0), 90000);
});

test('a camera whose RTP time is its own is read from an anchor', () => {
  const anchor = { rtp: 2 ** 32 - 45000, stampNs: 50n * SECOND };
  assert.equal(stampFromAnchor(45000, anchor), 51n * SECOND);
  assert.equal(stampFromAnchor(2 ** 32 - 90000, anchor), 50n * SECOND - SECOND / 2n);
});

const tracks = (rtp) => ({ rtp, stampNs: (BigInt(rtp) * 100000n + 8n) / 9n, name: `of ${rtp}` });

test('only tracks of the very frame are given out', () => {
  const match = new FrameMatch();
  match.take(tracks(3000));
  match.take(tracks(6000));
  assert.equal(match.show(3000, null).tracks.name, 'of 3000');
  assert.equal(match.show(6001, null).tracks, null);
  assert.equal(match.show(6000, null).tracks.name, 'of 6000');
  assert.deepEqual(match.counts, { shown: 3, matched: 2, unmatched: 1, late: 0 });
});

test('tracks that come while their frame is on the screen are its own, those after it are late', () => {
  const match = new FrameMatch();
  assert.equal(match.show(3000, null).tracks, null);
  assert.equal(match.take(tracks(3000)), true);
  assert.equal(match.current(null).tracks.name, 'of 3000');
  match.show(6000, null);
  match.show(9000, null);
  assert.equal(match.take(tracks(6000)), false);
  assert.deepEqual(match.counts, { shown: 3, matched: 1, unmatched: 2, late: 1 });
});

test('a frame without tracks has its stamp from the last frame that had', () => {
  const match = new FrameMatch();
  match.take({ rtp: rtpOfStamp(77n * SECOND), stampNs: 77n * SECOND });
  assert.equal(match.show(rtpOfStamp(78n * SECOND), null).stampNs, 78n * SECOND);
});

test('a frame keeps its stamp when nothing has been tracked for longer than RTP times take to wrap', () => {
  const match = new FrameMatch();
  match.take({ rtp: rtpOfStamp(77n * SECOND), stampNs: 77n * SECOND });
  for (let hours = 0n; hours <= 15n; hours += 1n) {
    const stampNs = (77n + 3600n * hours) * SECOND;
    assert.equal(match.show(rtpOfStamp(stampNs), null).stampNs, stampNs);
  }
});

test('frames of a camera whose RTP time is its own are told by what the robot says of them, or not at all', () => {
  const match = new FrameMatch();
  const own = { rtp: 2 ** 32 - 45000, stampNs: 77n * SECOND, name: 'own' };
  assert.deepEqual(match.show(90000, 77n * SECOND, true), { tracks: null, stampNs: null });
  match.take({ rtp: null, stampNs: 76n * SECOND, name: 'nobody said it' });
  assert.equal(match.current(77n * SECOND).stampNs, null);
  match.takeAnchor({ rtp: own.rtp, stampNs: own.stampNs });
  assert.equal(match.current(null).stampNs, 78n * SECOND + SECOND / 2n);
  match.take(own);
  assert.equal(match.show(own.rtp, null, true).tracks.name, 'own');
  // Single pictures, meanwhile, are told by their stamps.
  assert.equal(match.show(rtpOfStamp(76n * SECOND), null).tracks.name, 'nobody said it');
});

test('a frame before any tracks has its stamp by the clock, and none without a clock', () => {
  const match = new FrameMatch();
  assert.equal(match.show(rtpOfStamp(77n * SECOND), null).stampNs, null);
  assert.equal(match.current(78n * SECOND).stampNs, 77n * SECOND);
});

test('the buffer keeps the newest 64', () => {
  const match = new FrameMatch();
  for (let k = 0; k < 100; k += 1) match.take(tracks(k * 3000));
  assert.equal(match.show(35 * 3000, null).tracks, null);
  assert.equal(match.show(36 * 3000, null).tracks.name, `of ${36 * 3000}`);
});

test('of the exchanges of clocks the one with the shortest way counts', () => {
  const clock = new RobotClock();
  assert.equal(clock.at(0), null);
  const hour = 3600n * SECOND;
  clock.take(1000, hour + 1180n * 1000000n, hour + 1180n * 1000000n, 1200); // 180 ms there, 20 back
  clock.take(2000, hour + 2002n * 1000000n, hour + 2002n * 1000000n, 2004); // 2 and 2
  assert.equal(clock.at(3000), hour + 3n * SECOND);
  assert.equal(clock.errorMs, 2);
  clock.take(5000, hour, hour, 4000);
  assert.equal(clock.errorMs, 2, 'an answer before its question is none');
});

test('a clock that is set during the talk is believed at once', () => {
  const clock = new RobotClock();
  for (let k = 0; k < 5; k += 1) clock.take(1000 * k, BigInt(1000 * k) * MS, BigInt(1000 * k) * MS, 1000 * k);
  const hour = 3600n * SECOND;
  clock.take(6000, hour + 6010n * MS, hour + 6010n * MS, 6020);
  assert.equal(clock.at(7000), hour + 7n * SECOND);
  // One slow answer is no set clock: half of its way explains the 100 ms.
  clock.take(8000, hour + 8200n * MS, hour + 8200n * MS, 8200);
  assert.equal(clock.at(9000), hour + 9n * SECOND);
});

test('waits between tries double from 0.25 s to 2 s and begin anew after a success', () => {
  const backoff = new Backoff(() => 1);
  assert.deepEqual([1, 2, 3, 4, 5].map(() => backoff.next()), [250, 500, 1000, 2000, 2000]);
  backoff.succeeded();
  assert.equal(backoff.next(), 250);
  assert.equal(new Backoff(() => 0).next(), 187.5);
});

test('the answers to an offer mean what the two servers mean by them', () => {
  assert.equal(whepVerdict(201, ''), 'ok');
  assert.equal(whepVerdict(404, '{"error":"no stream is available on path \'eo\'"}'), 'waiting');
  assert.equal(whepVerdict(401, ''), 'refused');
  assert.equal(whepVerdict(403, ''), 'refused');
  assert.equal(whepVerdict(400, '{"error":"codecs not supported by client"}'), 'unsupported');
  assert.equal(whepVerdict(400, '{"error":"failed to unmarshal SDP"}'), 'again');
  assert.equal(whepVerdict(503, ''), 'again');
  assert.equal(whepVerdict(503, '{"error":"The video server does not answer: it is being started again"}'), 'away');
});

test('a connection is over when failed or closed, not when disconnected', () => {
  const states = ['new', 'connecting', 'connected', 'disconnected', 'failed', 'closed'];
  assert.deepEqual(states.filter(connectionIsOver), ['failed', 'closed']);
});

test('pictures that stop coming are a stall, unless the page is hidden', () => {
  const watch = new StallWatch(0, 1500);
  assert.equal(watch.stalled(1500, false), false);
  assert.equal(watch.stalled(1501, false), true);
  assert.equal(watch.stalled(60000, true), false);
  assert.equal(watch.stalled(61000, false), false);
  watch.picture(61000);
  assert.equal(watch.stalled(62501, false), true);
});

test('a picture is old by its capture, and by when it was shown where the clocks are unknown', () => {
  const shown = { stampNs: 10n * SECOND, shownMs: 0 };
  assert.deepEqual(freshness(null, 0, null, 500), { kind: 'none' });
  assert.deepEqual(freshness(shown, 10, 10n * SECOND + 80000000n, 500), { kind: 'fresh', ageMs: 80 });
  assert.deepEqual(freshness(shown, 10, 10n * SECOND + 700000000n, 500), { kind: 'stale', ageMs: 700 });
  assert.deepEqual(freshness(shown, 501, null, 500), { kind: 'stale', ageMs: 501 });
  assert.deepEqual(freshness({ stampNs: null, shownMs: 0 }, 400, 99n, 500), { kind: 'fresh', ageMs: null });
  // Clocks that disagree must not make a frozen picture look new.
  assert.deepEqual(freshness(shown, 900, 3n * SECOND, 500), { kind: 'stale', ageMs: 900 });
});

test('pixels and places on the screen are each other\'s inverse, and bars are no picture', () => {
  const at = fit({ width: 1280, height: 720 }, { width: 640, height: 640 });
  assert.equal(at.scale, 0.5);
  assert.deepEqual(toElement(at, { x: 0, y: 0 }), { x: 0, y: 140 });
  assert.deepEqual(toPixel(at, { x: 320, y: 320 }), { x: 640, y: 360 });
  assert.equal(toPixel(at, { x: 320, y: 139 }), null);
  assert.equal(toPixel(at, { x: 640, y: 320 }), null);
  assert.equal(toPixel(fit({ width: 1280, height: 720 }, { width: 0, height: 0 }), { x: 0, y: 0 }), null);
});

test('of boxes over each other the smaller is picked', () => {
  const bus = { id: 1, box: [0, 0, 500, 300] };
  const person = { id: 2, box: [100, 100, 50, 150] };
  assert.equal(boxAt([bus, person], { x: 120, y: 150 }, 0).id, 2);
  assert.equal(boxAt([bus, person], { x: 90, y: 150 }, 0).id, 1);
  assert.equal(boxAt([bus, person], { x: 90, y: 150 }, 12).id, 2);
  assert.equal(boxAt([bus, person], { x: 600, y: 10 }, 0), null);
});

function acts(...steps) {
  const seen = [];
  const gestures = new Gestures((act) => seen.push(act));
  for (const [what, id, x, y, more] of steps) {
    if (what === 'cancel') gestures.cancel();
    else gestures[what]({ id, at: { x, y }, coarse: false, shift: false, ...more });
  }
  return seen;
}

test('a press that trembles is a tap', () => {
  const seen = acts(['down', 1, 100, 100], ['move', 1, 103, 102], ['up', 1, 103, 102]);
  assert.deepEqual(seen, [{ kind: 'tap', at: { x: 103, y: 102 }, coarse: false }]);
  const finger = acts(['down', 1, 100, 100, { coarse: true }], ['move', 1, 110, 100, { coarse: true }], ['up', 1, 110, 100, { coarse: true }]);
  assert.deepEqual(finger.map((act) => act.kind), ['tap']);
});

test('a drag steers until it ends', () => {
  const seen = acts(['down', 1, 100, 100], ['move', 1, 150, 100], ['move', 1, 160, 90], ['up', 1, 160, 90]);
  assert.deepEqual(seen.map((act) => act.kind), ['steer', 'steer', 'steer-end']);
});

test('a drag that is taken away ends, too', () => {
  const seen = acts(['down', 1, 100, 100], ['move', 1, 150, 100], ['cancel'], ['up', 1, 160, 90]);
  assert.deepEqual(seen.map((act) => act.kind), ['steer', 'steer-end']);
});

test('Shift and a drag make a box', () => {
  const seen = acts(['down', 1, 100, 100, { shift: true }], ['move', 1, 150, 160], ['up', 1, 200, 180]);
  assert.deepEqual(seen.at(-1), { kind: 'box', a: { x: 100, y: 100 }, b: { x: 200, y: 180 }, done: true });
});

test('a second finger ends the steering and spans a box; the finger that stays means nothing', () => {
  const seen = acts(
    ['down', 1, 100, 100], ['move', 1, 160, 100], ['down', 2, 300, 300], ['move', 2, 340, 320],
    ['up', 2, 340, 320], ['move', 1, 10, 10], ['up', 1, 10, 10],
  );
  assert.deepEqual(seen.map((act) => act.kind), ['steer', 'steer-end', 'box', 'box', 'box']);
  assert.deepEqual(seen.at(-1), { kind: 'box', a: { x: 160, y: 100 }, b: { x: 340, y: 320 }, done: true });
});

test('three fingers mean nothing', () => {
  const seen = acts(['down', 1, 0, 0], ['down', 2, 50, 50], ['down', 3, 90, 90], ['up', 3, 90, 90], ['up', 2, 50, 50]);
  assert.deepEqual(seen.map((act) => act.kind), ['box', 'box-cancelled']);
});

test('steering is fine near its start and ends at the greatest rate', () => {
  assert.equal(deflection(50, 100), 0.25);
  assert.equal(deflection(-50, 100), -0.25);
  assert.equal(deflection(500, 100), 1);
});

test('a box is magnified to fill the picture but for a tenth, and a slip is no box', () => {
  assert.equal(zoomFor({ width: 320, height: 90 }, { width: 1280, height: 720 }), 3.6);
  assert.equal(zoomFor({ width: 320, height: 4 }, { width: 1280, height: 720 }), null);
});

const MS = 1000000n;
const seen = (atMs, x, id = 1, lens = null) => ({ stampNs: BigInt(atMs) * MS, lens, tracks: [{ id, box: [x, 50, 20, 40] }] });
const unknown = { at: () => null };
// 1280 px that span 1 rad: a focal length of 640 / tan(0.5).
const LENS = { focal: [640 / Math.tan(0.5), 640 / Math.tan(0.5)], centre: [640, 360] };
/** Turned to the left about up, then down about left: the half angles of both (Rz then Ry). */
const turn = (azimuth, tilt = 0) => {
  const [a, b, c, d] = [Math.cos(azimuth / 2), Math.sin(azimuth / 2), Math.cos(tilt / 2), Math.sin(tilt / 2)];
  return [a * c, -b * d, a * d, b * c];
};
const near = (value, wanted, within = 1e-9) => assert.ok(Math.abs(value - wanted) < within, `${value} is not ${wanted}`);

test('a pixel is the direction that the robot makes of it', () => {
  // As in test_page_api_integration: 320 px right of the middle is 0.2667 rad to the right.
  const [x, y, z] = directionOf({ x: 960, y: 360 }, LENS, turn(0));
  near(Math.atan2(y, x), -0.2667, 1e-4);
  near(z, 0);
  // Looking 0.3 rad left and 0.2 down, the middle is there: azimuth about up to the left, tilt downwards.
  const ahead = directionOf({ x: 640, y: 360 }, LENS, turn(0.3, 0.2));
  near(Math.atan2(ahead[1], ahead[0]), 0.3);
  near(Math.atan2(-ahead[2], Math.hypot(ahead[0], ahead[1])), 0.2);
});

test('a camera that turns to the left moves what stands still to the right', () => {
  const direction = directionOf({ x: 640, y: 360 }, LENS, turn(0.1));
  const there = pixelOf(direction, LENS, turn(0.2));
  near(there.x, 640 + LENS.focal[0] * Math.tan(0.1), 1e-6);
  near(there.y, 360, 1e-6);
  assert.equal(pixelOf(direction, LENS, turn(0.1 + Math.PI)), null);
});

test('poses are known between two of them and a little ahead, but not over a gap', () => {
  const poses = new PoseMemory();
  for (let k = 0; k <= 10; k += 1) poses.put(BigInt(20 * k) * MS, turn(0.01 * k));
  const azimuth = (ms) => {
    const [x, y] = directionOf({ x: 640, y: 360 }, LENS, poses.at(BigInt(ms) * MS));
    return Math.atan2(y, x);
  };
  near(azimuth(100), 0.05);
  near(azimuth(110), 0.055, 1e-6);
  near(azimuth(260), 0.13, 1e-5);
  assert.equal(poses.at(351n * MS), null);
  assert.equal(poses.at(-1n * MS), null);
  poses.put(1200n * MS, turn(0));
  assert.equal(poses.at(700n * MS), null);
});

test('a clock that was set back forgets the poses of before', () => {
  const poses = new PoseMemory();
  poses.put(9000n * MS, turn(0));
  poses.put(10n * MS, turn(0.1));
  poses.put(30n * MS, turn(0.2));
  assert.ok(poses.at(20n * MS) !== null);
  assert.equal(poses.at(9000n * MS), null);
});

test('a box sits on what stands still while the camera pans between two detections', () => {
  // 30 deg/s to the left, detections of every third frame: what was in the middle goes right.
  const rate = Math.PI / 6;
  const poses = { at: (ns) => turn((rate * Number(ns)) / 1e9) };
  const still = directionOf({ x: 640, y: 360 }, LENS, turn(0));
  const boxAt = (ms) => {
    const { x, y } = pixelOf(still, LENS, poses.at(BigInt(ms) * MS));
    return [x - 10, y - 20, 20, 40];
  };
  const of = (ms) => ({ stampNs: BigInt(ms) * MS, lens: LENS, tracks: [{ id: 1, box: boxAt(ms) }] });
  for (const ms of [33, 66, 133, 166, 300]) {
    const [{ box }] = between(of(0), of(100), BigInt(ms) * MS, poses);
    near(box[0], boxAt(ms)[0], 1e-6);
    near(box[1], boxAt(ms)[1], 1e-6);
  }
  // Seen once it is carried by the camera alone.
  near(between(null, of(100), 200n * MS, poses)[0].box[0], boxAt(200)[0], 1e-6);
});

test('the trail of what stands still is a point, however the camera turned since', () => {
  const rate = 0.5;
  const poses = { at: (ns) => turn((rate * Number(ns)) / 1e9, (0.2 * Number(ns)) / 1e9) };
  const still = directionOf({ x: 700, y: 300 }, LENS, turn(0.1));
  const trail = new Trail();
  for (let ms = 0; ms <= 1000; ms += 100) {
    trail.put(7, BigInt(ms) * MS, pixelOf(still, LENS, poses.at(BigInt(ms) * MS)), LENS);
  }
  const points = trail.pointsAt(800n * MS, poses);
  // Of the frame on the screen and what was before it, not of those that come.
  assert.equal(points.length, 9);
  const now = pixelOf(still, LENS, poses.at(800n * MS));
  for (const point of points) {
    near(point.x, now.x, 1e-6);
    near(point.y, now.y, 1e-6);
  }
  // Without poses it is of the picture, and short.
  assert.equal(trail.pointsAt(1000n * MS, unknown).length, 10);
  trail.put(8, 1100n * MS, { x: 1, y: 1 }, LENS);
  assert.equal(trail.pointsAt(1100n * MS, poses).length, 1);
  trail.put(null, 1200n * MS, null, LENS);
  assert.deepEqual(trail.pointsAt(1200n * MS, poses), []);
});

test('between and after detections a box moves on as it moved', () => {
  // 30 px in 100 ms, asked for 33 ms before, at, and 50 ms after the second.
  assert.deepEqual(between(seen(0, 100), seen(100, 130), 100n * MS, unknown)[0].box, [130, 50, 20, 40]);
  assert.deepEqual(between(seen(0, 100), seen(100, 130), 150n * MS, unknown)[0].box, [145, 50, 20, 40]);
  assert.deepEqual(between(seen(0, 100), seen(100, 130), 50n * MS, unknown)[0].box, [115, 50, 20, 40]);
});

test('a box seen once, or after a gap, stays where it was seen', () => {
  assert.deepEqual(between(null, seen(100, 130), 150n * MS, unknown)[0].box, [130, 50, 20, 40]);
  assert.deepEqual(between(seen(0, 100, 2), seen(100, 130), 150n * MS, unknown)[0].box, [130, 50, 20, 40]);
  assert.deepEqual(between(seen(0, 100), seen(900, 130), 950n * MS, unknown)[0].box, [130, 50, 20, 40]);
});

test('boxes are not carried on for more than 0.4 s', () => {
  assert.equal(between(seen(0, 100), seen(100, 130), 501n * MS, unknown), null);
  assert.equal(between(null, null, 0n, unknown), null);
});
