/** Decisions on their way to the server, in the order they were made. Each is stored once, whatever happens on the way. */
import { computed, signal } from "@preact/signals";
import { ApiError, post, told } from "../lib/api";
import { draft, freshId, who } from "../lib/store";
import type { Acted, Corners, Filter, Progress, Reviewed } from "../lib/types";

export interface Change { verdict: "accept" | "reject" | "edit"; text?: string; box?: Corners }
interface Pending { decision: string; who: string; before: Reviewed; change: Change; after: boolean }
export interface Problem { id: string; text: string; conflict: boolean; change: Change }

/** Newest known state of phrases, over what lists say. */
export const rows = signal<ReadonlyMap<string, Reviewed>>(new Map());
export const problem = signal<Problem | null>(null);
export const notice = signal("");
export const progress = signal<Progress | null>(null);
const waiting = signal<readonly Pending[]>(saved());
export const unsaved = computed(() => waiting.value.length);
/** Decisions made in this tab, to tell them from those of others. */
export const own = new Set<string>();

function saved(): readonly Pending[] {
  try {
    return JSON.parse(draft.get("outbox") ?? "[]") as Pending[];
  } catch {
    return [];
  }
}

function setWaiting(next: readonly Pending[]): void {
  waiting.value = next;
  draft.set("outbox", next.length ? JSON.stringify(next) : null);
}

export const now = (phrase: Reviewed): Reviewed => rows.value.get(phrase.id) ?? phrase;

export function put(phrases: readonly Reviewed[]): void {
  rows.value = new Map([...rows.value, ...phrases.map((phrase) => [phrase.id, phrase] as const)]);
}

/** What a phrase will be when a decision is stored. */
export function expected(phrase: Reviewed, change: Change, by: string): Reviewed {
  const state = change.verdict === "reject" ? "rejected" : change.verdict === "edit" || phrase.state === "edited" ? "edited" : "accepted";
  return { ...phrase, state, who: by, when: new Date().toISOString(), text: change.text ?? phrase.text, box: change.box ?? phrase.box };
}

/** Decide on a phrase: shown at once, stored as soon as the server answers. */
export function decide(phrase: Reviewed, change: Change): void {
  const pending: Pending = { decision: freshId(), who: who.value, before: now(phrase), change, after: waiting.value.some((other) => other.before.id === phrase.id) };
  own.add(pending.decision);
  problem.value = null;
  notice.value = "";
  if (!change.text) put([expected(pending.before, change, pending.who)]);
  setWaiting([...waiting.value, pending]);
  void send();
}

let sending: Promise<void> | null = null;

/** Send what waits; resolves when all has been answered. */
export function send(): Promise<void> {
  sending ??= (async () => {
    for (let next = waiting.value[0]; next; next = waiting.value[0]) {
      await sendOne(next);
      setWaiting(waiting.value.slice(1));
    }
  })().finally(() => (sending = null));
  return sending;
}

async function sendOne({ decision, who: by, before, change, after }: Pending): Promise<void> {
  const version = after ? now(before).version : before.version;
  try {
    const { verdict, text, box } = change;
    put([await post<Reviewed>("/phrases/decide", { id: before.id, verdict, text, box, who: by, version, decision })]);
    if (text !== undefined) draft.set(`words ${before.id}`, null);
  } catch (error) {
    const current = error instanceof ApiError ? (error.body.phrase as Reviewed | undefined) : undefined;
    put([current ?? before]);
    const said = current ? `“${before.text}” was changed${current.who ? ` by ${current.who}` : ""} since it was shown: it is ${current.state} now. Your decision was not stored.` : told(error);
    problem.value = { id: before.id, text: said, conflict: !!current, change };
  }
}

export async function undo(): Promise<Acted | null> {
  await send();
  return back("/phrases/undo", "Undone", "There is nothing of yours to undo.");
}

export async function redo(): Promise<Acted | null> {
  await send();
  return back("/phrases/redo", "Done again", "There is nothing to do again.");
}

async function back(path: string, what: string, nothing: string): Promise<Acted | null> {
  problem.value = null;
  try {
    const found = await post<Acted>(path, { who: who.value });
    put(found.phrases);
    const first = found.phrase ?? found.phrases[0];
    notice.value = !found.count || !first ? nothing : found.count === 1 ? `${what}: “${first.text}” is ${first.state}.` : `${what}: ${found.count} phrases.`;
    return found.count ? found : null;
  } catch (error) {
    notice.value = told(error);
    return null;
  }
}

/** Accept or reject several phrases as one decision; those that changed meanwhile are left alone. */
export async function decideMany(verdict: "accept" | "reject", phrases: readonly Reviewed[]): Promise<void> {
  await send();
  await many({ verdict, phrases: phrases.map((phrase) => ({ id: phrase.id, version: now(phrase).version })) });
}

/** Accept or reject all open phrases of a filter, if they are still as many as were shown; else their number. */
export async function decideAll(verdict: "accept" | "reject", filter: Filter, count: number): Promise<number | null> {
  await send();
  return many({ verdict, filter, count });
}

async function many(body: Record<string, unknown>): Promise<number | null> {
  const decision = freshId();
  own.add(decision);
  problem.value = null;
  try {
    const found = await post<Acted>("/phrases/decide-many", { ...body, who: who.value, decision });
    put(found.phrases);
    const left = found.changed.length ? `; ${found.changed.length} had changed meanwhile and were left alone` : "";
    notice.value = `${found.count} ${body.verdict === "accept" ? "accepted" : "rejected"}${left}. Undo takes all of them back.`;
    return null;
  } catch (error) {
    if (error instanceof ApiError && typeof error.body.count === "number") return error.body.count;
    notice.value = told(error);
    return null;
  }
}

addEventListener("beforeunload", (event) => {
  if (waiting.value.length) event.preventDefault();
});
