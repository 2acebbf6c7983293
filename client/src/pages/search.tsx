/** Search: pictures or parts of them by sentence, and pictures like a picture. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ask, imageUrl, postImage } from "../lib/api";
import { useAnswer } from "../lib/answer";
import { useEndless, useNear } from "../lib/endless";
import type { Drawing } from "../lib/drawn";
import { many, number } from "../lib/format";
import { ofUpload, usePicture, type Picture as Chosen } from "../lib/images";
import { info } from "../lib/info";
import { useKeys } from "../lib/keys";
import { drawnSheet } from "../lib/palette";
import { go, patch, route } from "../lib/route";
import { draft, recentQueries } from "../lib/store";
import type { Hit, ImagePage, SearchPage, SentenceHit, SimilarPage } from "../lib/types";
import { Busy, Button, Calm, CopyButton, Empty, Failed, Heading, Link, save } from "../parts/basic";
import { DropZone } from "../parts/dropzone";
import { HitCard, hitBoxes } from "../parts/hit";
import { Take } from "../parts/take";

const PART = 24;
const RECENT = 8;
/** Unknown words, and captions that fit the picture, by question. */
const unknown = new Map<string, string[]>(), captions = new Map<string, SentenceHit[]>();
const MOST_EXPORTED = 200; // pictures of one download
const SHEET = 24; // results in a picture of them

export default function Search() {
  const { query } = route.value;
  const sentence = query.q ?? "", region = query.kind === "regions";
  const named = query.image || query.sample || query.upload;
  const picture = usePicture(query), like = picture === "missing" ? null : picture;
  const key = named ? like && `like ${like.id}` : sentence && `search ${region} ${sentence}`;
  const list = useEndless<Hit>(key || null, async (offset, stop, wanted) => {
    const k = Math.min(Math.max(PART, wanted), info.value?.limits.hits ?? PART);
    if (like && named) {
      const found = await postImage<SimilarPage>("/like", await like.send(stop), { k, offset }, stop);
      if (!offset) captions.set(key as string, found.sentences);
      return { items: found.images, more: found.more };
    }
    const found = await ask<SearchPage>("/search", { sentence, k, region, offset }, { signal: stop });
    unknown.set(key as string, found.unknown_words);
    return { items: found.hits, more: found.more };
  });
  const end = useNear(list.next);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  useEffect(() => setChosen(new Set()), [key]);
  const toggle = (id: string) => setChosen((was) => new Set(was.has(id) ? [...was].filter((one) => one !== id) : [...was, id]));
  const [at, setAt] = useState(-1);
  useEffect(() => setAt(-1), [key]);
  const grid = useRef<HTMLDivElement>(null);
  const step = (by: number) => {
    const next = Math.min(list.items.length - 1, Math.max(0, at + by));
    setAt(next);
    const card = grid.current?.querySelectorAll<HTMLElement>("article")[next];
    card?.focus({ preventScroll: true });
    card?.scrollIntoView({ block: "nearest" });
    if (next > list.items.length - 6) list.next();
  };
  const open = (hit: Hit) => go("ground", { image: hit.key, sentence: named ? undefined : sentence });
  useKeys({
    j: () => step(1), k: () => step(-1), "/": () => document.getElementById("query")?.focus(),
    x: () => list.items[at] && toggle(idOf(list.items[at]!)), Enter: () => list.items[at] && open(list.items[at]!),
  }, ["j", "k"]);
  const strange = unknown.get(key || "") ?? [], fitting = captions.get(key || "") ?? [];
  const most = Math.min(list.items.length, info.value?.limits.hits ?? 100);
  const weak = list.items.findIndex((hit) => hit.weak);
  if (info.value && !info.value.has_workspace) {
    return <><Heading title="Search" /><Empty title="There is nothing to search yet" command="phrasebox serve WS">Start with a workspace that has pictures:</Empty></>;
  }
  return (
    <>
      <Heading title="Search">Find pictures by a sentence, or pictures like a picture. Point at a result to see which words match which part.</Heading>
      <Bar sentence={sentence} region={region} />
      {named ? <Like picture={picture} /> : <DropZone main={false} label="Search with a picture" onTaken={(upload) => go("search", { upload: upload.id })} />}
      {!key && !named && <Ideas />}
      <div class="stack results-of-search">
        {strange.length > 0 && list.of === key && <Calm>The model does not know {strange.map((word) => `“${word}”`).join(", ")}.</Calm>}
        {chosen.size > 0 && <Selection hits={list.items.filter((hit) => chosen.has(idOf(hit)))} onNone={() => setChosen(new Set())} />}
        {list.error && <Failed>{list.error}</Failed>}
        {weak === 0 && list.items.length > 0 && <WeakLine />}
        <div class="hits" ref={grid}>
          {list.items.map((hit, i) => (
            <>
              {i > 0 && i === weak && <WeakLine />}
              <HitCard key={idOf(hit)} hit={hit} sentence={named ? "" : sentence} current={i === at} chosen={chosen.has(idOf(hit))} onChoose={() => toggle(idOf(hit))} onFocus={() => setAt(i)} />
            </>
          ))}
        </div>
        {list.busy && key && <Busy>{list.items.length ? "Reading on" : "Searching"}</Busy>}
        {key && list.of === key && !list.items.length && !list.busy && !list.error && <Empty title="No picture can be searched yet" command="phrasebox regions WS">Search needs the regions of the pictures:</Empty>}
        {list.items.length > 0 && !list.more && !list.busy && <p class="soft small center-text">That is all: {many(list.items.length, region ? "part" : "picture")}.</p>}
        <div ref={end} />
        {fitting.length > 0 && list.of === key && <Captions found={fitting} />}
        {list.items.length > 0 && (!named || like) && (
          <Take name={like && named ? `like ${like.name}` : sentence} svg={() => drawnSheet(list.items.slice(0, SHEET).map((hit) => ({ drawing: drawingOf(hit, named ? "" : sentence), src: imageUrl(hit.key, 640), title: `${number(hit.score)}${hit.weak ? ", weak" : ""}: ${hit.key}` })))}
            json={() => ({ ...(named ? { like: like?.name, sentences: fitting } : { sentence }), hits: list.items })}
            question={named && like ? { method: "POST", path: "/like", values: { image: like.query.image, k: most }, file: like.query.image ? undefined : like.name } : { method: "GET", path: "/search", values: { sentence, k: most, region: region || undefined } }} />
        )}
      </div>
    </>
  );
}

