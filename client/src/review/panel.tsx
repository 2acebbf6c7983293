/** What is decided about the current phrase: buttons, its words, and what happened. */
import { useEffect, useRef, useState } from "preact/hooks";
import { away } from "../lib/api";
import { count, duration, number, percent } from "../lib/format";
import { draft, who } from "../lib/store";
import type { PicturePhrases, Reviewed } from "../lib/types";
import { Button, Facts, Field } from "../parts/basic";
import { Captions, MARKS } from "./captions";
import { decide, notice, problem, progress, unsaved } from "./outbox";

export interface Acts {
  accept: () => void;
  reject: () => void;
  draw: () => void;
  pick: () => void;
  rest: () => void;
  undo: () => void;
  redo: () => void;
  step: (by: 1 | -1) => void;
  picture: (by: 1 | -1) => void;
  help: () => void;
}
interface Props { picture: PicturePhrases; current: Reviewed; mode: "" | "draw" | "pick"; open: number; acts: Acts; onPick: (id: string) => void }

export function Panel({ picture, current, mode, open, acts, onPick }: Props) {
  return (
    <div class="review-panel stack tight" data-unsaved={unsaved.value || undefined}>
      <Captions picture={picture} current={current} onPick={onPick} />
      <p class="now" aria-live="polite"><b dir="auto">{current.text}</b> <span class={`state ${current.state}`}>{MARKS[current.state]} {current.state}{current.who && `, ${current.who}`}</span>
        <span class="soft small num"> {percent(current.confidence)} sure{current.unknown ? ", no word known" : ""}</span></p>
      {who.value ? (
        <div class="decide">
          <Button look="yes" hotkey="a" aria-pressed={current.state === "accepted" || current.state === "edited"} onClick={acts.accept}>Accept</Button>
          <Button look="no-way" hotkey="r" aria-pressed={current.state === "rejected"} onClick={acts.reject}>Reject</Button>
          <Button hotkey="d" aria-pressed={mode === "draw"} onClick={acts.draw}>Redraw</Button>
          <Button hotkey="p" title="Pick one of the regions as the box" aria-pressed={mode === "pick"} onClick={acts.pick}>Region</Button>
          <Button hotkey="u" onClick={acts.undo}>Undo</Button>
          <Button hotkey="U" look="quiet" onClick={acts.redo}>Redo</Button>
          <Button hotkey="A" disabled={!open} onClick={acts.rest}>Accept the rest ({open})</Button>
        </div>
      ) : <NameGate />}
      <Said id={current.id} onShow={onPick} />
      {mode === "pick" && <p class="small soft" role="status">Click a region, or step through them with the arrow keys and take one with Enter. Escape leaves.</p>}
      {mode === "draw" && <p class="small soft" role="status">Draw the box. Edges snap to regions; hold Alt to draw freely. Escape leaves.</p>}
      {who.value && <Words key={current.id} current={current} />}
      <div class="row steps"><Button look="quiet" hotkey="k" onClick={() => acts.step(-1)}>Previous</Button><Button look="quiet" hotkey="j" onClick={() => acts.step(1)}>Next</Button>
        <Button look="quiet" hotkey="K" onClick={() => acts.picture(-1)}>Picture before</Button><Button look="quiet" hotkey="J" onClick={() => acts.picture(1)}>Next picture</Button>
        <Button look="quiet" hotkey="?" onClick={acts.help}>Keys</Button></div>
      <Facts of={{ score: number(current.score), split: current.split, picture: current.image, ...(current.when && { at: current.when.slice(0, 16).replace("T", " ") }) }} />
    </div>
  );
}

/** A name before the first decision: decisions are stored and undone by name. */
export function NameGate() {
  const [text, set] = useState("");
  return (
    <form class="row name-gate" onSubmit={(event) => (event.preventDefault(), (who.value = text.trim().replace(/\s+/g, " ")))}>
      <Field id="reviewer" label="Your name, stored with your decisions" value={text} maxlength={80} required onText={set} autocomplete="name" />
      <Button type="submit" look="main" disabled={!text.trim()}>Start to review</Button>
    </form>
  );
}

