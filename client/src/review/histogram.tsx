/** How many phrases there are at each confidence, with two handles that choose from where to where. */
import { useEffect, useRef, useState } from "preact/hooks";
import { count, percent } from "../lib/format";
import type { Bar } from "../lib/types";

interface Props { bars: readonly Bar[]; low: number; high: number; onChoose: (low: number, high: number) => void }

const HIGH = 56;
const STEP = 5; // per cent

export function Histogram({ bars, low, high, onChoose }: Props) {
  const [at, set] = useState<[number, number]>([low, high]);
  const timer = useRef(0);
  useEffect(() => set([low, high]), [low, high]);
  const most = Math.max(1, ...bars.map((bar) => bar.count));
  const move = (next: [number, number]) => {
    set(next);
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => onChoose(...next), 300);
  };
  const inside = (bar: Bar) => 100 * bar.low >= at[0] - 1e-6 && 100 * bar.high <= at[1] + 1e-6;
  const n = bars.filter(inside).reduce((sum, bar) => sum + bar.count, 0), open = bars.filter(inside).reduce((sum, bar) => sum + bar.open, 0);
  const slider = (i: 0 | 1) => (
    <input type="range" min={0} max={100} step={STEP} value={at[i]} aria-label={i ? "At most this sure" : "At least this sure"} aria-valuetext={percent(at[i] / 100)}
      onInput={(event) => {
        const value = event.currentTarget.valueAsNumber;
        move(i ? [at[0], Math.max(value, at[0] + STEP)] : [Math.min(value, at[1] - STEP), at[1]]);
      }} />
  );
  return (
    <div class="histogram" role="group" aria-label="Confidence of the phrases">
      <svg viewBox={`0 0 ${bars.length * 10} ${HIGH}`} preserveAspectRatio="none" aria-hidden="true">
        {bars.map((bar, i) => {
          const tall = (HIGH * bar.count) / most, still = (HIGH * bar.open) / most;
          return <g key={i} class={inside(bar) ? "in" : "out"}><rect x={10 * i + 1} width={8} y={HIGH - tall} height={tall} /><rect class="still" x={10 * i + 1} width={8} y={HIGH - still} height={still} /></g>;
        })}
      </svg>
      <div class="handles">{slider(0)}{slider(1)}</div>
      <p class="soft small num" aria-live="polite">{at[0]}–{at[1]} % sure: {count(n)} phrases, {count(open)} open</p>
    </div>
  );
}
