/** Jobs: commands on the workspace, started, watched, stopped and gone on with from here. */
import { useEffect, useState } from "preact/hooks";
import { ask, post, told } from "../lib/api";
import { useAnswer } from "../lib/answer";
import { panels } from "../lib/curves";
import { job as told_job } from "../lib/events";
import { count, duration } from "../lib/format";
import { info } from "../lib/info";
import { patch, route } from "../lib/route";
import { draft } from "../lib/store";
import type { Job, Jobs as Found, Option, Stage } from "../lib/types";
import { Busy, Button, Choice, Command, Empty, Failed, Field, Heading, Link } from "../parts/basic";
import { Chart } from "../parts/chart";

const STATES: Record<Job["state"], string> = { running: "running", finished: "finished", found: "found problems", failed: "failed", stopped: "stopped" };

export default function Jobs() {
  const own = info.value?.has_workspace ?? true;
  const [run, again] = useState(0);
  const event = told_job.value;
  const answer = useAnswer<Found>(own ? `jobs ${run} ${event?.id ?? ""} ${event?.state ?? ""}` : null, (stop) => ask("/jobs", undefined, { signal: stop }), true);
  const found = answer.data;
  const jobs = found?.jobs.map((one) => (one.id === event?.id ? event : one)) ?? [];
  const shown = jobs.find((one) => one.id === route.value.query.job) ?? jobs[0];
  if (!own) return <><Heading title="Jobs" /><Empty title="No workspace is open" command="phrasebox serve WS">Start with a workspace to work on it:</Empty></>;
  return (
    <>
      <Heading title="Jobs">The commands that fill this workspace. One runs at a time; a stopped one goes on where it was.</Heading>
      {answer.busy && !found && <Busy>Reading</Busy>}
      {answer.error && <Failed>{answer.error}</Failed>}
      {found && (
        <div class="two jobs">
          <div class="stack">
            {shown ? <Watch key={shown.id} job={shown} onChange={(id) => (again(run + 1), patch({ job: id }))} /> : <div class="empty"><h3>No job yet</h3><p>Start one here; it is the same as the command in a terminal.</p></div>}
            {jobs.length > 0 && (
              <section class="card stack tight"><h3>All jobs</h3>
                <ul class="job-list">{jobs.map((one) => (
                  <li key={one.id}><Link page="jobs" query={{ job: one.id }} class="work-item" current={one.id === shown?.id}><b>{one.stage}</b><span class={`state ${one.state}`}>{STATES[one.state]}</span><small class="soft num">{one.started.slice(0, 16).replace("T", " ")}, {duration(one.seconds)}</small></Link></li>
                ))}</ul></section>
            )}
          </div>
          <StartForm stages={found.stages} running={jobs.find((one) => one.state === "running")?.id ?? null} onStarted={(id) => (again(run + 1), patch({ job: id, stage: null }))} />
        </div>
      )}
    </>
  );
}

/** One job: how far it is, its log, its curves. */
function Watch({ job, onChange }: { job: Job; onChange: (id: string) => void }) {
  const [error, setError] = useState("");
  const act = async (what: "stop" | "continue") => {
    setError("");
    try {
      onChange((await post<Job>(`/jobs/${job.id}/${what}`, {})).id);
    } catch (problem) {
      setError(told(problem));
    }
  };
  const running = job.state === "running", at = job.progress, seconds = useSeconds(job);
  const curves = panels(job.curve).filter((panel) => panel.lines.some((line) => line.values.length > 1));
  return (
    <section class="card stack" aria-label={`Job ${job.stage}`}>
      <div class="spread"><h3>{job.stage} <span class={`state ${job.state}`}>{STATES[job.state]}</span></h3>
        {running ? <Button look="no-way" onClick={() => act("stop")}>Stop</Button> : (job.state === "failed" || job.state === "stopped") && <Button onClick={() => act("continue")}>Go on</Button>}</div>
      {running && (
        <div class="stack tight" role="status">
          {at ? <progress max={at.total ?? undefined} value={at.total === null ? undefined : at.done} aria-label={at.what} /> : <progress aria-label="Running" />}
          <p class="num small">{at ? `${at.what}: ${count(at.done)}${at.total === null ? "" : ` of ${count(at.total)}`}${at.rate ? `, ${at.rate.toPrecision(3)} a second` : ""}${at.left === null ? "" : `, ${duration(at.left)} left`}` : `Running for ${duration(seconds)}`}</p>
        </div>
      )}
      {(error || job.error) && <Failed>{error || job.error}</Failed>}
      <Command text={job.command} />
      {curves.length > 0 && <div class="charts">{curves.map((panel) => <Chart key={panel.title} {...panel} first={job.curve[0]?.epoch} />)}</div>}
      {job.result && <details class="more" open={job.state === "found" || job.stage === "doctor"}><summary>{job.state === "found" ? "What it found" : "Result"}</summary><pre class="log" tabindex={0}>{job.result}</pre></details>}
      <Log job={job} />
      {job.state === "finished" && ["evaluate", "align", "caption"].includes(job.stage) && <Link page="results" class="button quiet">See the results</Link>}
    </section>
  );
}

