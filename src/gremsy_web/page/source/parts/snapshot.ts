// SPDX-License-Identifier: Apache-2.0
// A snapshot as the robot made it: the frame in its full size, and what was seen in that very frame.

import { isFields, readTracks, type Track } from '../protocol.ts';
import { OWN } from '../requests.ts';
import { texts } from '../texts.ts';
import { openDialog } from './dialogs.ts';
import { button, h, setText } from './dom.ts';

/** The robot's answer, checked; null for one that is no snapshot. */
interface Answer {
  readonly camera: string;
  readonly stampNs: bigint;
  readonly picture: string;
  readonly size: readonly [number, number] | null;
  readonly detections: readonly Track[] | null;
  readonly notes: readonly string[];
  readonly raw: object;
}

function readAnswer(answer: unknown): Answer | null {
  if (!isFields(answer)) return null;
  const { stamp_ns: stamp, picture, width, height, detections } = answer;
  if (typeof stamp !== 'string' || !/^\d+$/.test(stamp) || typeof picture !== 'string') return null;
  return {
    camera: String(answer['camera'] ?? ''),
    stampNs: BigInt(stamp),
    picture,
    size: typeof width === 'number' && typeof height === 'number' ? [width, height] : null,
    detections: Array.isArray(detections) ? readTracks(detections) : null,
    notes: [String(answer['not_seen_because'] ?? ''), String(answer['text'] ?? '')].filter((words) => words !== ''),
    raw: answer,
  };
}

/** Shows it; false where the robot's answer has no picture. */
export async function showSnapshot(given: unknown, takenAt: (stampNs: bigint) => Date): Promise<boolean> {
  const answer = readAnswer(given);
  if (answer === null) return false;
  // The robot's own address only: a link to elsewhere is none of ours.
  const address = new URL(answer.picture, window.location.href);
  if (address.origin !== window.location.origin) return false;
  const response = await fetch(address, { headers: OWN });
  if (!response.ok) return false;
  const file = await response.blob();
  const canvas = h('canvas', { class: 'snapshot', role: 'img' });
  const bitmap = await createImageBitmap(file);
  const boxes = (shown: boolean): void => draw(canvas, bitmap, answer, shown);
  boxes(true);
  const time = takenAt(answer.stampNs);
  const size = `${bitmap.width} × ${bitmap.height}`;
  const about = texts.snapshot.about(answer.camera.toUpperCase(), time.toLocaleTimeString('en-GB'), size);
  canvas.setAttribute('aria-label', about);
  const stem = `${answer.camera}_${answer.stampNs}`;
  const urls: string[] = [];
  const save = (label: string, name: string, content: Blob): HTMLAnchorElement => {
    const url = URL.createObjectURL(content);
    urls.push(url);
    return h('a', { class: 'button', href: url, download: name }, label);
  };
  const ending = file.type.includes('png') ? 'png' : 'jpg';
  const json = new Blob([JSON.stringify(answer.raw, null, 2)], { type: 'application/json' });
  const layer = h('input', { type: 'checkbox', id: 'snapshot-boxes', checked: true, disabled: answer.detections === null });
  layer.addEventListener('change', () => boxes(layer.checked));
  const found = h('p', {});
  setText(found, answer.detections === null ? texts.snapshot.notSeen : texts.target.inView(answer.detections.length));
  const close = button(() => dialog.close(), { class: 'button primary' }, texts.help.close);
  const dialog = openDialog(
    texts.snapshot.heading,
    h('p', { class: 'quiet-text number' }, about),
    canvas,
    h('div', { class: 'row' }, found, h('label', { class: 'check', for: 'snapshot-boxes' }, layer, texts.tools.boxes)),
    ...answer.notes.map((words) => h('p', { class: 'quiet-text notes' }, words)),
    h(
      'div',
      { class: 'buttons' },
      save(texts.snapshot.savePicture, `${stem}.${ending}`, file),
      save(texts.snapshot.saveDetections, `${stem}.json`, json),
      close,
    ),
  );
  dialog.classList.add('is-wide');
  dialog.addEventListener('close', () => {
    bitmap.close();
    for (const url of urls) URL.revokeObjectURL(url);
  });
  return true;
}

function draw(canvas: HTMLCanvasElement, bitmap: ImageBitmap, answer: Answer, shown: boolean): void {
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  const pen = canvas.getContext('2d');
  if (pen === null) return;
  pen.drawImage(bitmap, 0, 0);
  if (!shown) return;
  // Boxes are in the camera's pixels, which the file may be a half of.
  const scale = answer.size === null ? 1 : bitmap.width / answer.size[0];
  const thin = Math.max(1.5, bitmap.width / 640);
  pen.font = `600 ${Math.round(9 * thin)}px system-ui, "DejaVu Sans", sans-serif`;
  pen.textBaseline = 'middle';
  for (const one of answer.detections ?? []) {
    const [x, y, width, height] = one.box.map((part) => part * scale) as [number, number, number, number];
    for (const [style, wide] of [['rgba(4, 10, 14, 0.7)', 2.4 * thin], ['#f4f8fa', thin]] as const) {
      pen.strokeStyle = style;
      pen.lineWidth = wide;
      pen.strokeRect(x, y, width, height);
    }
    const words = `${texts.target.named(one.class, one.id)} · ${Math.round(100 * one.score)} %`;
    const wide = pen.measureText(words).width + 8 * thin;
    const high = 14 * thin;
    const top = y < high ? y : y - high;
    pen.fillStyle = 'rgba(4, 10, 14, 0.75)';
    pen.fillRect(x, top, wide, high);
    pen.fillStyle = '#f4f8fa';
    pen.fillText(words, x + 4 * thin, top + high / 2);
  }
}
