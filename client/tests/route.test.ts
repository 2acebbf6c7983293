import { beforeEach, expect, test } from "vitest";
import { go, href, parse, patch, route } from "../src/lib/route";

beforeEach(() => go("start"));

test("an address gives page and query, and is made from them again", () => {
  const address = "/ground?image=a%26b.jpg&sentence=A+cat%3F&beta=0.1";
  expect(parse(address)).toEqual({ page: "ground", query: { image: "a&b.jpg", sentence: "A cat?", beta: "0.1" } });
  expect(href("ground", parse(address).query)).toBe(address);
});

test("an unknown path is the start page, and empty values are left out", () => {
  expect(parse("/nowhere?x=1").page).toBe("start");
  expect(href("review", { text: "", state: null, at: undefined, min_words: 0 })).toBe("/review?min_words=0");
});

test("going somewhere is an entry in the history; a replacement is not", () => {
  const before = history.length;
  go("search", { q: "cat" });
  expect(history.length).toBe(before + 1);
  patch({ kind: "regions" }, true);
  expect(history.length).toBe(before + 1);
  expect(location.search).toBe("?q=cat&kind=regions");
  patch({ q: null });
  expect(route.value).toEqual({ page: "search", query: { kind: "regions" } });
});
