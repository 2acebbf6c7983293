/** The address is the state: a page, and a query that names picture, sentence, filter and phrase. */
import { signal } from "@preact/signals";

export const PAGES = ["start", "ground", "describe", "search", "review", "results", "jobs"] as const;
export type PageName = (typeof PAGES)[number];
export type Query = Record<string, string>;
export type Changes = Record<string, string | number | null | undefined>;

export interface Route {
  page: PageName;
  query: Query;
}

/** What an address says; an unknown path is the start page. */
export function parse(address: string): Route {
  const url = new URL(address, "http://localhost");
  const name = url.pathname.replace(/^\/+|\/+$/g, "");
  const page = PAGES.find((known) => known === name) ?? "start";
  return { page, query: Object.fromEntries(url.searchParams) };
}

/** Address of a page; empty values are left out. */
export function href(page: PageName, query: Changes = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return `/${page === "start" ? "" : page}${text && `?${text}`}`;
}

export const route = signal<Route>(parse(location.href));

/** What one entry of the browser's history remembers besides its address: where it was scrolled to, and how far a list was read. */
interface Kept {
  y?: number;
  read?: number;
}

const kept = (): Kept => (history.state as Kept | null) ?? {};

export function remember(change: Kept): void {
  history.replaceState({ ...kept(), ...change }, "");
}

export const readSoFar = (): number => kept().read ?? 0;

/** Go to a page: a new entry in the history, or the same one if `replace`. */
export function go(page: PageName, query: Changes = {}, replace = false): void {
  const address = href(page, query);
  if (!replace) stopScrolling?.();
  if (address === location.pathname + location.search) return;
  const other = page !== route.value.page;
  if (replace) history.replaceState(kept(), "", address);
  else {
    remember({ y: scrollY });
    history.pushState({}, "", address);
  }
  route.value = parse(address);
  if (other && !replace) window.scrollTo(0, 0);
}

/** Change some of the query of this page; null removes a value. */
export function patch(change: Changes, replace = false): void {
  go(route.value.page, { ...route.value.query, ...change }, replace);
}

const OWN = ["wheel", "touchstart", "pointerdown", "keydown"];
let stopScrolling: (() => void) | null = null;

/** Scroll to a place as soon as the page is long enough: until then as far as it goes, unless the person moves it. */
function scrollBack(y: number): void {
  stopScrolling?.();
  const watch = new ResizeObserver(() => {
    const room = document.documentElement.scrollHeight - innerHeight;
    window.scrollTo(0, Math.min(y, room));
    if (room >= y) stop();
  });
  const stop = (stopScrolling = () => {
    watch.disconnect();
    for (const kind of OWN) removeEventListener(kind, stop);
    stopScrolling = null;
  });
  for (const kind of OWN) addEventListener(kind, stop, { passive: true });
  watch.observe(document.body);
}

export function listen(): void {
  history.scrollRestoration = "manual";
  let later = 0;
  addEventListener("scroll", () => {
    clearTimeout(later);
    if (!stopScrolling) later = window.setTimeout(() => remember({ y: scrollY }), 150);
  }, { passive: true });
  addEventListener("popstate", () => {
    clearTimeout(later);
    route.value = parse(location.href);
    scrollBack(kept().y ?? 0);
  });
  if (kept().y) scrollBack(kept().y ?? 0);
}
