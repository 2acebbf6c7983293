/** Boxes in pixels of the picture: moving, resizing, snapping, labels, zoom. */
import type { Corners } from "./types";

export type Handle = "nw" | "n" | "ne" | "e" | "se" | "s" | "sw" | "w";
export const HANDLES: readonly Handle[] = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];

const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);
export const area = ([x1, y1, x2, y2]: Corners): number => Math.max(0, x2 - x1) * Math.max(0, y2 - y1);
export const rounded = (box: Corners): Corners => box.map((x) => Math.round(100 * x) / 100) as Corners;

/** Move a box, or the edges that a handle holds, within a picture; no side gets shorter than `least`. */
export function shifted(box: Corners, by: Handle | "move", dx: number, dy: number, [width, height]: [number, number], least: number): Corners {
  let [x1, y1, x2, y2] = box;
  if (by === "move") {
    dx = clamp(dx, -x1, width - x2);
    dy = clamp(dy, -y1, height - y2);
    return [x1 + dx, y1 + dy, x2 + dx, y2 + dy];
  }
  if (by.includes("w")) x1 = clamp(x1 + dx, 0, x2 - least);
  if (by.includes("e")) x2 = clamp(x2 + dx, x1 + least, width);
  if (by.includes("n")) y1 = clamp(y1 + dy, 0, y2 - least);
  if (by.includes("s")) y2 = clamp(y2 + dy, y1 + least, height);
  return [x1, y1, x2, y2];
}

export const between = (from: [number, number], to: [number, number]): Corners => [
  Math.min(from[0], to[0]), Math.min(from[1], to[1]), Math.max(from[0], to[0]), Math.max(from[1], to[1]),
];

/** Edges that are within `reach` of an edge of a region, or of the picture, are moved onto it. */
export function snapped(box: Corners, regions: readonly Corners[], [width, height]: [number, number], reach: number): Corners {
  const near = (value: number, edges: number[]) => {
    const best = edges.reduce((a, b) => (Math.abs(b - value) < Math.abs(a - value) ? b : a), Infinity);
    return Math.abs(best - value) <= reach ? best : value;
  };
  const xs = [0, width, ...regions.flatMap((r) => [r[0], r[2]])], ys = [0, height, ...regions.flatMap((r) => [r[1], r[3]])];
  const moved: Corners = [near(box[0], xs), near(box[1], ys), near(box[2], xs), near(box[3], ys)];
  return moved[2] - moved[0] > reach && moved[3] - moved[1] > reach ? moved : box;
}

/** The smallest of some boxes that contains a point; -1 if none does. */
export function under(regions: readonly Corners[], x: number, y: number): number {
  let best = -1;
  regions.forEach((r, i) => {
    const inside = r[0] <= x && x <= r[2] && r[1] <= y && y <= r[3];
    if (inside && (best < 0 || area(r) < area(regions[best]!))) best = i;
  });
  return best;
}

/** Outlines on top of an earlier one, moved inwards so that both are seen; `step` in pixels of the picture. */
export function apart<T extends { box: Corners }>(boxes: readonly T[], step: number): T[] {
  return boxes.map((one, i) => {
    const same = boxes.slice(0, i).filter((other) => other.box.every((side, s) => Math.abs(side - one.box[s]!) < step)).length;
    if (!same) return one;
    const [x1, y1, x2, y2] = one.box, by = (same + 0.3) * step;
    const dx = Math.min(by, (x2 - x1) / 3), dy = Math.min(by, (y2 - y1) / 3);
    return { ...one, box: [x1 + dx, y1 + dy, x2 - dx, y2 - dy] as Corners };
  });
}

/** Places of labels of `size` near their boxes, none on another. */
export function labelPlaces(boxes: readonly Corners[], [width, height]: [number, number], size: number, gap: number): [number, number][] {
  const taken: [number, number][] = [];
  const free = ([x, y]: [number, number]) => taken.every((t) => Math.abs(t[0] - x) >= size + gap || Math.abs(t[1] - y) >= size + gap);
  return boxes.map((box) => {
    const places: [number, number][] = [];
    for (let n = 0; n < 12; n++)
      for (const y of [box[1] - size + gap, box[1], box[3] - size])
        places.push([clamp(box[0] + n * (size + gap), 0, Math.max(0, width - size)), clamp(y, 0, Math.max(0, height - size))]);
    const place = places.find(free) ?? places[0]!;
    taken.push(place);
    return place;
  });
}

/** How a picture is looked at: `z` times enlarged, with the point (x, y), shares of the enlarged picture, at the upper left. */
export interface View { z: number; x: number; y: number }
export const WHOLE: View = { z: 1, x: 0, y: 0 };
const CLOSEST = 12;

/** Keep a view inside the picture. */
export function inside({ z, x, y }: View): View {
  const most = 1 - 1 / z;
  return { z, x: clamp(x, 0, most), y: clamp(y, 0, most) };
}

/** Zoom by a factor so that the point at shares (u, v) of the frame stays where it is. */
export function zoomed(view: View, factor: number, u: number, v: number): View {
  const z = clamp(view.z * factor, 1, CLOSEST);
  return inside({ z, x: view.x + u / view.z - u / z, y: view.y + v / view.z - v / z });
}

/** Move by shares of the frame. */
export const panned = (view: View, du: number, dv: number): View => inside({ z: view.z, x: view.x - du / view.z, y: view.y - dv / view.z });
