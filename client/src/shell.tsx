/** Header, pages and theme; and what is said when the server is away or its models are loading. */
import { signal } from "@preact/signals";
import { Component, type ComponentChildren, type ComponentType } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { away, told } from "./lib/api";
import { loading } from "./lib/events";
import { capital, duration } from "./lib/format";
import { info } from "./lib/info";
import { PAGES, route, type PageName } from "./lib/route";
import { Failed, Link } from "./parts/basic";
import Describe from "./pages/describe";
import Ground from "./pages/ground";
import Jobs from "./pages/jobs";
import Results from "./pages/results";
import Review from "./pages/review";
import Search from "./pages/search";
import Start from "./pages/start";

const VIEWS: Record<PageName, ComponentType> = { start: Start, ground: Ground, describe: Describe, search: Search, review: Review, results: Results, jobs: Jobs };
const TABS = PAGES.filter((name) => name !== "start");

export function Shell() {
  const { page, query } = route.value, View = VIEWS[page];
  useEffect(() => {
    const about = query.sentence ?? query.q ?? query.image ?? "";
    document.title = [about.slice(0, 60), capital(page), info.value?.name, "phrasebox"].filter(Boolean).join(" · ");
  }, [page, query.sentence, query.q, query.image, info.value]);
  const first = useRef(true);
  useEffect(() => {
    if (!first.current) document.getElementById("content")?.focus({ preventScroll: true }); // a screen reader goes on there
    first.current = false;
  }, [page]);
  return (
    <>
      <a class="skip" href="#content">Skip to the content</a>
      <header class="top">
        <h1><Link page="start" class="brand" current={page === "start"} title="Start page"><i aria-hidden="true" /><span>phrasebox</span></Link></h1>
        <nav class="tabs" aria-label="Pages">
          <Link page="start" class="tab only-narrow" current={page === "start"}><i class="glyph start" aria-hidden="true" /><span>Start</span></Link>
          {TABS.map((name) => <Link key={name} page={name} class="tab" current={name === page} query={kept(page, name)}><i class={`glyph ${name}`} aria-hidden="true" /><span>{capital(name)}</span></Link>)}
        </nav>
        <div class="top-right">{info.value?.name && <span class="where" title={info.value.name}>{info.value.name}</span>}<Theme /></div>
      </header>
      <State />
      <main id="content" tabindex={-1}>{info.value ? <Safe key={page}><View /></Safe> : <p class="busy" role="status"><i class="spin" aria-hidden="true" />Opening …</p>}</main>
    </>
  );
}

/** A mistake in one view leaves the others. */
class Safe extends Component<{ children: ComponentChildren }, { error: string }> {
  override state = { error: "" };
  static override getDerivedStateFromError = (error: unknown) => ({ error: told(error) });
  override render() {
    if (!this.state.error) return this.props.children;
    return <Failed>{`This view has failed: ${this.state.error}. Load the page again; what you decided is kept.`}</Failed>;
  }
}

/** Ground and Describe share their picture. */
function kept(from: PageName, to: PageName) {
  const both: PageName[] = ["ground", "describe"];
  if (!both.includes(from) || !both.includes(to) || from === to) return undefined;
  const { image, sample, upload } = route.value.query;
  return { image, sample, upload };
}

function State() {
  if (away.value === "gone") return <p class="banner bad" role="alert">The server is away. What you typed and decided is kept here; the page goes on when it is back.</p>;
  if (away.value === "signed out") return <p class="banner bad" role="alert">The server asks for its token: open the address that it printed.</p>;
  if (loading.value) return <p class="banner" role="status"><i class="spin" aria-hidden="true" />Loading the model, {duration(loading.value.seconds)}{loading.value.expected ? ` of about ${duration(loading.value.expected)}` : ""}</p>;
  return null;
}

const THEMES = ["auto", "light", "dark"] as const;
const NAMES = { auto: "as the system", light: "light", dark: "dark" };
const theme = signal<(typeof THEMES)[number]>((document.documentElement.dataset.theme as "light" | "dark" | undefined) ?? "auto");

function Theme() {
  const turn = () => {
    theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length]!;
    if (theme.value === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme.value;
    try {
      localStorage.setItem("phrasebox-theme", theme.value);
    } catch {
      // refused: until the page is left
    }
  };
  return <button type="button" class="icon-button" aria-label={`Theme: ${NAMES[theme.value]}`} title={`Theme: ${NAMES[theme.value]}`} onClick={turn}><i class="glyph theme" aria-hidden="true" /></button>;
}
