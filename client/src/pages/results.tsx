/** Results: one table for each measure with runs as rows, and training curves. */
import { ask } from "../lib/api";
import { useAnswer } from "../lib/answer";
import { panels } from "../lib/curves";
import { changed, job } from "../lib/events";
import { capital } from "../lib/format";
import { info } from "../lib/info";
import type { Measure, Results as Found } from "../lib/types";
import { Busy, Command, Empty, Failed, Heading } from "../parts/basic";
import { Chart } from "../parts/chart";

export default function Results() {
  const own = info.value?.has_workspace ?? true;
  const finished = job.value?.state !== "running" ? job.value?.id : "";
  const answer = useAnswer<Found>(own ? `results ${changed.value} ${finished}` : null, (stop) => ask("/results", undefined, { signal: stop }), true);
  const found = answer.data;
  return (
    <>
      <Heading title="Results">Measurements of this workspace, one table for each measure, and training curves of its models.</Heading>
      {!own && <Empty title="No workspace is open" command="phrasebox serve WS">Start with a workspace to see its results:</Empty>}
      {answer.busy && !found && <Busy>Reading</Busy>}
      {answer.error && <Failed>{answer.error}</Failed>}
      {found?.empty && <div class="empty"><h3>No results yet</h3><p>{capital(found.empty.what)}.</p><Command text={found.empty.command} /></div>}
      <div class="stack wide-gap">
        {found?.measures.map((measure) => <section key={measure.measure} class="card"><Sheet measure={measure} /></section>)}
        {found && Object.entries(found.trainings).map(([name, epochs]) => (
          <section key={name} class="card stack"><h3>Training of {name}</h3><div class="charts">{panels(epochs).map((panel) => <Chart key={panel.title} {...panel} />)}</div></section>
        ))}
      </div>
    </>
  );
}

function Sheet({ measure }: { measure: Measure }) {
  const right = (i: number) => !measure.rows.some((row) => typeof row.values[i] === "string");
  const whole = (i: number) => measure.rows.every((row) => row.values[i] === null || Number.isInteger(row.values[i]));
  const splits = new Set(measure.rows.map((row) => row.split));
  return (
    <div class="sheet" tabindex={0} role="region" aria-label={measure.measure}>
      <table><caption>{capital(measure.measure)}{splits.size === 1 && <small class="soft">split {[...splits][0]}</small>}</caption>
        <thead><tr><th scope="col">run</th><th scope="col">split</th>{measure.columns.map((name, i) => <th key={name} scope="col" class={right(i) ? "r" : undefined}>{name}</th>)}</tr></thead>
        <tbody>{measure.rows.map((row, n) => (
          <tr key={n} class={row.trained_on ? "trained-on" : undefined}>
            <th scope="row">{row.run}</th><td>{row.split}{row.trained_on && <b class="flag"> trained on</b>}</td>
            {row.values.map((value, i) => <td key={i} class={right(i) ? "r" : undefined}>{cell(value, whole(i))}</td>)}</tr>
        ))}</tbody></table>
      {measure.rows.some((row) => row.trained_on) && <p class="small soft">Rows marked <b class="flag">trained on</b> measure the pictures that the model was trained on: they say nothing about others.</p>}
    </div>
  );
}

const cell = (value: number | string | null, whole: boolean): string => (value === null ? "n/a" : typeof value === "number" && !whole ? value.toFixed(1) : String(value));
