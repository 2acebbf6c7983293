/** Looking closely at a picture: wheel, pinch, drag, keys + - 0; b hides the boxes. */
import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { WHOLE, panned, zoomed, type View } from "../lib/geometry";
import { useKeys } from "../lib/keys";

const STEP = 1.5;

export function useZoom(frame: RefObject<HTMLElement | null>, on: boolean, busy: boolean, src: string) {
  const [view, set] = useState<View>(WHOLE);
  const [bare, setBare] = useState(false);
  const now = useRef({ view, busy });
  now.current = { view, busy };
  useEffect(() => set(WHOLE), [src]);
  useEffect(() => {
    const place = frame.current;
    if (!place || !on) return;
    const share = (x: number, y: number): [number, number] => {
      const box = place.getBoundingClientRect();
      return [(x - box.left) / box.width, (y - box.top) / box.height];
    };
    const wheel = (event: WheelEvent) => {
      if (event.deltaY > 0 && now.current.view.z === 1) return; // then the page scrolls
      event.preventDefault();
      const [u, v] = share(event.clientX, event.clientY);
      set((was) => zoomed(was, 2 ** (-event.deltaY / 300), u, v));
    };
    const fingers = new Map<number, [number, number]>();
    const down = (event: PointerEvent) => {
      if (event.target instanceof Element && event.target.closest("button, .handle, .editing")) return;
      fingers.set(event.pointerId, share(event.clientX, event.clientY));
    };
    const move = (event: PointerEvent) => {
      const before = fingers.get(event.pointerId);
      if (!before) return;
      const next = share(event.clientX, event.clientY);
      const others = [...fingers].filter(([id]) => id !== event.pointerId);
      fingers.set(event.pointerId, next);
      if (others.length) {
        const other = others[0]![1], far = (p: [number, number]) => Math.hypot(p[0] - other[0], p[1] - other[1]);
        const middle: [number, number] = [(next[0] + other[0]) / 2, (next[1] + other[1]) / 2];
        set((was) => panned(zoomed(was, far(next) / Math.max(1e-6, far(before)), ...middle), (next[0] - before[0]) / 2, (next[1] - before[1]) / 2));
      } else if (now.current.view.z > 1 && (!now.current.busy || event.buttons === 4)) {
        set((was) => panned(was, next[0] - before[0], next[1] - before[1]));
      }
    };
    const up = (event: PointerEvent) => fingers.delete(event.pointerId);
    place.addEventListener("wheel", wheel, { passive: false });
    place.addEventListener("pointerdown", down, true); // before a box takes it for itself
    addEventListener("pointermove", move);
    addEventListener("pointerup", up);
    addEventListener("pointercancel", up);
    return () => {
      place.removeEventListener("wheel", wheel);
      place.removeEventListener("pointerdown", down, true);
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", up);
      removeEventListener("pointercancel", up);
    };
  }, [on]);
  const by = (factor: number) => set((was) => zoomed(was, factor, 0.5, 0.5));
  useKeys(on ? { "+": () => by(STEP), "=": () => by(STEP), "-": () => by(1 / STEP), "0": () => set(WHOLE), b: () => setBare((was) => !was) } : {}, ["+", "=", "-"]);
  const buttons = on && (
    <div class="zoom" data-nokeep>
      <button type="button" aria-label="Zoom in" title="Zoom in (+, wheel, pinch)" onClick={() => by(STEP)}>+</button>
      <button type="button" aria-label="Zoom out" title="Zoom out (-)" disabled={view.z === 1} onClick={() => by(1 / STEP)}>−</button>
      <button type="button" aria-label="Whole picture" title="Whole picture (0)" disabled={view.z === 1} onClick={() => set(WHOLE)}>⤢</button>
      <button type="button" aria-label="Hide the boxes" title="Hide the boxes (b)" aria-pressed={bare} onClick={() => setBare(!bare)}>▢</button>
    </div>
  );
  return { view, bare, buttons };
}
