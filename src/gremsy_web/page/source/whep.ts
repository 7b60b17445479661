// SPDX-License-Identifier: Apache-2.0
// One video by WHEP (draft-ietf-wish-whep-03): the offer is ours, candidates follow by PATCH, DELETE ends it.

import { Backoff, StallWatch, connectionIsOver, whepVerdict, type WhepVerdict } from './logic/reconnect.ts';
import { OWN } from './requests.ts';
import { VideoFrames, type VideoPicture } from './video_frames.ts';

export type VideoState =
  | 'asking'
  | 'waiting'
  | 'connecting'
  | 'keyframe'
  | 'playing'
  | 'stalled'
  | 'again'
  | 'away'
  | 'refused'
  | 'unsupported';

/** A frame on the screen; times in ms of `performance.now()`. */
export interface ShownFrame {
  readonly rtp: number | null;
  readonly shownMs: number;
  readonly receivedMs: number | null;
  /** Whether the RTP time is the camera's own, not made of the stamp. */
  readonly own: boolean;
}

/** Neither `mute` nor `connectionState` tells that a publisher just stopped: 1.5 s without a picture does. */
const STALL_MS = 1500;
/** The first picture waits for a key frame and, where the encoder had slept, for its start. */
const FIRST_PICTURE_MS = 6000;

export interface WhepWatcher {
  state(state: VideoState): void;
  /** A frame to draw now; `own`: whether its RTP time is the camera's own. */
  frame(picture: VideoPicture, own: boolean): void;
  /** Sessions that connected or tried to, and brought no picture: UDP may be closed. */
  withoutPicture(times: number): void;
}

export function hasH264(): boolean {
  if (typeof RTCPeerConnection === 'undefined') return false;
  const codecs = RTCRtpReceiver.getCapabilities('video')?.codecs ?? [];
  return codecs.some((codec) => codec.mimeType.toLowerCase() === 'video/h264');
}

