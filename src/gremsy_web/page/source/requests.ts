// SPDX-License-Identifier: Apache-2.0
// The robot's HTTP API as far as the page uses it.

import { isFields, type Fields } from './protocol.ts';
import { texts } from './texts.ts';

/** The server's own sentence for what it refuses. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** The header that no form of a foreign page can send. */
export const OWN: Readonly<Record<string, string>> = { 'X-Gremsy': '1' };

async function answer(response: Response): Promise<unknown> {
  const type = response.headers.get('content-type') ?? '';
  const body: unknown = type.includes('json') ? await response.json() : null;
  if (response.ok) return body;
  const said = typeof body === 'object' && body !== null && 'error' in body ? String(body.error) : '';
  throw new Refused(response.status, said || texts.failed(String(response.status)));
}

export async function post(path: string, body: object = {}): Promise<unknown> {
  const response = await fetch(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...OWN },
    body: JSON.stringify(body),
    // A stop asked for while the page is being left still goes out.
    keepalive: true,
  });
  return answer(response);
}

/** What the robot says of this browser's sign-in. */
export interface Session {
  readonly keyNeeded: boolean;
  readonly role: 'view' | 'control' | null;
}

export async function session(): Promise<Session> {
  const answered = await get('api/session');
  const found: Fields = isFields(answered) ? answered : {};
  const role = found['role'] === 'view' || found['role'] === 'control' ? found['role'] : null;
  return { keyNeeded: found['key_needed'] === true, role };
}

export async function endSession(): Promise<void> {
  await answer(await fetch('api/session', { method: 'DELETE', headers: OWN }));
}

export async function get(path: string): Promise<unknown> {
  return answer(await fetch(path, { headers: OWN }));
}
