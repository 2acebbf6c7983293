import { expect, test } from "vitest";
import { betaStops, boxes, chain, columns, owner, pieces, scoreSum, tables } from "../src/lib/grounding";
import type { Grounding, Phrase } from "../src/lib/types";

const phrase = (text: string, start: number, more: Partial<Phrase> = {}): Phrase => ({
  text, span: [start, start + [...text].length], box: [1, 2, 30, 40], boxes: [[1, 2, 30, 40]], score: 0.4, confidence: 0.7, whole_image: false, unknown: false, ...more,
});
const found: Grounding = {
  image: "", caption: "A cat sat", score: 0.5, beta: 0.1, width: 100, height: 50, unknown_words: [], phrases: [phrase("A cat", 0)],
  words: [{ text: "A", start: 0, end: 1 }, { text: "cat", start: 2, end: 5 }, { text: "sat", start: 6, end: 9 }],
  boxes: [[0, 0, 100, 50], [1, 2, 30, 40], [5, 5, 9, 9]],
  scores: [[0.1, 0.2, 0], [0.1, 0.6, 0], [0.7, 0.1, -0.2]], assignment: [1, 1, 0],
  segments: [{ start: 0, end: 2, region: 1, box: [1, 2, 30, 40], text: "A cat" }, { start: 2, end: 3, region: 0, box: [0, 0, 100, 50], text: "sat" }],
};

test("the shortest phrase owns what lies in several", () => {
  expect(owner([{ span: [0, 9] }, { span: [2, 5] }], [2, 5])).toBe(1);
  expect(owner([{ span: [0, 4] }], [2, 5])).toBe(-1);
});

test("a caption is cut at its phrases, also after letters of two UTF-16 units", () => {
  const cut = pieces("😀 A cat!", [phrase("A cat", 2)]);
  expect(cut.map((piece) => piece.text)).toEqual(["😀 ", "A cat", "!"]);
  expect(cut[1]).toMatchObject({ p: 0, first: true, last: true, name: "A cat, 70 % sure" });
});

test("a phrase that contains a shorter one has its number on its first piece only", () => {
  const cut = pieces("a cup of tea", [phrase("a cup of tea", 0), phrase("tea", 9)]);
  expect(cut.map((piece) => [piece.text, piece.p, piece.first])).toEqual([["a cup of ", 0, true], ["tea", 1, true]]);
});

test("boxes below the chosen confidence are not shown; one of the whole picture is inset", () => {
  const phrases = [phrase("a", 0, { confidence: 0.2 }), phrase("b", 2, { whole_image: true })];
  const shown = boxes(phrases, 1000, 500, 0.5);
  expect(shown.map((box) => box.label)).toEqual(["2"]);
  expect(shown[0]!.box[0]).toBeGreaterThan(0);
  expect(shown[0]!.name).toContain("the whole picture");
});

test("every box of a phrase is shown", () => {
  const two = phrase("cats", 0, { boxes: [[0, 0, 5, 5], [9, 9, 20, 20]] });
  expect(boxes([two], 100, 50).map((box) => box.key)).toEqual(["0-0", "0-1"]);
});

test("the chain's pieces have the colours of the phrases that they lie in", () => {
  expect(chain(found)).toEqual([{ text: "A cat", region: 1, p: 0 }, { text: " " }, { text: "sat", region: 0, p: undefined }]);
});

test("a piece over two phrases has the colour of neither", () => {
  const two = { ...found, phrases: [phrase("A", 0), phrase("cat", 2)] };
  expect(chain(two)[0]).toEqual({ text: "A cat", region: 1, p: undefined });
});

test("with a prior, boxes were chosen from the sum of both tables", () => {
  const both = tables({ ...found, prior: [[1, 0, 0], [0, 0, 0], [0, 0, 0.5]] });
  expect(both.map((table) => table.kind)).toEqual(["sum", "learned", "prior"]);
  expect(both[0]!.values[0]).toEqual([1.1, 0.2, 0]);
});

test("every region that was best or assigned is among the columns", () => {
  const many = { ...found, scores: found.scores!.map((row) => [...row, ...Array<number>(40).fill(0.05)]), boxes: [...found.boxes!, ...Array(40).fill([0, 0, 1, 1])] } as Grounding;
  const shown = columns(many);
  expect(shown).toHaveLength(22);
  expect(shown).toEqual(expect.arrayContaining([0, 1]));
});

test("the score is told as the sum or the mean of the words' best", () => {
  expect(scoreSum(found)).toBe("(0.20 + 0.60 + 0.70) / 3 = 0.50");
  expect(scoreSum({ ...found, score: 1.5 })).toBe("0.20 + 0.60 + 0.70 = 1.50");
});

test("beta goes from none over the model's own to one box for all words", () => {
  const stops = betaStops(0.01);
  expect([stops[0], stops.includes(0.01), stops.at(-1), stops.length]).toEqual([0, true, 1, 38]);
});
