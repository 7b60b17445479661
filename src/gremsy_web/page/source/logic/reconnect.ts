// SPDX-License-Identifier: Apache-2.0
// When a connection is made anew. 0.25 s to 2 s, doubled, with jitter, so that a robot that comes back is not met by all
// its viewers at once.

const FIRST_MS = 250;
const LONGEST_MS = 2000;

export class Backoff {
  private failures = 0;

  constructor(private readonly random: () => number = Math.random) {}

  /** How long to wait before the next try, in milliseconds. */
  next(): number {
    const whole = Math.min(LONGEST_MS, FIRST_MS * 2 ** this.failures);
    this.failures += 1;
    return whole * (0.75 + 0.25 * this.random());
  }

  succeeded(): void {
    this.failures = 0;
  }
}

export type WhepVerdict = 'ok' | 'waiting' | 'refused' | 'unsupported' | 'away' | 'again';

/** What an answer to WHEP's POST means: 404 is a camera that is not there yet, 401 and 403 end the trying. */
export function whepVerdict(status: number, body: string): WhepVerdict {
  if (status === 201) return 'ok';
  if (status === 404) return 'waiting';
  if (status === 401 || status === 403) return 'refused';
  if (status === 400 && body.includes('codecs not supported')) return 'unsupported';
  // As our own server says it of a video server that is not there.
  if (status === 503 && body.includes('video server does not answer')) return 'away';
  return 'again';
}

/** `disconnected` is left alone: ICE mends it by itself; `closed` is how the end of DTLS arrives. */
export function connectionIsOver(state: string): boolean {
  return state === 'failed' || state === 'closed';
}

/** Says whether pictures have stopped coming; a hidden page gets none and is not judged. */
export class StallWatch {
  private since: number;

  constructor(
    nowMs: number,
    private readonly limitMs: number,
  ) {
    this.since = nowMs;
  }

  picture(nowMs: number): void {
    this.since = nowMs;
  }

  stalled(nowMs: number, hidden: boolean): boolean {
    if (hidden) this.since = nowMs;
    return nowMs - this.since > this.limitMs;
  }
}
