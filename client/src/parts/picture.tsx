/** A picture with boxes over it: looked at closely, pointed at, drawn, moved and resized by mouse, touch and keyboard. */
import type { ComponentChildren, RefObject } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { HANDLES, apart, area, labelPlaces, type Handle, type View } from "../lib/geometry";
import type { Box } from "../lib/grounding";
import type { Corners } from "../lib/types";
import { useDrawing } from "./drawing";
import { useZoom } from "./zoom";

export interface Probe { r: number; box: Corners; k?: number }
interface Props {
  src: string;
  alt: string;
  width?: number;
  height?: number;
  boxes?: readonly Box[];
  /** Regions that are seen when they are pointed at elsewhere. */
  probes?: readonly Probe[];
  /** Id of the box that can be moved and resized. */
  editing?: string | null;
  draws?: boolean;
  /** Boxes whose edges attract those that are drawn. */
  snaps?: readonly Corners[];
  zooms?: boolean;
  hidden?: boolean;
  onPicked?: (id: string) => void;
  onPointed?: (x: number, y: number) => void;
  onDrawn?: (box: Corners) => void;
  onChanged?: (box: Corners) => void;
  over?: ComponentChildren;
}

const CHIP = 24;
const HINT = "Enter starts a box, the arrow keys move it, Shift and arrow keys resize it, Enter accepts it, Escape cancels.";
const none: readonly never[] = [];

/** Pixels of the picture in one of the screen. */
function useUnit(inner: RefObject<HTMLElement | null>, width: number): number {
  const [wide, set] = useState(0);
  useEffect(() => {
    const watch = new ResizeObserver(() => set(inner.current?.clientWidth ?? 0));
    if (inner.current) watch.observe(inner.current);
    return () => watch.disconnect();
  }, []);
  return wide ? width / wide : 1;
}

