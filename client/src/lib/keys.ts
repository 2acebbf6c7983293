/** Single keys that do something while nothing is typed. */
import { useEffect, useRef } from "preact/hooks";

/**
 * The key of an event whatever the keyboard: a Latin letter as it is written, in lower case (so Caps Lock changes nothing),
 * else the letter at the same place of a Latin keyboard; "Shift+" in front if Shift is held with a letter.
 */
export function keyOf(event: Pick<KeyboardEvent, "key" | "code" | "shiftKey">): string {
  const place = /^Key([A-Z])$/.exec(event.code)?.[1];
  const latin = /^[a-z]$/i.test(event.key);
  const letter = latin ? event.key.toLowerCase() : place && event.key.length === 1 && event.key.charCodeAt(0) > 127 ? place.toLowerCase() : "";
  return letter ? `${event.shiftKey ? "Shift+" : ""}${letter}` : event.key;
}

/** Whether what is typed goes into a field. */
export function typing(target: EventTarget | null): boolean {
  const field = "input:not([type=range], [type=checkbox], [type=radio], [type=file]), textarea, select, [contenteditable]";
  return target instanceof Element && target.closest(field) !== null;
}

export type Keys = Record<string, (event: KeyboardEvent) => void>;

/** Whether a key press is for the page: no field, no Ctrl, and no repetition of a key that is held down. */
export function forPage(event: KeyboardEvent): boolean {
  return !(event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.isComposing || typing(event.target));
}

/** Act on keys while a component is shown. A held key acts once, except those in `repeats`. */
export function useKeys(keys: Keys, repeats: readonly string[] = []): void {
  const now = useRef(keys);
  now.current = keys;
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const name = keyOf(event);
      const held = event.repeat && repeats.includes(name) ? { ...pick(event), repeat: false } : event;
      if (!forPage(held as KeyboardEvent) || document.querySelector("dialog[open]")) return;
      if (name === "Enter" && event.target instanceof Element && event.target.closest("button, a, summary, [role=button]")) return;
      const act = now.current[name];
      if (!act) return;
      event.preventDefault();
      act(event);
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
}

const pick = (e: KeyboardEvent) => ({
  ctrlKey: e.ctrlKey, metaKey: e.metaKey, altKey: e.altKey, defaultPrevented: e.defaultPrevented, isComposing: e.isComposing, target: e.target,
});
