import { expect, test } from "vitest";
import { apart, labelPlaces, panned, shifted, snapped, under, zoomed, WHOLE } from "../src/lib/geometry";
import type { Corners } from "../src/lib/types";

const SIZE: [number, number] = [100, 80];

test("a box stays inside the picture and keeps its size when it is moved", () => {
  expect(shifted([10, 10, 30, 30], "move", -50, 500, SIZE, 4)).toEqual([0, 60, 20, 80]);
});

test("an edge does not pass the opposite one", () => {
  expect(shifted([10, 10, 30, 30], "w", 100, 0, SIZE, 4)).toEqual([26, 10, 30, 30]);
  expect(shifted([10, 10, 30, 30], "se", 500, -500, SIZE, 4)).toEqual([10, 10, 100, 14]);
});

test("edges snap to the nearest edge of a region or of the picture, within reach", () => {
  expect(snapped([12, 3, 48, 40], [[10, 20, 50, 70]], SIZE, 4)).toEqual([10, 0, 50, 40]);
  expect(snapped([15, 8, 44, 40], [[10, 20, 50, 70]], SIZE, 4)).toEqual([15, 8, 44, 40]);
});

test("a snap that would leave nothing of the box is not made", () => {
  const box: Corners = [8, 30, 12, 60];
  expect(snapped(box, [[10, 20, 50, 70]], SIZE, 4)).toEqual(box);
});

test("the smallest region under a point is meant", () => {
  const regions: Corners[] = [[0, 0, 100, 80], [10, 10, 30, 30], [5, 5, 60, 60]];
  expect(under(regions, 20, 20)).toBe(1);
  expect(under(regions, 50, 50)).toBe(2);
  expect(under([[0, 0, 1, 1]], 50, 50)).toBe(-1);
});

test("equal outlines are moved apart, others are left as they are", () => {
  const boxes = [{ box: [0, 0, 60, 60] as Corners }, { box: [0, 0, 60, 60] as Corners }, { box: [50, 50, 90, 70] as Corners }];
  const seen = apart(boxes, 2).map((one) => one.box);
  expect(seen[0]).toEqual([0, 0, 60, 60]);
  expect(seen[1]![0]).toBeGreaterThan(0);
  expect(seen[2]).toEqual([50, 50, 90, 70]);
});

test("no label lies on another", () => {
  const same: Corners[] = Array.from({ length: 6 }, () => [10, 10, 40, 40]);
  const places = labelPlaces(same, [400, 300], 20, 2);
  for (const [i, a] of places.entries())
    for (const b of places.slice(i + 1)) expect(Math.abs(a[0] - b[0]) >= 20 || Math.abs(a[1] - b[1]) >= 20).toBe(true);
});

test("zooming keeps the point under the pointer, and never shows what is outside", () => {
  const view = zoomed(WHOLE, 2, 0.25, 0.5);
  expect(view.z).toBe(2);
  expect(view.x + 0.25 / view.z).toBeCloseTo(0.25);
  expect(view.y + 0.5 / view.z).toBeCloseTo(0.5);
  expect(zoomed(view, 0.001, 0.9, 0.9)).toEqual(WHOLE);
  expect(panned(view, 10, 10)).toEqual({ z: 2, x: 0, y: 0 });
});