/** What happened, beside the buttons; a line is kept for it, so nothing moves. */
function Said({ id, onShow }: { id: string; onShow: (id: string) => void }) {
  const wrong = problem.value;
  if (wrong && (wrong.id !== id || wrong.change.text === undefined)) {
    return <p class="said-line bad" role="alert">{wrong.text} {wrong.id !== id && <Button look="quiet small" onClick={() => onShow(wrong.id)}>Show it</Button>}</p>;
  }
  const text = away.value ? `The server is away: ${unsaved.value || "no"} decisions wait to be stored.` : unsaved.value > 3 ? `Storing ${unsaved.value} decisions …` : notice.value;
  return <p class="said-line" role="status">{text}</p>;
}

/** Other words of the caption for a phrase; what was refused stays, with the reason. */
function Words({ current }: { current: Reviewed }) {
  const [text, set] = useState(() => draft.get(`words ${current.id}`) ?? current.text);
  const shown = useRef(current.text);
  useEffect(() => {
    if (text === shown.current) set(current.text);
    shown.current = current.text;
  }, [current.text]);
  const wrong = problem.value?.id === current.id && problem.value.change.text !== undefined ? problem.value.text : "";
  const save = () => {
    const wanted = text.trim();
    if (wanted && wanted !== current.text) decide(current, { verdict: "edit", text: wanted });
  };
  return (
    <form class="edit-words" onSubmit={(event) => (event.preventDefault(), save())}>
      <Field id="phrase-words" label="Words of the phrase" value={text} error={wrong} aria-keyshortcuts="e"
        onText={(typed) => (set(typed), draft.set(`words ${current.id}`, typed === current.text ? null : typed))}
        onKeyDown={(event) => event.key === "Escape" && (event.target as HTMLElement).blur()} />
      <Button type="submit" disabled={!text.trim() || text.trim() === current.text}>Save the words</Button>
    </form>
  );
}

/** How far the review is, how fast it goes, and who works on it. */
export function ProgressLine() {
  const done = progress.value;
  if (!done) return null;
  const looked = done.total - done.open, share = (n: number) => `${((100 * n) / Math.max(1, done.total)).toFixed(2)}%`;
  const pace = done.pace ? `, ${done.pace.toFixed(done.pace < 10 ? 1 : 0)} a minute` : "", left = done.minutes_left === null || done.minutes_left === undefined ? "" : `, ${duration(60 * done.minutes_left)} left`;
  return (
    <div class="progress">
      <div class="track" role="progressbar" aria-label="Reviewed phrases" aria-valuenow={looked} aria-valuemin={0} aria-valuemax={done.total}>
        <i style={{ width: share(done.accepted + done.edited) }} /><i class="no" style={{ width: share(done.rejected) }} /></div>
      <p class="small num" title={Object.entries(done.people).map(([name, n]) => `${name}: ${n}`).join(", ")}>{count(looked)} of {count(done.total)} reviewed{pace}{left}</p>
    </div>
  );
}

const KEYS: [string, string][] = [
  ["a", "accept"], ["r", "reject"], ["d", "draw the box anew"], ["p", "pick one of the regions as the box"], ["e", "edit the words"], ["Shift a", "accept the open phrases of this picture"],
  ["u", "undo your last decision"], ["Shift u", "do it again"], ["j, k", "next and previous phrase"], ["Shift j, Shift k", "next and previous picture"], ["/", "filter by text"],
  ["+ - 0", "zoom in, out, whole picture"], ["b", "hide the boxes"], ["arrows", "move the box that has the focus; with Shift resize, with Alt by one pixel"], ["?", "these keys"],
];

export function Help({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} class="card help" aria-label="Keys" onClose={onClose} onClick={(event) => event.target === dialog.current && dialog.current?.close()}>
      <h3>Keys</h3>
      <dl>{KEYS.map(([key, what]) => <div key={key}><dt>{key.split(" ").map((one) => <kbd key={one}>{one}</kbd>)}</dt><dd>{what}</dd></div>)}</dl>
      <Button onClick={() => dialog.current?.close()}>Close</Button>
    </dialog>
  );
}
