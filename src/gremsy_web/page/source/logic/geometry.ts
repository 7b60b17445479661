// SPDX-License-Identifier: Apache-2.0
// Between the picture's own pixels and where they are on the screen (the whole picture, bars at two sides).

export interface Size {
  readonly width: number;
  readonly height: number;
}
export interface Point {
  readonly x: number;
  readonly y: number;
}
export type Box = readonly [x: number, y: number, width: number, height: number];

export interface Fit {
  readonly scale: number;
  readonly left: number;
  readonly top: number;
  readonly picture: Size;
}

/** Where a picture lies in an element that shows it whole (`object-fit: contain`). */
export function fit(picture: Size, element: Size): Fit {
  const scale = Math.min(element.width / picture.width, element.height / picture.height) || 0;
  return {
    scale,
    left: (element.width - picture.width * scale) / 2,
    top: (element.height - picture.height * scale) / 2,
    picture,
  };
}

/** The picture's pixel under a point of the element, or null beside the picture. */
export function toPixel(at: Fit, point: Point): Point | null {
  if (at.scale <= 0) return null;
  const x = (point.x - at.left) / at.scale;
  const y = (point.y - at.top) / at.scale;
  if (!(x >= 0 && y >= 0 && x < at.picture.width && y < at.picture.height)) return null;
  return { x, y };
}

export function toElement(at: Fit, pixel: Point): Point {
  return { x: at.left + pixel.x * at.scale, y: at.top + pixel.y * at.scale };
}

/** The smallest of the boxes that a pixel lies in, so that a person before a bus can be picked; a margin for fingers. */
export function boxAt<T extends { readonly box: Box }>(all: readonly T[], pixel: Point, margin: number): T | null {
  let found: T | null = null;
  for (const one of all) {
    const [x, y, width, height] = one.box;
    const inside =
      pixel.x >= x - margin && pixel.y >= y - margin && pixel.x <= x + width + margin && pixel.y <= y + height + margin;
    if (inside && (found === null || width * height < found.box[2] * found.box[3])) found = one;
  }
  return found;
}
