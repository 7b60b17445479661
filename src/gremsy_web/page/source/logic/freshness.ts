// SPDX-License-Identifier: Apache-2.0
// How old the picture is, and whether it may still be steered by.

export type Freshness =
  | { readonly kind: 'fresh'; readonly ageMs: number | null }
  | { readonly kind: 'stale'; readonly ageMs: number }
  | { readonly kind: 'none' };

export interface Picture {
  /** Capture time of the frame on the screen (ns of the robot's clock), where known. */
  readonly stampNs: bigint | null;
  /** `performance.now()` when it was shown. */
  readonly shownMs: number;
}

/** The age counts from the capture where robot and browser know each other's clock, else from when it was shown. */
export function freshness(
  picture: Picture | null,
  nowMs: number,
  robotNowNs: bigint | null,
  limitMs: number,
): Freshness {
  if (picture === null) return { kind: 'none' };
  const sinceShown = nowMs - picture.shownMs;
  const known = picture.stampNs !== null && robotNowNs !== null;
  const sinceCapture = known ? Number((robotNowNs as bigint) - (picture.stampNs as bigint)) / 1e6 : null;
  const ageMs = Math.max(sinceShown, sinceCapture ?? 0);
  if (ageMs > limitMs) return { kind: 'stale', ageMs };
  return { kind: 'fresh', ageMs: sinceCapture === null ? null : Math.max(0, sinceCapture) };
}