/** How long a job has been running: what the server said last, and the time since. */
function useSeconds(job: Job): number {
  const [seconds, set] = useState(job.seconds);
  useEffect(() => {
    set(job.seconds);
    if (job.state !== "running") return;
    const since = performance.now();
    const timer = setInterval(() => set(job.seconds + (performance.now() - since) / 1000), 1000);
    return () => clearInterval(timer);
  }, [job.id, job.state, job.seconds]);
  return seconds;
}

/** The log, read on while the job runs. */
function Log({ job }: { job: Job }) {
  const [text, set] = useState("");
  useEffect(() => {
    let offset = 0, ended = false;
    const stop = new AbortController();
    const read = async () => {
      const part = await ask<{ text: string; offset: number; ended: boolean }>(`/jobs/${job.id}/log`, { offset }, { signal: stop.signal });
      offset = part.offset;
      ended = part.ended && !part.text;
      if (part.text) set((was) => (was + part.text).slice(-60_000));
    };
    let timer = 0;
    const loop = () => void read().catch(() => undefined).finally(() => {
      if (!ended && !stop.signal.aborted) timer = window.setTimeout(loop, 1000);
    });
    loop();
    return () => (stop.abort(), clearTimeout(timer));
  }, [job.id]);
  if (!text) return null;
  return <details class="more" open><summary>Log</summary><pre class="log" tabindex={0}>{text}</pre></details>;
}

function StartForm({ stages, running, onStarted }: { stages: Stage[]; running: string | null; onStarted: (id: string) => void }) {
  const stage = stages.find((one) => one.stage === route.value.query.stage) ?? stages[0];
  const [given, setGiven] = useState<Record<string, string>>({});
  const [error, setError] = useState("");
  useEffect(() => {
    setError("");
    setGiven(JSON.parse(draft.get(`job ${stage?.stage}`) ?? "{}") as Record<string, string>);
  }, [stage?.stage]);
  if (!stage) return null;
  const change = (name: string, value: string) => {
    const next = { ...given, [name]: value };
    if (!value) delete next[name];
    setGiven(next);
    draft.set(`job ${stage.stage}`, JSON.stringify(next));
  };
  const start = async () => {
    setError("");
    try {
      const options = Object.fromEntries(Object.entries(given).map(([name, text]) => [name, parsed(stage.options.find((one) => one.name === name), text)]));
      onStarted((await post<Job>("/jobs", { stage: stage.stage, options })).id);
    } catch (problem) {
      setError(told(problem));
    }
  };
  const usual = stage.options.slice(0, 6), further = stage.options.slice(6);
  const field = (option: Option) => <OptionField key={`${stage.stage} ${option.name}`} option={option} value={given[option.name] ?? ""} onChange={(value) => change(option.name, value)} />;
  return (
    <form class="card stack" onSubmit={(event) => (event.preventDefault(), void start())}>
      <Choice label="Start" value={stage.stage} options={stages.map((one) => [one.stage, one.stage])} onChoose={(value) => patch({ stage: value }, true)} />
      <p class="soft">{stage.help}</p>
      {usual.map(field)}
      {further.length > 0 && <details class="more"><summary>{further.length} more options</summary><div class="stack">{further.map(field)}</div></details>}
      {error && <Failed>{error}</Failed>}
      <div class="row"><Button type="submit" look="main" disabled={!!running}>Start {stage.stage}</Button>{running && <span class="soft small">Another job is running.</span>}</div>
    </form>
  );
}

function parsed(option: Option | undefined, text: string): unknown {
  if (option?.kind === "bool") return text === "true";
  return option?.kind === "int" || option?.kind === "float" ? Number(text) : text;
}

function OptionField({ option, value, onChange }: { option: Option; value: string; onChange: (value: string) => void }) {
  const usual = option.default === null || option.default === undefined ? "" : String(option.default);
  const label = option.name.replaceAll("_", "-");
  if (option.kind === "bool") {
    return <div><label class="tick"><input type="checkbox" checked={value === "true"} onChange={(event) => onChange(event.currentTarget.checked ? "true" : "")} />{label}</label><p class="soft small">{option.help}</p></div>;
  }
  const field = option.kind === "choice" ? <Choice label={label} value={value} options={[["", usual ? `default (${usual})` : "default"], ...(option.values ?? []).map((one): [string, string] => [one, one])]} onChoose={onChange} />
    : <Field label={label} value={value} placeholder={usual} onText={onChange} type={option.kind === "text" ? "text" : "number"} step={option.kind === "float" ? "any" : undefined} />;
  return <div>{field}<p class="soft small">{option.help}</p></div>;
}
