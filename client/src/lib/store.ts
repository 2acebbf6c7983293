/** Small values that this browser keeps; without storage they last until the page is left. */
import { effect, signal, type Signal } from "@preact/signals";

/** A signal kept in this browser under a name. */
export function keptSignal<T>(name: string, initial: T): Signal<T> {
  const value = signal<T>(initial);
  try {
    const text = localStorage.getItem(name);
    if (text !== null) value.value = JSON.parse(text) as T;
  } catch {
    // refused or unreadable: the initial value
  }
  effect(() => {
    try {
      localStorage.setItem(name, JSON.stringify(value.value));
    } catch {
      // refused: kept until the page is left
    }
  });
  return value;
}

/** What was typed in this tab and not yet sent, by the name of its field. */
export const draft = {
  get(name: string): string | null {
    try {
      return sessionStorage.getItem(`draft:${name}`);
    } catch {
      return null;
    }
  },
  set(name: string, text: string | null): void {
    try {
      if (text === null) sessionStorage.removeItem(`draft:${name}`);
      else sessionStorage.setItem(`draft:${name}`, text);
    } catch {
      // refused
    }
  },
};

/** Id that no one else has: 24 characters. */
export function freshId(): string {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const who = keptSignal("phrasebox-name", "");
export const recentQueries = keptSignal<string[]>("phrasebox-recent", []);
