/** Requests to the HTTP API: typed, repeated while the server is away or busy, aborted when their answer is not needed. */
import { signal } from "@preact/signals";
import { freshId } from "./store";

export const CLIENT = freshId();

/** Why the server cannot be asked now; empty if it can. */
export const away = signal<"" | "gone" | "signed out">("");

/** Grows when everything shown should be read anew: the server came back. */
export const revision = signal(0);

export class ApiError extends Error {
  constructor(readonly status: number, message: string, readonly body: Record<string, unknown> = {}) {
    super(message);
  }
}

type Values = Record<string, string | number | boolean | null | undefined>;

/** A path with a query; values that are null or undefined are left out. */
export function url(path: string, query: Values = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return `/api${path}${text && `?${text}`}`;
}

/** Address of an image of the workspace. */
export const imageUrl = (key: string, width: number): string =>
  `/api/images/${key.split("/").map(encodeURIComponent).join("/")}?width=${width}`;

const pause = (ms: number, stop?: AbortSignal | null) =>
  new Promise<void>((done, fail) => {
    const timer = setTimeout(done, ms);
    stop?.addEventListener("abort", () => (clearTimeout(timer), fail(stop.reason)), { once: true });
  });

let returning: Promise<void> | null = null;

/** Wait until the server answers again. */
export function untilBack(): Promise<void> {
  away.value = "gone";
  returning ??= (async () => {
    for (let wait = 500; ; wait = Math.min(5000, wait * 1.5)) {
      await pause(wait);
      const answer = await fetch("/api/health").catch(() => null);
      if (answer?.ok) break;
    }
    returning = null;
    away.value = "";
    revision.value++;
  })();
  return returning;
}

const BUSY = new Set([429, 503]);
const TRIES = 6;

/** Send a request and read its JSON, or a picture as a blob. A request that did not reach the server is sent again when it is back. */
export async function ask<T>(path: string, query?: Values, init: RequestInit = {}): Promise<T> {
  const headers = { "X-Client": CLIENT, ...(init.headers as Record<string, string> | undefined) };
  for (let n = 1; ; n++) {
    let answer: Response;
    try {
      answer = await fetch(url(path, query), { ...init, headers });
    } catch (error) {
      if (init.signal?.aborted) throw error;
      await Promise.race([untilBack(), new Promise((_, fail) => init.signal?.addEventListener("abort", () => fail(init.signal?.reason)))]);
      continue;
    }
    if (answer.ok && answer.headers.get("content-type")?.startsWith("image/")) return (await answer.blob()) as T;
    const body = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
    if (answer.ok) return body as T;
    if (answer.status === 401) away.value = "signed out";
    if (BUSY.has(answer.status) && n < TRIES) {
      await pause(1000 * Math.max(0.5, Number(answer.headers.get("retry-after")) || n), init.signal);
      continue;
    }
    throw new ApiError(answer.status, String(body.error ?? `the server answered ${answer.status}`), body);
  }
}

export const post = <T>(path: string, body: unknown, stop?: AbortSignal): Promise<T> =>
  ask<T>(path, undefined, { method: "POST", signal: stop, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

/** Send values with an image: the key of an image of the workspace, or a file. */
export function postImage<T>(path: string, image: string | Blob, values: Record<string, unknown>, stop?: AbortSignal): Promise<T> {
  if (typeof image === "string") return post<T>(path, { image, ...values }, stop);
  const form = new FormData();
  form.append("image", image, "image");
  for (const [name, value] of Object.entries(values))
    if (value !== undefined && value !== null) form.append(name, typeof value === "object" ? JSON.stringify(value) : String(value));
  return ask<T>(path, undefined, { method: "POST", signal: stop, body: form });
}

/** What an error says to a person. */
export const told = (error: unknown): string => (error instanceof Error ? error.message : String(error));
