/** Words by regions: scores, each word's best region ringed, the one that the box of its phrase came from underlined. */
import { useRef, useState } from "preact/hooks";
import { number } from "../lib/format";
import { argmax, colour, columns, owner, scoreSum, tables } from "../lib/grounding";
import { point } from "../lib/light";
import type { Corners, Grounding } from "../lib/types";

export function Matrix({ found, src }: { found: Grounding; src: string }) {
  const scroll = useRef<HTMLDivElement>(null);
  const column = useRef(-1);
  const [kind, setKind] = useState("");
  const shown = tables(found), table = shown.find((one) => one.kind === kind) ?? shown[0]!;
  const chosen = columns(found), total = found.boxes?.length ?? 0;
  const look = (step: number) => {
    const heads = scroll.current!.querySelectorAll<HTMLElement>("th[data-r]");
    column.current = step ? Math.min(heads.length - 1, Math.max(0, column.current + step)) : -1;
    const head = heads[column.current];
    head?.scrollIntoView({ block: "nearest", inline: "nearest" });
    point(scroll.current!, head?.dataset.r);
  };
  return (
    <div class="matrix">
      {shown.length > 1 && (
        <div class="kinds" role="group" aria-label="Scores that are shown">
          {shown.map((one) => <button key={one.kind} type="button" class="button quiet" aria-pressed={one === table} onClick={() => setKind(one.kind)}>{one.label}</button>)}
        </div>
      )}
      <div class="scroll" tabindex={0} role="region" ref={scroll} aria-label="Scores of words by regions; left and right arrow keys select a region" onBlur={() => look(0)}
        onKeyDown={(event) => {
          const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
          if (!step) return;
          event.preventDefault();
          look(step);
        }}>
        <table>
          <thead><tr><th class="note">{chosen.length === total ? `all ${total} regions` : `${chosen.length} of ${total} regions shown`}</th>
            {chosen.map((r) => (
              <th key={r} scope="col" data-r={r} aria-label={r ? `region ${r}` : "whole picture"}><Crop box={found.boxes![r]!} src={src} found={found} />{r || "all"}</th>
            ))}<th scope="col">best</th></tr></thead>
          <tbody>{found.words!.map((word, t) => {
            const row = table.values[t]!, best = argmax(row), largest = Math.max(...row.map(Math.abs)) || 1;
            const p = owner(found.phrases, [word.start, word.end]);
            return (
              <tr key={t} class={p < 0 ? undefined : `k${colour(p)}`} data-p={p < 0 ? undefined : p}><th scope="row" dir="auto">{word.text}</th>
                {chosen.map((r) => (
                  <td key={r} data-r={r} style={{ "--s": Math.round((100 * Math.abs(row[r]!)) / largest) }}
                    class={`${row[r]! < 0 ? "neg " : ""}${r === best ? "max " : ""}${p >= 0 && found.assignment?.[t] === r ? "at" : ""}`}>{number(row[r]!)}</td>
                ))}<td class="best">{number(row[best]!)}</td></tr>
            );
          })}</tbody>
        </table>
      </div>
      <p class="sum">S<sub>kl</sub> = {scoreSum(found)}</p>
    </div>
  );
}

function Crop({ box: [x1, y1, x2, y2], src, found }: { box: Corners; src: string; found: Grounding }) {
  const w = x2 - x1, h = y2 - y1, scale = 34 / Math.max(w, h, 1);
  return (
    <span class="crop"><i style={{
      width: `${w * scale}px`, height: `${h * scale}px`, backgroundImage: `url("${src}")`,
      backgroundSize: `${found.width * scale}px ${found.height * scale}px`, backgroundPosition: `${-x1 * scale}px ${-y1 * scale}px`,
    }} /></span>
  );
}
