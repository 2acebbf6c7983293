/** A list that is read on as it is scrolled, and that keeps its place over reloads and going back. */
import { useEffect, useRef, useState } from "preact/hooks";
import { keep, known } from "./answer";
import { revision, told } from "./api";
import { readSoFar, remember } from "./route";

export interface Part<T> { items: T[]; more: boolean }
export interface Endless<T> { items: T[]; more: boolean; busy: boolean; error: string; next: () => void; of: string | null }

/** Items of a question; null asks nothing. `load` reads a part that begins at an offset; more than a usual one if that many are wanted. */
export function useEndless<T>(key: string | null, load: (offset: number, stop: AbortSignal, wanted: number) => Promise<Part<T>>): Endless<T> {
  const empty = { items: [] as T[], more: false, busy: key !== null, error: "", of: null as string | null };
  const [state, set] = useState(() => (key !== null && known<Part<T>>(`list ${key}`) ? { ...empty, ...known<Part<T>>(`list ${key}`)!, busy: false, of: key as string | null } : empty));
  const now = useRef(state);
  now.current = state;
  const stop = useRef<AbortController | undefined>(undefined);
  const again = revision.value;

  const read = async (from: T[], until: number) => {
    stop.current?.abort();
    const own = (stop.current = new AbortController());
    let items = from;
    try {
      for (let more = true; more && (items === from || items.length < until); ) {
        const part = await load(items.length, own.signal, Math.max(0, until - items.length));
        if (own.signal.aborted) return;
        items = [...items, ...part.items];
        more = part.more && part.items.length > 0;
        keep(`list ${key}`, { items, more });
        set({ items, more, busy: more && items.length < until, error: "", of: key });
      }
      remember({ read: items.length });
    } catch (error) {
      if (!own.signal.aborted) set((was) => ({ ...was, busy: false, error: told(error) }));
    }
  };
  useEffect(() => {
    if (key === null) {
      set({ items: [], more: false, busy: false, error: "", of: null });
      return;
    }
    const before = known<Part<T>>(`list ${key}`);
    if (before) {
      set({ ...before, busy: false, error: "", of: key });
      return;
    }
    set((was) => ({ ...was, busy: true, error: "" }));
    void read([], readSoFar());
    return () => stop.current?.abort();
  }, [key, again]);
  const next = () => {
    const { busy, more, items, error } = now.current;
    if (busy || !more || error) return;
    set((was) => ({ ...was, busy: true }));
    void read(items, 0);
  };
  return { ...state, next };
}

/** Call when an element comes near the window. */
export function useNear(act: () => void) {
  const end = useRef<HTMLDivElement>(null), now = useRef(act);
  now.current = act;
  useEffect(() => {
    const watch = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && now.current(), { rootMargin: "600px" });
    if (end.current) watch.observe(end.current);
    return () => watch.disconnect();
  });
  return end;
}
