/** Which phrases are reviewed, in which order; and what to do with all of them at once. */
import { useEffect, useState } from "preact/hooks";
import { ask } from "../lib/api";
import { useAnswer } from "../lib/answer";
import { count, many } from "../lib/format";
import { patch, route } from "../lib/route";
import { who } from "../lib/store";
import type { Bar, Filter } from "../lib/types";
import { Button, Choice, Field } from "../parts/basic";
import { NAMES } from "./filter";
import { Histogram } from "./histogram";
import { decideAll } from "./outbox";

const any = (values: string[]): [string, string][] => [["", "any"], ...values.map((value): [string, string] => [value, value])];

export function Filters({ filter, onDone }: { filter: Filter; onDone: () => void }) {
  const { query } = route.value;
  const key = JSON.stringify({ ...filter, min_confidence: null, max_confidence: null });
  const bars = useAnswer<{ bars: Bar[] }>(`histogram ${key}`, (stop) => ask("/phrases/histogram", filter, { signal: stop }), true);
  const set = (change: Record<string, string | number | null>) => patch({ ...change, at: null }, true);
  const low = Math.round(100 * Number(query.min_confidence ?? 0)), high = Math.round(100 * Number(query.max_confidence ?? 1));
  return (
    <div class="filters" role="search" aria-label="Filter the phrases">
      <Late label="Text in the phrase" id="filter-text" value={query.text ?? ""} onText={(text) => set({ text })} type="search" placeholder="any" maxlength={200} aria-keyshortcuts="/" />
      <Choice label="State" value={query.state ?? ""} options={any(["open", "accepted", "rejected", "edited"])} onChoose={(state) => set({ state })} />
      <Choice label="Split" value={query.split ?? ""} options={any(["train", "val", "test"])} onChoose={(split) => set({ split })} />
      <Choice label="Order" value={query.sort ?? ""} options={[["", "as imported"], ["confidence", "least sure first"], ["-confidence", "most sure first"]]} onChoose={(sort) => set({ sort })} />
      <Choice label="Words" value={query.unknown ?? ""} options={[["", "any"], ["true", "unknown only"], ["false", "known only"]]} onChoose={(unknown) => set({ unknown })} />
      <div class="pair-of-fields"><Late label="Words from" value={query.min_words ?? ""} onText={(min_words) => set({ min_words })} type="number" min={1} />
        <Late label="to" value={query.max_words ?? ""} onText={(max_words) => set({ max_words })} type="number" min={1} /></div>
      {bars.data && <Histogram bars={bars.data.bars} low={low} high={high} onChoose={(a, b) => set({ min_confidence: a ? a / 100 : null, max_confidence: b < 100 ? b / 100 : null })} />}
      <div class="row wide">
        {query.word && <Button look="quiet small" onClick={() => set({ word: null })}>word “<bdi>{query.word}</bdi>” ×</Button>}
        {query.image && <Button look="quiet small" onClick={() => set({ image: null })}>picture {query.image} ×</Button>}
        {Object.keys(filter).length > 0 && <Button look="quiet" onClick={() => set(Object.fromEntries(NAMES.map((name) => [name, null])))}>Show all phrases</Button>}
        <AcceptAll filter={filter} onDone={onDone} />
      </div>
    </div>
  );
}

/** A field that acts a moment after the last key. */
function Late({ value, onText, ...rest }: Parameters<typeof Field>[0]) {
  const [text, set] = useState(value);
  useEffect(() => set(value), [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => onText(text), 350);
    return () => clearTimeout(timer);
  }, [text]);
  return <Field {...rest} value={text} onText={set} />;
}

/** Accept all open phrases of the filter, after their number was seen. */
function AcceptAll({ filter, onDone }: { filter: Filter; onDone: () => void }) {
  const [asked, set] = useState<{ verdict: "accept" | "reject"; n: number; changed: boolean } | null>(null);
  const key = JSON.stringify(filter);
  useEffect(() => set(null), [key]);
  if (filter.state && filter.state !== "open") return null;
  const query = async (verdict: "accept" | "reject") => {
    const found = await ask<{ total: number }>("/phrases", { ...filter, state: "open", limit: 1 });
    set({ verdict, n: found.total, changed: false });
  };
  const go = async () => {
    const { verdict, n } = asked!;
    const other = await decideAll(verdict, filter, n);
    set(other === null ? null : { verdict, n: other, changed: true });
    if (other === null) onDone();
  };
  if (!who.value) return null;
  if (!asked) return <><Button onClick={() => query("accept")}>Accept all of these …</Button><Button look="quiet" onClick={() => query("reject")}>Reject all of these …</Button></>;
  const verb = asked.verdict === "accept" ? "Accept" : "Reject";
  return (
    <div class="row" role="group" aria-label="Confirm"><span>{asked.changed ? "Meanwhile it is another number. " : ""}{verb} the {many(asked.n, "open phrase")} of this filter?</span>
      <Button look={asked.verdict === "accept" ? "yes" : "no-way"} disabled={!asked.n} onClick={go}>{verb} {count(asked.n)}</Button><Button look="quiet" onClick={() => set(null)}>Cancel</Button></div>
  );
}
