import { expect, test } from "vitest";
import { forPage, keyOf, typing } from "../src/lib/keys";

const key = (key: string, code: string, shiftKey = false) => keyOf({ key, code, shiftKey });

test("Caps Lock changes nothing, Shift does", () => {
  expect(key("A", "KeyA")).toBe("a");
  expect(key("a", "KeyA", true)).toBe("Shift+a"); // Caps Lock and Shift
  expect(key("A", "KeyA", true)).toBe("Shift+a");
});

test("a Latin layout counts by what is written, another one by the place of the key", () => {
  expect(key("a", "KeyQ")).toBe("a"); // AZERTY
  expect(key("ф", "KeyA")).toBe("a"); // Russian
  expect(key("?", "Slash", true)).toBe("?");
  expect(key("Enter", "Enter")).toBe("Enter");
});

test("a held key, a combination with Ctrl and what is typed into a field are not for the page", () => {
  const press = (more: object) => forPage(Object.assign(new KeyboardEvent("keydown", { key: "a" }), {}, more) as KeyboardEvent);
  expect(press({})).toBe(true);
  expect(forPage(new KeyboardEvent("keydown", { key: "a", repeat: true }))).toBe(false);
  expect(forPage(new KeyboardEvent("keydown", { key: "a", ctrlKey: true }))).toBe(false);
  const field = document.body.appendChild(document.createElement("textarea"));
  expect(typing(field)).toBe(true);
  const slider = Object.assign(document.createElement("input"), { type: "range" });
  expect(typing(slider)).toBe(false);
});
