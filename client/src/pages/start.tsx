/** The start page: what the workspace holds, what to do next, and a map of its pictures. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { ask } from "../lib/api";
import { useAnswer } from "../lib/answer";
import { changed, decided } from "../lib/events";
import { capital, count, percent } from "../lib/format";
import { inPairs } from "../lib/bars";
import { info } from "../lib/info";
import type { Filter, Summary } from "../lib/types";
import { Busy, Command, Failed, Heading, Link } from "../parts/basic";
import { PictureMap } from "../parts/map";
import { Stage } from "../parts/stage";

export default function Start() {
  const own = info.value?.has_workspace;
  const answer = useAnswer<Summary>(own ? `summary ${changed.value} ${decided.value?.decision ?? ""}` : null, (stop) => ask("/summary", undefined, { signal: stop }), true);
  const found = answer.data, narrow = useNarrow();
  if (info.value && !own) return <Welcome />;
  return (
    <>
      <Heading title={info.value?.name ?? "Workspace"}>What this workspace holds. Each bar leads to its phrases.</Heading>
      {answer.busy && !found && <Busy>Counting</Busy>}
      {answer.error && <Failed>{answer.error}</Failed>}
      {found && (
        <div class="start">
          <Counts found={found} />
          {found.next.length > 0 && <Next found={found} />}
          <ReviewCard found={found} />
          {found.confidence.some((bar) => bar.count) && <Bars title="How sure the model is" bars={(narrow ? inPairs(found.confidence) : found.confidence).map((bar) => ({ name: `${percent(bar.low)} to ${percent(bar.high)}`, short: String(Math.round(100 * bar.low)), count: bar.count, part: bar.count - bar.open, filter: bar.filter }))} note="The strong part of a bar is reviewed." />}
          {found.lengths.length > 0 && <Bars title="Words in a phrase" bars={found.lengths.map((bar) => ({ name: `${bar.words} words`, short: String(bar.words), count: bar.count, filter: bar.filter }))} />}
          {found.words.length > 0 && <Words found={found} />}
          {found.counts.regions > 0 && <section class="card stack tight wide"><h3>Map of the pictures</h3><PictureMap /></section>}
        </div>
      )}
    </>
  );
}

/** Whether the window is that of a phone, where bars have to be wide enough for a finger. */
function useNarrow(): boolean {
  const query = useMemo(() => matchMedia("(max-width: 520px)"), []);
  const [narrow, set] = useState(query.matches);
  useEffect(() => {
    const change = () => set(query.matches);
    query.addEventListener("change", change);
    return () => query.removeEventListener("change", change);
  }, [query]);
  return narrow;
}

/** Without a workspace: a picture to begin with. */
function Welcome() {
  return (
    <>
      <Heading title="Which words describe which part of a picture?">Give a picture and a sentence. No workspace is open: what you drop here stays in this browser.</Heading>
      <div class="two"><Stage picture={null} shown={{}} />
        <section class="card stack tight"><h3>With pictures of your own</h3><p class="soft">A workspace can be searched, reviewed and exported:</p>
          <Command text="phrasebox import PICTURES WS" /><Command text="phrasebox regions WS" /><Command text="phrasebox serve WS" /></section></div>
    </>
  );
}

function Counts({ found: { counts, splits } }: { found: Summary }) {
  const shown: [string, number][] = [["pictures", counts.images], ["captions", counts.captions], ["pictures with regions", counts.regions], ["phrases", counts.phrases]];
  if (counts.skipped) shown.push(["skipped", counts.skipped]);
  return (
    <section class="card stack tight" aria-label="Counts">
      <dl class="counts">{shown.map(([name, n]) => <div key={name}><dd>{count(n)}</dd><dt>{name}</dt></div>)}</dl>
      {splits.length > 0 && (
        <table class="plain-table num"><thead><tr><th scope="col">split</th><th scope="col">pictures</th><th scope="col">captions</th><th scope="col">phrases</th></tr></thead>
          <tbody>{splits.map((row) => <tr key={row.split}><th scope="row"><Link page="review" query={{ split: row.split }}>{row.split}</Link></th><td>{count(row.images)}</td><td>{count(row.captions)}</td><td>{count(row.phrases)}</td></tr>)}</tbody></table>
      )}
    </section>
  );
}

function Next({ found }: { found: Summary }) {
  return (
    <section class="card stack tight"><h3>What to do next</h3>
      <ul class="next">{found.next.map((one, i) => (
        <li key={i}><p>{capital(one.what)}</p><div class="row">{one.job && <Link page="jobs" query={{ stage: one.job }} class="button plain small">Start it here</Link>}{one.command && <Command text={one.command} />}</div></li>
      ))}</ul></section>
  );
}

function ReviewCard({ found: { review } }: { found: Summary }) {
  const looked = review.total - review.open, share = (n: number) => `${((100 * n) / Math.max(1, review.total)).toFixed(2)}%`;
  const people = Object.entries(review.people);
  return (
    <section class="card stack tight"><h3>Review</h3>
      <div class="track" role="progressbar" aria-label="Reviewed phrases" aria-valuenow={looked} aria-valuemin={0} aria-valuemax={review.total}><i style={{ width: share(review.accepted + review.edited) }} /><i class="no" style={{ width: share(review.rejected) }} /></div>
      <p class="num">{count(looked)} of {count(review.total)} phrases reviewed: <Link page="review" query={{ state: "accepted" }}>{count(review.accepted)} accepted</Link>, <Link page="review" query={{ state: "rejected" }}>{count(review.rejected)} rejected</Link>, <Link page="review" query={{ state: "edited" }}>{count(review.edited)} edited</Link></p>
      {people.length > 0 && <p class="small soft">{people.map(([name, n]) => `${name} ${count(n)}`).join(", ")}</p>}
      <div class="row"><Link page="review" query={{ state: "open", sort: "confidence" }} class="button plain">Review the least sure</Link><Link page="review" query={{ state: "open", sort: "-confidence" }} class="button quiet">the most sure</Link></div>
    </section>
  );
}

interface BarOf { name: string; short: string; count: number; part?: number; filter: Filter }

function Bars({ title, bars, note }: { title: string; bars: BarOf[]; note?: string }) {
  const most = Math.max(1, ...bars.map((bar) => bar.count));
  return (
    <section class="card stack tight"><h3>{title}</h3>
      <ul class="bars">{bars.map((bar) => (
        <li key={bar.name}><Link page="review" query={bar.filter as Record<string, string | number>} title={`${bar.name}: ${count(bar.count)} phrases`} label={`${bar.name}: ${count(bar.count)} phrases`}>
          <i style={{ "--tall": bar.count / most }}>{bar.part !== undefined && <b style={{ "--tall": bar.count ? bar.part / bar.count : 0 }} />}</i><small>{bar.short}</small></Link></li>
      ))}</ul>{note && <p class="small soft">{note}</p>}</section>
  );
}

function Words({ found }: { found: Summary }) {
  const most = Math.max(1, ...found.words.map((word) => word.count));
  return (
    <section class="card stack tight"><h3>Commonest words of the phrases</h3>
      <ul class="word-bars">{found.words.map((word) => (
        <li key={word.text}><Link page="review" query={word.filter as Record<string, string | number>} label={`${word.text} ${count(word.count)} phrases`}><i style={{ "--share": word.count / most }} /><span dir="auto">{word.text}</span>{" "}<small class="num">{count(word.count)}</small></Link></li>
      ))}</ul></section>
  );
}

