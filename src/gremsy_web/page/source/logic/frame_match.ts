// SPDX-License-Identifier: Apache-2.0
// Which tracks belong to the frame on the screen. Only an equal RTP time is a match: boxes of a neighbouring frame are
// never given out as this frame's. The RTP time of video that is made on the robot is made of the stamp; that of a
// camera which the video server pulls is the camera's own, and the robot says which stamp has which.

import { rtpDistance, rtpOfStamp, stampFromAnchor, stampOfRtp, type Anchor } from './rtp_time.ts';

/** 2 s of 30 Hz: more than a jitter buffer holds, little enough to forget a camera that restarted. */
const KEPT = 64;

export interface Stamped {
  /** The video's RTP time of that frame; null where a camera's own is not known. */
  readonly rtp: number | null;
  readonly stampNs: bigint;
}

export interface Match<T> {
  readonly tracks: T | null;
  readonly stampNs: bigint | null;
}

export interface MatchCounts {
  /** Frames shown, those with tracks of their own, those without (so far), tracks that came after their frame had gone. */
  shown: number;
  matched: number;
  unmatched: number;
  late: number;
}

export class FrameMatch<T extends Stamped> {
  readonly counts: MatchCounts = { shown: 0, matched: 0, unmatched: 0, late: 0 };
  private kept: T[] = [];
  private newestNs: bigint | null = null;
  private anchor: Anchor | null = null;
  private onScreen: number | null = null;
  private own = false;
  private matchedOnScreen = false;

  /** Takes tracks in; true when they are of the frame on the screen, which should be drawn anew. */
  take(tracks: T): boolean {
    this.newestNs = tracks.stampNs;
    if (tracks.rtp !== null) this.anchor = { rtp: tracks.rtp, stampNs: tracks.stampNs };
    this.kept = [...this.kept.filter((one) => one.stampNs !== tracks.stampNs), tracks].slice(-KEPT);
    const rtp = this.rtpOf(tracks);
    if (this.onScreen === null || rtp === null) return false;
    if (rtp === this.onScreen) {
      if (!this.matchedOnScreen) {
        this.matchedOnScreen = true;
        this.counts.matched += 1;
        this.counts.unmatched -= 1;
      }
      return true;
    }
    if (rtpDistance(rtp, this.onScreen) < 0) this.counts.late += 1;
    return false;
  }

  /** Takes in that a frame with this RTP time has this stamp (a camera whose RTP time is its own). */
  takeAnchor(anchor: Anchor): void {
    this.anchor = anchor;
  }

  /**
   * A frame was shown: the tracks that are its own, and its stamp. `nowNs`: the robot's time, or null where unknown;
   * `own`: whether its RTP time is the camera's own.
   */
  show(rtp: number, nowNs: bigint | null, own = false): Match<T> {
    if (rtp !== this.onScreen || own !== this.own) {
      this.onScreen = rtp;
      this.own = own;
      this.matchedOnScreen = this.tracksOf(rtp) !== null;
      this.counts.shown += 1;
      if (this.matchedOnScreen) this.counts.matched += 1;
      else this.counts.unmatched += 1;
    }
    return this.current(nowNs);
  }

  /** The frame on the screen once more. */
  current(nowNs: bigint | null): Match<T> {
    if (this.onScreen === null) return { tracks: null, stampNs: null };
    const tracks = this.tracksOf(this.onScreen);
    return { tracks, stampNs: tracks?.stampNs ?? this.stampOf(this.onScreen, nowNs) };
  }

  /** A new session: its RTP times need not follow the old ones. */
  restart(): void {
    this.kept = [];
    this.newestNs = null;
    this.anchor = null;
    this.onScreen = null;
    this.matchedOnScreen = false;
  }

  private rtpOf(tracks: T): number | null {
    return this.own ? tracks.rtp : rtpOfStamp(tracks.stampNs);
  }

  private tracksOf(rtp: number): T | null {
    return this.kept.find((one) => this.rtpOf(one) === rtp) ?? null;
  }

  private stampOf(rtp: number, nowNs: bigint | null): bigint | null {
    if (this.own) return this.anchor === null ? null : stampFromAnchor(rtp, this.anchor);
    const nearNs = this.newestNs ?? nowNs;
    if (nearNs === null) return null;
    // The next frame is near this one, also when nothing has been tracked for half of the 13 h after which it wraps.
    const stampNs = stampOfRtp(rtp, nearNs);
    if (this.newestNs !== null) this.newestNs = stampNs;
    return stampNs;
  }
}
