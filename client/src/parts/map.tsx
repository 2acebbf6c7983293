/** Pictures as points: like pictures are near each other. Wheel, pinch and drag look around. */
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, ask, imageUrl } from "../lib/api";
import { useAnswer } from "../lib/answer";
import { useNear } from "../lib/endless";
import { count, percent } from "../lib/format";
import { WHOLE, panned, zoomed, type View } from "../lib/geometry";
import { go } from "../lib/route";
import type { MapOfPictures } from "../lib/types";
import { Button, Failed } from "./basic";

const MARGIN = 0.04;
const REACH = 22; // pixels on the screen around a point
const PICTURES = 80; // thumbnails drawn when so few points are in view

/** Read when it comes near the window: its pictures are most of what the start page loads. */
export function PictureMap() {
  const [near, set] = useState(false);
  const place = useNear(() => set(true));
  return near ? <Loaded /> : <div ref={place} class="map" />;
}

function Loaded() {
  const answer = useAnswer<MapOfPictures | null>("map", async (stop) => {
    try {
      return await ask<MapOfPictures>("/map", undefined, { signal: stop });
    } catch (error) {
      if (error instanceof ApiError && error.status === 409) return null;
      throw error;
    }
  });
  if (answer.error) return <Failed>{answer.error}</Failed>;
  if (!answer.data?.keys.length) return <p class="soft">{answer.busy ? "Drawing …" : "There are no regions yet."}</p>;
  return <Points map={answer.data} />;
}

function Points({ map }: { map: MapOfPictures }) {
  const frame = useRef<HTMLDivElement>(null);
  const [view, set] = useState<View>(WHOLE);
  const [at, setAt] = useState(-1);
  const now = useRef(view);
  now.current = view;
  const drag = useRef<{ x: number; y: number; moved: boolean } | null>(null);
  const place = (i: number): [number, number] => {
    const along = (v: number) => MARGIN + ((1 - 2 * MARGIN) * (v + 1)) / 2;
    return [(along(map.x[i]!) - view.x) * view.z, (along(-map.y[i]!) - view.y) * view.z];
  };
  const seen = map.keys.map((_, i) => i).filter((i) => place(i).every((v) => v >= 0 && v <= 1));
  const share = (event: MouseEvent): [number, number] => {
    const box = frame.current!.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  const nearest = (event: MouseEvent): number => {
    const [u, v] = share(event), { width, height } = frame.current!.getBoundingClientRect();
    let best = -1, least = REACH;
    for (const i of seen) {
      const [x, y] = place(i), far = Math.hypot((x - u) * width, (y - v) * height);
      if (far < least) [best, least] = [i, far];
    }
    return best;
  };
  useEffect(() => {
    const wheel = (event: WheelEvent) => {
      if (event.deltaY > 0 && now.current.z === 1) return; // then the page scrolls
      event.preventDefault();
      set((was) => zoomed(was, 2 ** (-event.deltaY / 300), ...share(event)));
    };
    frame.current!.addEventListener("wheel", wheel, { passive: false });
    return () => frame.current?.removeEventListener("wheel", wheel);
  }, []);
  const move = (event: PointerEvent) => {
    if (!drag.current) return setAt(nearest(event));
    const [u, v] = share(event), { x, y } = drag.current;
    if (Math.hypot(u - x, v - y) > 0.005 || drag.current.moved) {
      drag.current = { x: u, y: v, moved: true };
      set((was) => panned(was, u - x, v - y));
    }
  };
  const keys = (event: KeyboardEvent) => {
    const step = ({ ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 } as Record<string, number>)[event.key];
    if (step) setAt((was) => seen[(seen.indexOf(was) + step + seen.length) % seen.length] ?? -1);
    else if (event.key === "Enter" && at >= 0) go("ground", { image: map.keys[at]! });
    else if (event.key === "+" || event.key === "=") set((was) => zoomed(was, 1.5, 0.5, 0.5));
    else if (event.key === "-") set((was) => zoomed(was, 1 / 1.5, 0.5, 0.5));
    else return;
    event.preventDefault();
  };
  const splits = [...new Set(map.splits)];
  const [x, y] = at >= 0 ? place(at) : [0, 0];
  return (
    <div class="stack tight">
      <div class="map" ref={frame} tabindex={0} role="application" aria-label={at < 0 ? `Map of ${map.keys.length} pictures; arrow keys step through them` : `${map.keys[at]}; Enter opens it`}
        onPointerDown={(event) => (drag.current = { x: share(event)[0], y: share(event)[1], moved: false })} onPointerMove={move}
        onPointerUp={(event) => {
          const was = drag.current;
          drag.current = null;
          const found = nearest(event);
          if (was && !was.moved && found >= 0) go("ground", { image: map.keys[found]! });
        }}
        onPointerLeave={() => ((drag.current = null), setAt(-1))} onKeyDown={keys}>
        {seen.map((i) => {
          const [px, py] = place(i), style = { left: `${100 * px}%`, top: `${100 * py}%` };
          return seen.length <= PICTURES
            ? <img key={i} class="spot" src={imageUrl(map.keys[i]!, 160)} alt="" draggable={false} loading="lazy" style={style} />
            : <i key={i} class={`dot k${splits.indexOf(map.splits[i]!)}`} style={style} />;
        })}
        {at >= 0 && <figure class="spot-card" style={{ left: `${100 * Math.min(0.86, Math.max(0.14, x))}%`, top: `${100 * y}%` }} data-low={y < 0.4 ? "" : undefined}><img src={imageUrl(map.keys[at]!, 160)} alt="" /><figcaption>{map.keys[at]}</figcaption></figure>}
      </div>
      <div class="spread small soft"><span>{count(map.keys.length)}{map.total > map.keys.length ? ` of ${count(map.total)}` : ""} pictures by the first two principal components of their vectors, which hold {percent(map.explained[0] + map.explained[1])} of the variance{seen.length < map.keys.length ? `; ${count(seen.length)} in view` : ""}</span>
        <span class="row"><Button look="quiet small" onClick={() => set((was) => zoomed(was, 1.6, 0.5, 0.5))}>Zoom in</Button><Button look="quiet small" disabled={view.z === 1} onClick={() => set(WHOLE)}>All</Button></span></div>
    </div>
  );
}
