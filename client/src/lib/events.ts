/** What the server tells by itself: queue place, loading of the models, jobs, decisions of others. */
import { signal } from "@preact/signals";
import { CLIENT, away, revision, untilBack } from "./api";
import type { Job, Progress, Reviewed } from "./types";

export interface Queue { waiting: number; place: number | null; busy: boolean }
export interface Decided { decision: string; who: string; undone: boolean; count: number; phrases: Reviewed[]; progress: Progress }

export const queue = signal<Queue>({ waiting: 0, place: null, busy: false });
/** Seconds that the models have been loading; null once they are there. */
export const loading = signal<{ seconds: number; expected?: number | null } | null>(null);
export const job = signal<Job | null>(null);
export const decided = signal<Decided | null>(null);
/** Grows when tables of the workspace change. */
export const changed = signal(0);

export function listen(): void {
  const source = new EventSource(`/api/events?client=${CLIENT}`);
  const on = <T>(name: string, act: (data: T) => void) =>
    source.addEventListener(name, (event) => act(JSON.parse((event as MessageEvent<string>).data) as T));
  on<{ loading: { seconds: number } | null }>("hello", (data) => (loading.value = data.loading));
  on<{ seconds: number }>("loading", (data) => (loading.value = data));
  on("ready", () => (loading.value = null));
  on<Queue>("queue", (data) => (queue.value = data));
  on<Job>("job", (data) => (job.value = data));
  on<Decided>("decision", (data) => (decided.value = data));
  on("workspace", () => changed.value++);
  let lost = false;
  source.onopen = () => {
    if (lost && !away.value) revision.value++;
    lost = false;
  };
  source.onerror = () => {
    lost = true;
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
    // whether the server is away is found by asking it: the stream alone may have been cut by a proxy
    void fetch("/api/health").catch(untilBack);
  };
}