/** A hit's own name: a picture may be found by several boxes. */
const idOf = (hit: Hit): string => (hit.box ? `${hit.key} ${hit.box.join(" ")}` : hit.key);

const drawingOf = (hit: Hit, sentence: string): Drawing => ({
  width: hit.width, height: hit.height, boxes: hitBoxes(hit, sentence), caption: hit.box ? "" : sentence, phrases: hit.phrases,
});

function Bar({ sentence, region }: { sentence: string; region: boolean }) {
  const [text, set] = useState(draft.get("query") ?? sentence);
  useEffect(() => {
    if (sentence) set(sentence);
  }, [sentence]);
  const send = (q: string, kind = region) => {
    const wanted = q.trim();
    if (!wanted) return;
    draft.set("query", null);
    recentQueries.value = [wanted, ...recentQueries.value.filter((other) => other !== wanted)].slice(0, RECENT);
    go("search", { q: wanted, kind: kind ? "regions" : null });
  };
  return (
    <form class="search-bar" role="search" onSubmit={(event) => (event.preventDefault(), send(text))}>
      <div class="field"><label for="query">Sentence</label>
        <input id="query" type="search" dir="auto" value={text} placeholder="a dog catching a frisbee" maxlength={info.value?.limits.sentence ?? 1000} list="recent" autocomplete="off" aria-keyshortcuts="/"
          onInput={(event) => (set(event.currentTarget.value), draft.set("query", event.currentTarget.value))} />
        <datalist id="recent">{recentQueries.value.map((one) => <option key={one} value={one} />)}</datalist></div>
      <Button type="submit" look="main">Search</Button>
      <label class="tick"><input type="checkbox" checked={region} onChange={(event) => (text.trim() ? send(text, event.currentTarget.checked) : patch({ kind: event.currentTarget.checked ? "regions" : null }, true))} />Find parts of pictures</label>
    </form>
  );
}

