/** The regions of a picture, to pick one as the box of a phrase. */
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, ask } from "../lib/api";
import { useAnswer } from "../lib/answer";
import { under } from "../lib/geometry";
import type { Corners } from "../lib/types";

/** Stored regions of a picture; none if it has none. */
export function useRegions(key: string | null): Corners[] {
  const found = useAnswer<Corners[]>(key && `regions ${key}`, async (stop) => {
    try {
      return (await ask<{ boxes: Corners[] }>("/regions", { image: key }, { signal: stop })).boxes;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return [];
      throw error;
    }
  });
  return found.data ?? none;
}
const none: Corners[] = [];

interface Props { regions: readonly Corners[]; size: [number, number]; onTake: (box: Corners) => void; onLeave: () => void }

export function Regions({ regions, size: [width, height], onTake, onLeave }: Props) {
  const [at, set] = useState(-1);
  const layer = useRef<SVGGElement>(null);
  useEffect(() => layer.current?.focus(), []);
  const place = (event: PointerEvent | MouseEvent): number => {
    const frame = layer.current!.ownerSVGElement!.getBoundingClientRect();
    return under(regions, ((event.clientX - frame.left) / frame.width) * width, ((event.clientY - frame.top) / frame.height) * height);
  };
  const keys = (event: KeyboardEvent) => {
    const step = ({ ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 } as Record<string, number>)[event.key];
    if (step) set((was) => (was + step + regions.length) % regions.length);
    else if (event.key === "Enter" && regions[at]) onTake(regions[at]);
    else if (event.key === "Escape") onLeave();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <g class="pickable" ref={layer} tabindex={0} role="application" aria-label={at < 0 ? `${regions.length} regions; arrow keys step through them` : `region ${at + 1} of ${regions.length}; Enter takes it`}
      onKeyDown={keys} onPointerDown={(event) => event.stopPropagation()} onPointerMove={(event) => set(place(event))}
      onClick={(event) => {
        event.stopPropagation();
        const found = regions[place(event)];
        if (found) onTake(found);
      }}>
      <rect class="catch" width={width} height={height} />
      {regions.map(([x1, y1, x2, y2], i) => <rect key={i} class={i === at ? "region on" : "region"} x={x1} y={y1} width={x2 - x1} height={y2 - y1} />)}
    </g>
  );
}
