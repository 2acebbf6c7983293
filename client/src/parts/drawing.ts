/** Drawing, moving and resizing boxes on a picture. */
import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { between, rounded, shifted, snapped, type Handle } from "../lib/geometry";
import type { Box } from "../lib/grounding";
import type { Corners } from "../lib/types";

interface Given {
  boxes?: readonly Box[];
  editing: string | null;
  draws: boolean;
  snaps?: readonly Corners[];
  size: [number, number];
  unit: number;
  svg: RefObject<SVGSVGElement | null>;
  onPicked?: (id: string) => void;
  onPointed?: (x: number, y: number) => void;
  onDrawn?: (box: Corners) => void;
  onChanged?: (box: Corners) => void;
}
type Kind = "new" | "move" | Handle;

const LEAST = 6; // pixels on the screen below which a drag is a click
const REACH = 7; // pixels on the screen within which an edge snaps; with Alt it does not
const LATER = 400; // ms after the last arrow key until a box is stored

export function useDrawing(given: Given) {
  const now = useRef(given);
  now.current = given;
  const [live, setLive] = useState<Corners | null>(null);
  const [fresh, setFresh] = useState<Corners | null>(null);
  const drag = useRef<{ kind: Kind; box: Corners | null; from: [number, number]; moved: boolean; to: Corners | null } | null>(null);
  const clicked = useRef(true);
  const timer = useRef(0);
  const own = () => now.current.boxes?.find((b) => b.id === now.current.editing)?.box ?? null;

  useEffect(() => {
    if (!drag.current && !timer.current) setLive(null);
    if (!drag.current) setFresh(null);
  }, [given.boxes]);
  useEffect(() => {
    clearTimeout(timer.current);
    timer.current = 0;
    drag.current = null;
    setLive(null);
    setFresh(null);
  }, [given.editing, given.draws]);
  useEffect(() => () => clearTimeout(timer.current), []);

  const at = (event: PointerEvent): [number, number] => {
    const frame = given.svg.current!.getBoundingClientRect(), [width, height] = now.current.size;
    const along = (v: number, from: number, size: number, most: number) => Math.min(most, Math.max(0, ((v - from) / size) * most));
    return [along(event.clientX, frame.left, frame.width, width), along(event.clientY, frame.top, frame.height, height)];
  };
  const held = (box: Corners, event: { altKey: boolean }): Corners =>
    event.altKey || !now.current.snaps?.length ? box : snapped(box, now.current.snaps, now.current.size, REACH * now.current.unit);

  const follow = (event: PointerEvent) => {
    const d = drag.current!, to = at(event), least = LEAST * now.current.unit;
    if (!d.moved && Math.hypot(to[0] - d.from[0], to[1] - d.from[1]) < least) return;
    d.moved = true;
    clicked.current = false;
    if (d.kind === "new") setFresh((d.to = held(between(d.from, to), event)));
    else {
      const next = shifted(d.box!, d.kind, to[0] - d.from[0], to[1] - d.from[1], now.current.size, least);
      setLive((d.to = d.kind === "move" ? next : held(next, event)));
    }
  };
  const finish = (event: PointerEvent) => {
    const d = drag.current!, least = LEAST * now.current.unit;
    drag.current = null;
    if (event.type === "pointercancel") {
      setFresh(null);
      setLive(null);
    } else if (d.kind !== "new") {
      if (d.moved && d.to) now.current.onChanged?.(rounded(d.to));
    } else if (!d.moved) now.current.onPointed?.(...d.from);
    else if (d.to && d.to[2] - d.to[0] >= least && d.to[3] - d.to[1] >= least) now.current.onDrawn?.(rounded(d.to));
    else setFresh(null);
  };

  const start = (event: PointerEvent, kind: Kind) => {
    clicked.current = true;
    if (event.button || !event.isPrimary || (kind === "new" && !now.current.draws)) return;
    drag.current = { kind, box: kind === "new" ? null : own(), from: at(event), moved: false, to: null };
    const id = event.pointerId;
    const end = (e: PointerEvent) => {
      if (e.pointerId !== id) return;
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", end);
      removeEventListener("pointercancel", end);
      if (drag.current) finish(e);
    };
    const move = (e: PointerEvent) => {
      if (drag.current && e.pointerId === id) follow(e);
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", end);
    addEventListener("pointercancel", end);
    if (kind !== "new") event.preventDefault();
  };

  // The keyboard: Enter begins a box in the middle, arrows move, with Shift they resize, Enter takes it.
  const keys = (event: KeyboardEvent) => {
    const arrow = ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] } as Record<string, [number, number]>)[event.key];
    const { size: [width, height], unit } = now.current;
    const target = event.target as Element, editing = target.closest(".editing") !== null;
    if (arrow && (editing || fresh)) {
      event.preventDefault();
      event.stopPropagation();
      const step = event.altKey ? unit : 0.015 * Math.max(width, height);
      const next = shifted((editing ? (live ?? own()) : fresh)!, event.shiftKey ? "se" : "move", arrow[0] * step, arrow[1] * step, [width, height], LEAST * unit);
      if (!editing) return setFresh(next);
      setLive(next);
      clearTimeout(timer.current);
      timer.current = window.setTimeout(() => {
        timer.current = 0;
        now.current.onChanged?.(rounded(next));
      }, LATER);
    } else if (now.current.draws && target === given.svg.current && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      event.stopPropagation();
      if (fresh) now.current.onDrawn?.(rounded(fresh));
      else setFresh([width / 3, height / 3, (2 * width) / 3, (2 * height) / 3]);
    } else if (event.key === "Escape" && fresh) {
      event.stopPropagation();
      setFresh(null);
    }
  };
  const pick = (id: string) => {
    if (clicked.current && id !== now.current.editing) now.current.onPicked?.(id);
  };
  return { live, fresh, start, keys, pick };
}
