import { beforeEach, expect, test, vi } from "vitest";
import { filterOf, imageOf, nextOf, stillMatching } from "../src/review/filter";
import { decide, now, problem, rows, send, unsaved } from "../src/review/outbox";
import { who } from "../src/lib/store";
import type { PicturePhrases, Reviewed } from "../src/lib/types";

const phrase = (id: string, more: Partial<Reviewed> = {}) => ({ id, text: "A cat", box: [0, 0, 9, 9], state: "open", who: "", version: "v1", ...more }) as Reviewed;
const picture = (image: string, n: number, matching: number[]): PicturePhrases => ({
  image, split: "test", width: 9, height: 9, captions: [], matching: matching.map((i) => `${image}#0#${i}`), phrases: Array.from({ length: n }, (_, i) => phrase(`${image}#0#${i}`)),
});
const answers: { status: number; body: object }[] = [];
const sent: Record<string, unknown>[] = [];

beforeEach(() => {
  answers.length = sent.length = 0;
  rows.value = new Map();
  problem.value = null;
  who.value = "ann";
  vi.stubGlobal("fetch", async (_: string, init: RequestInit) => {
    sent.push(JSON.parse(String(init.body)) as Record<string, unknown>);
    const { status, body } = answers.shift()!;
    return new Response(JSON.stringify(body), { status });
  });
});

test("a filter is read from the address; what is no number is left out", () => {
  expect(filterOf({ text: "cat", min_words: "2", max_confidence: "x", unknown: "true", at: "1" })).toEqual({ text: "cat", min_words: 2, unknown: true });
});

test("an image's name may have the sign that ids are made with", () => {
  expect(imageOf("a#b.jpg#0#0-5")).toBe("a#b.jpg");
});

test("one steps through the phrases that match, over pictures", () => {
  const pictures = [picture("a", 3, [0, 2]), picture("b", 2, [1])];
  expect(nextOf(pictures, "a#0#0", 1)).toBe("a#0#2");
  expect(nextOf(pictures, "a#0#2", 1)).toBe("b#0#1");
  expect(nextOf(pictures, "b#0#1", 1)).toBeUndefined();
  expect(nextOf(pictures, "a#0#1", 1)).toBe("a#0#2"); // one that was clicked although it does not match
});

test("pictures that a decision took out of the filter no longer count for the next part", () => {
  const pictures = [picture("a", 1, [0]), picture("b", 1, [0])];
  const changed = (one: Reviewed) => (one.id.startsWith("a") ? { ...one, state: "accepted" as const } : one);
  expect(stillMatching(pictures, "open", changed)).toBe(1);
  expect(stillMatching(pictures, undefined, changed)).toBe(2);
});

test("a decision is shown at once, stored under an id of its own, and sent with the version that was seen", async () => {
  answers.push({ status: 200, body: phrase("p", { state: "accepted", version: "v2" }) });
  decide(phrase("p"), { verdict: "accept" });
  expect([now(phrase("p")).state, unsaved.value]).toEqual(["accepted", 1]);
  await send();
  expect(unsaved.value).toBe(0);
  expect(sent[0]).toMatchObject({ id: "p", verdict: "accept", who: "ann", version: "v1" });
  expect(String(sent[0]!.decision)).toMatch(/^[0-9a-f]{24}$/);
});

test("two decisions on one phrase follow each other: the second is sent with the version that the first made", async () => {
  answers.push({ status: 200, body: phrase("p", { state: "accepted", version: "v2" }) }, { status: 200, body: phrase("p", { state: "rejected", version: "v3" }) });
  decide(phrase("p"), { verdict: "accept" });
  decide(phrase("p"), { verdict: "reject" });
  await send();
  expect(sent.map((body) => body.version)).toEqual(["v1", "v2"]);
  expect(now(phrase("p")).state).toBe("rejected");
});

test("a row that somebody changed meanwhile is shown as it is, not overwritten", async () => {
  answers.push({ status: 409, body: { error: "changed", phrase: phrase("p", { state: "rejected", who: "ben", version: "v9" }) } });
  decide(phrase("p"), { verdict: "accept" });
  await send();
  expect(now(phrase("p"))).toMatchObject({ state: "rejected", who: "ben" });
  expect(problem.value).toMatchObject({ id: "p", conflict: true });
  expect(problem.value!.text).toContain("by ben");
});

test("a refused edit leaves the phrase as it was, and says why", async () => {
  answers.push({ status: 422, body: { error: "'dog' is not in the caption" } });
  decide(phrase("p"), { verdict: "edit", text: "dog" });
  await send();
  expect(now(phrase("p")).text).toBe("A cat");
  expect(problem.value).toMatchObject({ id: "p", text: "'dog' is not in the caption", change: { text: "dog" } });
});
