/** Answers of the server as state of a component. */
import { useEffect, useState } from "preact/hooks";
import { revision, told } from "./api";

export interface Answer<T> {
  /** The answer to the newest question that has one; while another is awaited, the previous one. */
  data: T | null;
  /** Key of the question that `data` answers. */
  of: string | null;
  error: string;
  busy: boolean;
}

const KEPT = 60;
const answers = new Map<string, unknown>();

/** Keep an answer for the same question, for example after going back. */
export function keep(key: string, value: unknown): void {
  answers.delete(key);
  answers.set(key, value);
  for (const oldest of answers.keys()) {
    if (answers.size <= KEPT) break;
    answers.delete(oldest);
  }
}

export const known = <T>(key: string): T | undefined => answers.get(key) as T | undefined;

/**
 * Ask a question whenever its key changes; null asks nothing. An answer that comes after the question has changed is dropped,
 * and its request aborted. With `fresh` an answer that is known is shown at once and asked again.
 */
export function useAnswer<T>(key: string | null, load: (stop: AbortSignal) => Promise<T>, fresh = false, wait = 0): Answer<T> {
  const [state, set] = useState<Answer<T>>(() => start<T>(key));
  const again = revision.value;
  useEffect(() => {
    if (key === null) {
      set({ data: null, of: null, error: "", busy: false });
      return;
    }
    const before = known<T>(key);
    if (before !== undefined) set({ data: before, of: key, error: "", busy: fresh });
    if (before !== undefined && !fresh) return;
    if (before === undefined) set((now) => ({ ...now, error: "", busy: true }));
    const stop = new AbortController();
    const timer = setTimeout(() => {
      load(stop.signal).then(
        (data) => {
          keep(key, data);
          if (!stop.signal.aborted) set({ data, of: key, error: "", busy: false });
        },
        (error) => {
          if (!stop.signal.aborted) set((now) => ({ ...now, error: told(error), busy: false }));
        },
      );
    }, wait);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [key, again]);
  return state;
}

function start<T>(key: string | null): Answer<T> {
  const data = key === null ? undefined : known<T>(key);
  return { data: data ?? null, of: data === undefined ? null : key, error: "", busy: key !== null && data === undefined };
}
