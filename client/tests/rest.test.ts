import { expect, test, vi } from "vitest";
import { ask, away, url } from "../src/lib/api";
import { inPairs } from "../src/lib/bars";
import { panels, ticks } from "../src/lib/curves";
import { duration, many, named, number } from "../src/lib/format";
import { fitted, isPicture, weakHash } from "../src/lib/uploads";

test("numbers have a real minus, and there is none before zero", () => {
  expect([number(0.614), number(-1.5), number(-0.001)]).toEqual(["0.61", "−1.50", "0.00"]);
  expect([duration(8.4), duration(170), duration(7500)]).toEqual(["8 s", "3 min", "2 h 05 min"]);
  expect([many(1, "picture"), many(1200, "picture")]).toEqual(["1 picture", "1,200 pictures"]);
});

test("a query leaves out what was not given", () => {
  expect(url("/search", { sentence: "a & b", region: false, min_score: undefined })).toBe("/api/search?sentence=a+%26+b&region=false");
});

test("a request that does not reach the server is sent again when it is back", async () => {
  vi.useFakeTimers();
  let down = true;
  const seen: string[] = [];
  vi.stubGlobal("fetch", async (to: string) => {
    seen.push(to);
    if (down) throw new TypeError("no server");
    return new Response(JSON.stringify({ to }));
  });
  const answer = ask<{ to: string }>("/results");
  await vi.advanceTimersByTimeAsync(1000);
  expect(away.value).toBe("gone");
  down = false;
  await vi.advanceTimersByTimeAsync(10_000);
  expect((await answer).to).toBe("/api/results");
  expect(away.value).toBe("");
  vi.useRealTimers();
});

test("a busy server is asked again after the time it gives; another error is said", async () => {
  vi.useFakeTimers();
  const answers = [new Response("{}", { status: 429, headers: { "retry-after": "2" } }), new Response(JSON.stringify({ error: "no such image" }), { status: 404 })];
  vi.stubGlobal("fetch", async () => answers.shift()!);
  const answer = ask("/ground").catch((error: Error) => error.message);
  await vi.advanceTimersByTimeAsync(1900);
  expect(answers).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(200);
  expect(await answer).toBe("no such image");
  vi.useRealTimers();
});

test("commands name the workspace that is open, quoted where a shell needs it", () => {
  expect(named("phrasebox evaluate WS --split val", "photos")).toBe("phrasebox evaluate photos --split val");
  expect(named("phrasebox evaluate WS", "Ann's $& photos")).toBe("phrasebox evaluate 'Ann'\\''s $& photos'");
  expect(named("phrasebox serve WS", "")).toBe("phrasebox serve WS");
});

test("a picture of 48 megapixels is shrunk, a small one is left", () => {
  expect(fitted(8000, 6000)).toEqual([2048, 1536]);
  expect(fitted(640, 480)).toEqual([640, 480]);
  expect(fitted(100_000, 1)).toEqual([2048, 1]);
});

test("pictures are known by type, and by name where the system gives no type", () => {
  expect([{ name: "a", type: "image/png" }, { name: "b.HEIC", type: "" }, { name: "notes.txt", type: "text/plain" }].map(isPicture)).toEqual([true, true, false]);
  expect(weakHash(new Uint8Array([1, 2]))).not.toBe(weakHash(new Uint8Array([2, 1])));
});

test("curves are the numeric columns; recalls share a panel, and take the first of a list", () => {
  const found = panels([{ epoch: 0, epochs: 2, loss: 2, warning: "", image_to_sentence: [10, 20] }, { epoch: 1, loss: null, warning: "", sentence_to_image: [12, 30] }]);
  expect(found.map((panel) => panel.title)).toEqual(["Loss", "Recall@1 (%)"]);
  expect(found[1]!.lines.map((line) => line.values)).toEqual([[10, null], [null, 12]]);
});

test("an axis holds all values and has round marks, also if they are all equal", () => {
  const { low, high, marks } = ticks([{ name: "x", k: 0, values: [0.21, 0.93] }]);
  expect(low).toBeLessThanOrEqual(0.21);
  expect(high).toBeGreaterThanOrEqual(0.93);
  expect(marks.length).toBeGreaterThan(1);
  expect(ticks([{ name: "x", k: 0, values: [5, 5] }]).marks.length).toBeGreaterThan(0);
});

test("two bars become one whose filter finds what both count", () => {
  const bar = (low: number, high: number, count: number) => ({ low, high, count, open: 1, filter: { min_confidence: low, max_confidence: high } });
  const found = inPairs([bar(0, 0.3, 4), bar(0.3, 0.6, 5), bar(0.6, 1, 6)] as unknown as Parameters<typeof inPairs>[0]);
  expect(found.map((one) => [one.low, one.high, one.count, one.open, one.filter.min_confidence, one.filter.max_confidence])).toEqual([[0, 0.6, 9, 2, 0, 0.6], [0.6, 1, 6, 1, 0.6, 1]]);
});