/** Queries to begin with: what was asked before, and captions of this workspace. */
function Ideas() {
  const rows = useAnswer<ImagePage>("ideas", (stop) => ask("/images", { limit: 6 }, { signal: stop }));
  const examples = [...new Set(rows.data?.images.flatMap((row) => row.captions.slice(0, 1)) ?? [])];
  return (
    <div class="two idea-lists">
      {recentQueries.value.length > 0 && (
        <section class="ideas"><div class="spread"><h3>Your last queries</h3><Button look="quiet small" onClick={() => (recentQueries.value = [])}>Forget them</Button></div>
          {recentQueries.value.map((q) => <Link key={q} page="search" query={{ q }} class="button idea" dir="auto">{q}</Link>)}</section>
      )}
      {examples.length > 0 && (
        <section class="ideas"><h3>Captions of this workspace, as examples</h3>
          {examples.map((q) => <Link key={q} page="search" query={{ q }} class="button idea" dir="auto">{q}</Link>)}</section>
      )}
    </div>
  );
}

function Like({ picture }: { picture: Chosen | null | "missing" }) {
  if (picture === "missing") return <Failed>The picture of this search was opened in another browser. Open it here again.</Failed>;
  if (!picture) return null;
  return (
    <div class="row like"><img src={picture.src} alt="" /><p>Pictures like <b>{picture.name}</b></p>
      <Link page="ground" query={{ ...picture.query, sentence: picture.captions[0] }} class="button quiet">Open in Ground</Link>
      <Link page="search" class="button quiet">Search by a sentence</Link>
      <DropZone main={false} label="Another picture" onTaken={(upload) => go("search", ofUpload(upload).query)} /></div>
  );
}

const WeakLine = () => <p class="weak-line" role="note"><span>Weak matches below: they score like pictures that have nothing to do with the query</span></p>;

function Captions({ found }: { found: SentenceHit[] }) {
  return (
    <section class="card stack"><h3>Captions that fit this picture</h3>
      <ul class="samples">{found.map((one) => <li key={`${one.key} ${one.caption}`} dir="auto"><Link page="ground" query={{ image: one.key, sentence: one.text }}>{one.text}</Link></li>)}</ul></section>
  );
}

function Selection({ hits, onNone }: { hits: Hit[]; onNone: () => void }) {
  const keys = useMemo(() => [...new Set(hits.map((hit) => hit.key))], [hits]);
  const pairs = new URLSearchParams([["format", "odvg"], ...keys.slice(0, MOST_EXPORTED).map((key) => ["image", key])]).toString();
  const csv = () => ["key,score,x1,y1,x2,y2", ...hits.map((hit) => [`"${hit.key.replaceAll('"', '""')}"`, hit.score, ...(hit.box ?? ["", "", "", ""])].join(","))].join("\n");
  return (
    <div class="card row selection" role="status"><b>{many(hits.length, "result")} selected</b>
      <Button look="quiet small" onClick={() => save("selection.json", JSON.stringify(hits, null, 1), "application/json")}>JSON</Button>
      <Button look="quiet small" onClick={() => save("selection.csv", `${csv()}\n`, "text/csv")}>CSV</Button>
      <a class="button quiet small" href={`/api/exports/download?${pairs}`} download>Phrases and boxes</a>
      <CopyButton what="the names of the selected pictures" label="Copy names" text={() => keys.join("\n")} />
      <Button look="quiet small" onClick={onNone}>Select none</Button></div>
  );
}

