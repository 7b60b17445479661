// SPDX-License-Identifier: Apache-2.0
// The robot's clock seen from this browser: of the last exchanges the one with the shortest way there and back counts
// (NTP's clock filter), wrong by at most half of that way.

const KEPT = 16;
/** Two exchanges that differ by more than both of their ways can explain, and this, saw a clock that was set. */
const JUMP_MS = 50;

interface Exchange {
  readonly offsetNs: bigint;
  readonly roundTripMs: number;
}

export class RobotClock {
  private exchanges: Exchange[] = [];

  /** An answer: sent at `t0Ms`, taken in at `t3Ms` (both of `performance.now()`); the robot's times between, in ns. */
  take(t0Ms: number, t1Ns: bigint, t2Ns: bigint, t3Ms: number): void {
    const roundTripMs = t3Ms - t0Ms - Number(t2Ns - t1Ns) / 1e6;
    if (!(roundTripMs >= 0)) return;
    const middle = BigInt(Math.round(((t0Ms + t3Ms) / 2) * 1e6));
    const offsetNs = (t1Ns + t2Ns) / 2n - middle;
    const best = this.best();
    if (best !== null) {
      const differs = Math.abs(Number(offsetNs - best.offsetNs)) / 1e6;
      // A robot whose time is set by GPS or NTP, a laptop that slept: what was learned before is worth nothing.
      if (differs > (roundTripMs + best.roundTripMs) / 2 + JUMP_MS) this.exchanges = [];
    }
    this.exchanges.push({ offsetNs, roundTripMs });
    if (this.exchanges.length > KEPT) this.exchanges.shift();
  }

  /** The robot's time (ns) at `nowMs` of `performance.now()`, or null before the first exchange. */
  at(nowMs: number): bigint | null {
    const best = this.best();
    return best === null ? null : BigInt(Math.round(nowMs * 1e6)) + best.offsetNs;
  }

  /** How far off `at` may be, in milliseconds. */
  get errorMs(): number | null {
    const best = this.best();
    return best === null ? null : best.roundTripMs / 2;
  }

  restart(): void {
    this.exchanges = [];
  }

  private best(): Exchange | null {
    let best: Exchange | null = null;
    for (const exchange of this.exchanges) {
      if (best === null || exchange.roundTripMs <= best.roundTripMs) best = exchange;
    }
    return best;
  }
}