export function Picture(props: Props) {
  const { src, alt, boxes = none, probes = none, editing = null, draws = false, zooms = false, hidden = false } = props;
  const [natural, setNatural] = useState<{ src: string; size: [number, number] } | null>(null);
  const [failed, setFailed] = useState("");
  const frame = useRef<HTMLElement>(null), inner = useRef<HTMLDivElement>(null), svg = useRef<SVGSVGElement>(null), img = useRef<HTMLImageElement>(null);
  const ready = natural?.src === src;
  const seen = ready ? natural.size : [4, 3];
  const width = props.width || seen[0]!, height = props.height || seen[1]!;
  const unit = useUnit(inner, width);
  const zoom = useZoom(frame, zooms, draws, src);
  const draw = useDrawing({ ...props, editing, draws, size: [width, height], unit, svg });
  useEffect(() => {
    if (img.current?.complete && img.current.naturalWidth) setNatural({ src, size: [img.current.naturalWidth, img.current.naturalHeight] });
  }, [src]);

  const shown = useMemo(() => {
    const moved = apart(boxes, 6 * unit).map((b) => (b.id !== editing ? b : { ...boxes.find((own) => own === b || own.id === b.id)!, box: draw.live ?? boxes.find((own) => own.id === b.id)!.box }));
    const last = (b: Box) => (b.id === editing ? 1 : 0); // what is edited lies on top
    return [...moved].sort((a, b) => last(a) - last(b) || area(b.box) - area(a.box));
  }, [boxes, unit, editing, draw.live]);
  const labelled = useMemo(() => [...shown].reverse().filter((b) => b.label), [shown]);
  const chips = useMemo(() => labelPlaces(labelled.map((b) => b.box), [width, height], CHIP * unit, 2 * unit), [labelled, width, height, unit]);
  const edited = editing === null ? undefined : shown.find((b) => b.id === editing);
  const outer = `M0 0H${width}V${height}H0Z`;
  return (
    <figure class={`pic${draws ? " draws" : ""}${failed === src ? " failed" : ""}${zooms ? " zooms" : ""}${zoom.view.z > 1 ? " near" : ""}${hidden || zoom.bare ? " bare" : ""}`}
      style={{ "--ratio": width / height }} aria-busy={!ready && failed !== src} ref={frame}>
      <div class="pic-in" ref={inner} style={placed(zoom.view)}>
        <img src={src} alt={alt} draggable={false} loading={zooms ? undefined : "lazy"} ref={img} onError={() => setFailed(src)}
          onLoad={(event) => setNatural({ src, size: [event.currentTarget.naturalWidth, event.currentTarget.naturalHeight] })} />
        <svg ref={svg} viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" role="group"
          aria-label={draws ? `Picture. ${HINT}` : "Boxes"} tabindex={draws ? 0 : undefined}
          onPointerDown={(event) => draw.start(event, "new")} onKeyDown={draw.keys}>
          {shown.map((b) => (
            <g key={b.key ?? b.id} class={`box k${b.k}${b.id === editing ? " editing" : ""}`} data-p={b.id} tabindex={0}
              role={b.id === editing ? "application" : "button"} aria-label={b.name} aria-roledescription={b.id === editing ? "movable box" : undefined}
              onPointerDown={(event) => (event.stopPropagation(), draw.start(event, b.id === editing ? "move" : "new"))}
              onClick={() => draw.pick(b.id)}
              onKeyDown={(event) => {
                if (b.id === editing || (event.key !== "Enter" && event.key !== " ")) return;
                event.preventDefault();
                event.stopPropagation();
                props.onPicked?.(b.id);
              }}>
              <path class="shade" fill-rule="evenodd" d={outer + hole(b.box)} />
              <rect class="halo" {...rect(b.box)} /><rect class="edge" {...rect(b.box)} />
            </g>
          ))}
          {probes.map((p) => <rect key={`r${p.r}`} class={`probe${p.k === undefined ? "" : ` used k${p.k}`}`} data-r={p.r} {...rect(p.box)} />)}
          {draw.fresh && (
            <g class="box fresh"><path class="shade" fill-rule="evenodd" d={outer + hole(draw.fresh)} />
              <rect class="halo" {...rect(draw.fresh)} /><rect class="edge" {...rect(draw.fresh)} /></g>
          )}
          {props.over}
        </svg>
        {chips.map(([x, y], i) => (
          <span key={labelled[i]!.key ?? labelled[i]!.id} class={`chip k${labelled[i]!.k}`} data-p={labelled[i]!.id} aria-hidden="true"
            style={{ left: `${(100 * x) / width}%`, top: `${(100 * y) / height}%` }}>{labelled[i]!.label}</span>
        ))}
        {edited && HANDLES.map((h) => (
          <span key={h} class={`handle ${h}`} aria-hidden="true" style={corner(h, edited.box, width, height)}
            onPointerDown={(event) => (event.stopPropagation(), draw.start(event, h))} />
        ))}
      </div>
      {failed === src && <p class="pic-failed" role="alert">The picture cannot be shown; its file may be missing.</p>}
      {zoom.buttons}
    </figure>
  );
}

const placed = ({ z, x, y }: View) => ({ width: `${100 * z}%`, height: `${100 * z}%`, left: `${-100 * x * z}%`, top: `${-100 * y * z}%` });
const rect = ([x1, y1, x2, y2]: Corners) => ({ x: x1, y: y1, width: Math.max(0, x2 - x1), height: Math.max(0, y2 - y1) });
const hole = ([x1, y1, x2, y2]: Corners) => `M${x1} ${y1}V${y2}H${x2}V${y1}Z`;

function corner(h: Handle, [x1, y1, x2, y2]: Corners, width: number, height: number) {
  const x = h.includes("w") ? x1 : h.includes("e") ? x2 : (x1 + x2) / 2;
  const y = h.includes("n") ? y1 : h.includes("s") ? y2 : (y1 + y2) / 2;
  return { left: `${(100 * x) / width}%`, top: `${(100 * y) / height}%` };
}
