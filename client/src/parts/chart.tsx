/** Lines over epochs, in the width there is. */
import { useEffect, useRef, useState } from "preact/hooks";
import { ticks, type Line } from "../lib/curves";

const PAD = { left: 46, right: 12, top: 10, bottom: 30 };
const HIGH = 220;

export function Chart({ title, lines, unit = "epoch", first = 1 }: { title: string; lines: readonly Line[]; unit?: string; first?: number }) {
  const svg = useRef<SVGSVGElement>(null);
  const [wide, setWide] = useState(480);
  const [at, setAt] = useState<number | null>(null);
  useEffect(() => {
    const place = svg.current!.parentElement!;
    const watch = new ResizeObserver(() => setWide(Math.max(220, place.clientWidth)));
    watch.observe(place);
    return () => watch.disconnect();
  }, []);
  const length = Math.max(...lines.map((line) => line.values.length));
  const { low, high, marks } = ticks(lines);
  const x = (e: number) => PAD.left + (length > 1 ? e / (length - 1) : 0.5) * (wide - PAD.left - PAD.right);
  const y = (v: number) => PAD.top + (1 - (v - low) / (high - low || 1)) * (HIGH - PAD.top - PAD.bottom);
  const path = (values: Line["values"]) => {
    let pen = "M";
    return values.map((v, e) => {
      if (v === null) return (pen = "M"), "";
      const point = `${pen}${x(e).toFixed(1)} ${y(v).toFixed(1)}`;
      pen = "L";
      return point;
    }).join("");
  };
  const every = Math.max(1, Math.ceil(length / Math.max(2, Math.floor(wide / 70))));
  const seek = (event: PointerEvent) => {
    const frame = svg.current!.getBoundingClientRect();
    const share = (((event.clientX - frame.left) / frame.width) * wide - PAD.left) / (wide - PAD.left - PAD.right);
    setAt(Math.min(length - 1, Math.max(0, Math.round(share * (length - 1)))));
  };
  const told = lines.map((line) => `${line.name}: from ${short(line.values[0])} to ${short(line.values.at(-1))} in ${line.values.length}`).join("; ");
  return (
    <figure class="chart">
      <figcaption><b>{title}</b>{lines.length > 1 && lines.map((line) => <span key={line.name} class={`key k${line.k}`}><i />{line.name}</span>)}</figcaption>
      <svg ref={svg} viewBox={`0 0 ${wide} ${HIGH}`} role="img" aria-label={`${title} by ${unit}. ${told}`} onPointerMove={seek} onPointerLeave={() => setAt(null)}>
        <g class="grid">{marks.map((t) => <g key={t}><line x1={PAD.left} x2={wide - PAD.right} y1={y(t)} y2={y(t)} /><text x={PAD.left - 8} y={y(t)} class="end">{short(t)}</text></g>)}
          {Array.from({ length }, (_, e) => e).filter((e) => e % every === 0).map((e) => <text key={e} x={x(e)} y={HIGH - 10} class="mid">{e + first}</text>)}</g>
        {lines.map((line) => (
          <g key={line.name} class={`k${line.k}`}><path class="line" d={path(line.values)} />
            {line.values.map((v, e) => v !== null && (length < 30 || e === at) && <circle key={e} class="dot" cx={x(e)} cy={y(v)} r={e === at ? 4.5 : 2.5} />)}</g>
        ))}
        {at !== null && <line class="cursor" x1={x(at)} x2={x(at)} y1={PAD.top} y2={HIGH - PAD.bottom} />}
      </svg>
      <p class="reading" aria-hidden="true">{at === null ? `${length} ${unit}${length === 1 ? "" : "s"}` : `${unit} ${at + first}: ${lines.map((line) => `${line.name} ${short(line.values[at])}`).join(", ")}`}</p>
    </figure>
  );
}

function short(v: number | null | undefined): string {
  if (v === null || v === undefined) return "n/a";
  if (Math.abs(v) >= 100) return v.toFixed(0);
  return Math.abs(v) >= 0.01 || !v ? String(+v.toPrecision(3)) : v.toExponential(1);
}