export class Whep {
  private peer: RTCPeerConnection | null = null;
  private session: string | null = null;
  private readonly backoff = new Backoff();
  private retryTimer: number | undefined;
  private watchTimer: number | undefined;
  private stall: StallWatch | null = null;
  private frames: VideoFrames | null = null;
  private timesWithoutPicture = 0;
  /** Whether the server gave this session an answer: one that then brings no picture is withoutPicture. */
  private answered = false;
  private own = false;
  private generation = 0;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly url: string,
    private readonly watcher: WhepWatcher,
  ) {}

  start(): void {
    this.generation += 1;
    void this.negotiate(this.generation);
  }

  /** Ends the session and stays ended. */
  stop(): void {
    this.generation += 1;
    window.clearTimeout(this.retryTimer);
    this.leave();
  }

  async stats(): Promise<Record<string, number>> {
    const found: Record<string, number> = {};
    const report = await this.peer?.getStats();
    report?.forEach((entry: { type: string; kind?: string } & Record<string, unknown>) => {
      if (entry.type !== 'inbound-rtp' || entry.kind !== 'video') return;
      const wanted = ['framesPerSecond', 'framesDecoded', 'framesDropped', 'packetsLost', 'freezeCount', 'jitter'];
      for (const name of wanted) {
        const value = entry[name];
        if (typeof value === 'number') found[name] = value;
      }
    });
    return found;
  }

  private async negotiate(generation: number): Promise<void> {
    const current = (): boolean => generation === this.generation;
    this.leave();
    if (!hasH264()) {
      this.watcher.state('unsupported');
      return;
    }
    this.watcher.state('asking');
    const peer = new RTCPeerConnection();
    this.peer = peer;
    const early: RTCIceCandidate[] = [];
    let offer = '';
    peer.addTransceiver('video', { direction: 'recvonly' });
    peer.ontrack = (event) => {
      // As little as the network allows: a late picture is worth more than a smooth one.
      if ('jitterBufferTarget' in event.receiver) event.receiver.jitterBufferTarget = 0;
      this.listen(generation, event.track);
    };
    peer.onicecandidate = (event) => {
      if (event.candidate === null) return;
      if (this.session === null) early.push(event.candidate);
      else void this.patch(this.session, offer, [event.candidate]);
    };
    peer.onconnectionstatechange = () => {
      if (!current()) return;
      if (peer.connectionState === 'connected') this.watcher.state('keyframe');
      if (connectionIsOver(peer.connectionState)) this.failed(generation, 'again');
    };
    try {
      await peer.setLocalDescription(await peer.createOffer());
      offer = peer.localDescription?.sdp ?? '';
      const response = await fetch(this.url, {
        method: 'POST',
        headers: { 'Content-Type': 'application/sdp', ...OWN },
        body: offer,
      });
      const body = await response.text();
      if (!current()) {
        this.forget(response);
        return;
      }
      const verdict = whepVerdict(response.status, body);
      if (verdict !== 'ok') {
        this.refused(generation, verdict);
        return;
      }
      const location = response.headers.get('location');
      this.session = location === null ? null : new URL(location, new URL(this.url, window.location.href)).href;
      this.answered = true;
      this.own = response.headers.get('x-gremsy-video-times') === 'camera';
      await peer.setRemoteDescription({ type: 'answer', sdp: body });
      if (this.session !== null && early.length > 0) void this.patch(this.session, offer, early);
      if (current()) this.watcher.state('connecting');
      this.watch(generation);
    } catch {
      if (current()) this.failed(generation, 'again');
    }
  }

  private refused(generation: number, verdict: Exclude<WhepVerdict, 'ok'>): void {
    if (generation !== this.generation) return;
    this.end(verdict);
    if (verdict !== 'refused' && verdict !== 'unsupported') this.later();
  }

  private failed(generation: number, state: VideoState): void {
    if (generation !== this.generation) return;
    const withoutPicture = this.answered && this.stall === null;
    this.end(state);
    this.later();
    if (!withoutPicture) return;
    this.timesWithoutPicture += 1;
    this.watcher.withoutPicture(this.timesWithoutPicture);
  }

  /** The session's callbacks end with it: a track that ends shows one more frame, a black one without RTP time. */
  private end(state: VideoState): void {
    this.generation += 1;
    this.leave();
    this.watcher.state(state);
  }

  private later(): void {
    const { generation } = this;
    window.clearTimeout(this.retryTimer);
    this.retryTimer = window.setTimeout(() => {
      if (generation === this.generation) this.start();
    }, this.backoff.next());
  }

  private watch(generation: number): void {
    const started = performance.now();
    this.watchTimer = window.setInterval(() => {
      if (generation !== this.generation) return;
      const now = performance.now();
      if (this.stall === null) {
        if (now - started < FIRST_PICTURE_MS || document.hidden) return;
        this.failed(generation, 'again');
      } else if (this.stall.stalled(now, document.hidden)) {
        this.failed(generation, 'stalled');
      }
    }, 250);
  }

  private listen(generation: number, track: MediaStreamTrack): void {
    this.frames?.stop();
    this.frames = new VideoFrames(track, this.video, (picture) => {
      if (generation !== this.generation) return;
      if (this.stall === null) {
        this.stall = new StallWatch(performance.now(), STALL_MS);
        this.timesWithoutPicture = 0;
        this.backoff.succeeded();
        this.watcher.state('playing');
      }
      this.stall.picture(performance.now());
      this.watcher.frame(picture, this.own);
    });
    this.frames.start();
  }

  private async patch(session: string, offer: string, candidates: readonly RTCIceCandidate[]): Promise<void> {
    const line = (name: string): string => new RegExp(`^a=${name}:.*$`, 'm').exec(offer)?.[0].trim() ?? '';
    const media = /^m=.*$/m.exec(offer)?.[0].trim() ?? '';
    const lines = [line('ice-ufrag'), line('ice-pwd'), media, 'a=mid:0'];
    for (const candidate of candidates) lines.push(`a=${candidate.candidate}`);
    try {
      await fetch(session, {
        method: 'PATCH',
        headers: { 'Content-Type': 'application/trickle-ice-sdpfrag', 'If-Match': '*', ...OWN },
        body: `${lines.join('\r\n')}\r\n`,
      });
    } catch {
      // The candidates of the answer usually do; where they do not, the connection fails and is made anew.
    }
  }

  private forget(response: Response): void {
    const location = response.headers.get('location');
    if (response.status === 201 && location !== null) {
      this.remove(new URL(location, new URL(this.url, window.location.href)).href);
    }
  }

  private remove(session: string): void {
    void fetch(session, { method: 'DELETE', keepalive: true, headers: OWN }).catch(() => {
      // The server ends sessions by itself when nobody answers any more.
    });
  }

  private leave(): void {
    this.answered = false;
    window.clearInterval(this.watchTimer);
    this.stall = null;
    this.frames?.stop();
    this.frames = null;
    const { peer, session } = this;
    this.peer = null;
    this.session = null;
    if (session !== null) this.remove(session);
    if (peer !== null) {
      peer.onconnectionstatechange = null;
      peer.onicecandidate = null;
      peer.ontrack = null;
      peer.close();
    }
  }
}
