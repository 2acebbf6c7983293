import { expect, test } from "vitest";
import { asCurl, asPython, lines, literal, sheet, svg } from "../src/lib/drawn";

const COLOURS = [{ fill: "#123456", text: "#fff" }];

test("text is set in lines that are not too long, and none of it is lost", () => {
  const set = lines([{ text: "one two three " }, { text: "four five" }], 9);
  expect(set.map((line) => line.map((piece) => piece.text).join("")).join("")).toBe("one two three four five");
  for (const line of set) expect(line.map((piece) => piece.text).join("").trimEnd().length).toBeLessThanOrEqual(9);
});

test("an SVG is well formed whatever the caption says", () => {
  const phrase = { text: "<b>", span: [0, 3] as [number, number], box: [0, 0, 5, 5] as [number, number, number, number], boxes: [], score: 0, confidence: 1, whole_image: false, unknown: false };
  const text = svg({ width: 64, height: 48, boxes: [{ id: "0", box: [1, 2, 3, 4], k: 0, label: "1", name: "" }], caption: '<b> & "quotes"', phrases: [phrase] }, "data:image/jpeg;base64,AA", COLOURS);
  const read = new DOMParser().parseFromString(text, "image/svg+xml");
  expect(read.querySelector("parsererror")).toBeNull();
  expect(read.documentElement.textContent).toContain('<b> & "quotes"');
  expect(read.querySelectorAll("b")).toHaveLength(0);
});

test("a curl command survives quotes, and leaves out what was not given", () => {
  const command = asCurl({ method: "GET", path: "/search", values: { sentence: "a dog's ball", region: undefined } }, "http://h");
  expect(command).toBe(`curl -G 'http://h/api/search' -H "Authorization: Bearer $PHRASEBOX_TOKEN" --data-urlencode 'sentence=a dog'\\''s ball'`);
  expect(asCurl({ method: "POST", path: "/ground", values: { sentence: "x" }, file: "a.jpg" }, "http://h")).toContain("-F 'image=@a.jpg' -F 'sentence=x'");
});

test("text becomes a Python literal", () => {
  expect(literal('a "b"\n')).toBe('"a \\"b\\"\\n"');
  expect([literal(true), literal(0.5)]).toEqual(["True", "0.5"]);
});

test("Python asks the same", () => {
  const code = asPython({ method: "POST", path: "/ground", values: { image: "a.jpg", sentence: "A cat", beta: 0.1 } }, "ws");
  expect(code).toContain('pb.Workspace("ws")');
  expect(code).toContain('"A cat", beta=0.1)');
  expect(asPython({ method: "POST", path: "/like", values: { k: 5 }, file: "my cat.jpg" }, "ws")).toContain('like("my cat.jpg", k=5)');
});

test("a line of Arabic begins at the right, one of English at the left", () => {
  const of = (caption: string) => new DOMParser().parseFromString(svg({ width: 640, height: 480, boxes: [], caption, phrases: [] }, "data:,", COLOURS), "image/svg+xml").querySelector("text")!;
  const arabic = of("1. كوب على طاولة"), english = of("a cup كوب");
  expect([arabic.getAttribute("direction"), english.getAttribute("direction")]).toEqual(["rtl", null]);
  expect(Number(arabic.getAttribute("x"))).toBe(640 - Number(english.getAttribute("x")));
});

test("code that describes prints what is shown", () => {
  const code = asPython({ method: "POST", path: "/describe", values: { image: "a.jpg", regions: 3 } }, "ws");
  expect(code).toContain("print(found.shown)");
  expect(code).not.toContain("found.caption");
});

test("a sheet shows every result beside or below the others", () => {
  const drawing = { width: 640, height: 480, boxes: [], caption: "a cup", phrases: [] };
  const text = sheet(Array.from({ length: 5 }, (_, i) => ({ drawing, picture: "data:,", title: `<${i}>` })), COLOURS, 2);
  const read = new DOMParser().parseFromString(text, "image/svg+xml");
  expect(read.querySelector("parsererror")).toBeNull();
  const places = [...read.querySelectorAll("svg > svg")].map((part) => [Number(part.getAttribute("x")), Number(part.getAttribute("y"))]);
  expect(new Set(places.map(String)).size).toBe(5);
  expect(Math.max(...places.map(([, y]) => y!))).toBeLessThan(Number(read.documentElement.getAttribute("height")));
});
