// SPDX-License-Identifier: Apache-2.0
// RTP time and ROS stamps: the publisher sets rtp = stamp_ns * 9 // 100000 mod 2^32 (90 kHz), which wraps every 13.26 h.

const WRAP = 1n << 32n;
const HALF = 1n << 31n;

/** RTP time (90 kHz, 32 bits) of a stamp in nanoseconds. */
export function rtpOfStamp(stampNs: bigint): number {
  return Number((((stampNs * 9n) / 100000n) % WRAP + WRAP) % WRAP);
}

/** Signed distance `to - from` in ticks of 90 kHz, the short way round the wrap. */
export function rtpDistance(to: number, from: number): number {
  const difference = (BigInt(to) - BigInt(from)) & (WRAP - 1n);
  return Number(difference >= HALF ? difference - WRAP : difference);
}

/** The stamp (ns) with this RTP time that is nearest to `nearNs`; within 11.1 us of the frame's own, one tick. */
export function stampOfRtp(rtp: number, nearNs: bigint): bigint {
  const near = (nearNs * 9n) / 100000n;
  const away = BigInt(rtpDistance(rtp, Number(near % WRAP)));
  // Rounded up: the smallest stamp that has this RTP time.
  return ((near + away) * 100000n + 8n) / 9n;
}

/** A frame whose RTP time and stamp are both known, of a camera whose RTP time need not be made of its stamps. */
export interface Anchor {
  readonly rtp: number;
  readonly stampNs: bigint;
}

/** The stamp (ns) of an RTP time counted from an anchor less than 6.6 h away. */
export function stampFromAnchor(rtp: number, anchor: Anchor): bigint {
  return anchor.stampNs + (BigInt(rtpDistance(rtp, anchor.rtp)) * 100000n) / 9n;
}
