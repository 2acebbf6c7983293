/** Review: accept, reject or correct the phrases of the workspace, picture by picture. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ask, imageUrl } from "../lib/api";
import { useAnswer } from "../lib/answer";
import { useEndless, useNear } from "../lib/endless";
import { decided } from "../lib/events";
import { count, percent } from "../lib/format";
import { colour } from "../lib/grounding";
import { WIDE } from "../lib/images";
import { info } from "../lib/info";
import { useKeys } from "../lib/keys";
import { patch, route } from "../lib/route";
import { who } from "../lib/store";
import type { Corners, PicturePage, PicturePhrases, Progress, Reviewed } from "../lib/types";
import { Busy, Button, Empty, Failed, Heading } from "../parts/basic";
import { Picture } from "../parts/picture";
import { Export } from "../review/export";
import { filterOf, imageOf, nextOf, stillMatching } from "../review/filter";
import { Filters } from "../review/filters";
import { decide, decideMany, notice, now, own, progress, problem, put, redo, rows, send, undo, unsaved } from "../review/outbox";
import { Help, Panel, ProgressLine, type Acts } from "../review/panel";
import { Regions, useRegions } from "../review/regions";

const PART = 20;
const MOST = 200; // of one answer
let visits = 0; // each visit reads anew what others may have changed

export default function Review() {
  if (info.value && !info.value.has_workspace) return <><Heading title="Review" /><Empty title="No workspace is open" command="phrasebox serve WS">Start with a workspace to review its phrases:</Empty></>;
  return <Desk />;
}

/** How far the review is: read at first and after own decisions; decisions of others bring it. */
function useProgress(): void {
  const read = () => ask<Progress>("/phrases/progress").then((found) => (progress.value = found), () => undefined);
  const left = unsaved.value;
  useEffect(() => {
    if (left) return;
    const timer = setTimeout(read, 400);
    return () => clearTimeout(timer);
  }, [left, notice.value]);
}

/** Show what others decide as they decide it. */
function useOthers(current: string | undefined): void {
  const other = decided.value;
  useEffect(() => {
    if (!other) return;
    progress.value = other.progress;
    if (own.has(other.decision) || other.who === who.value) return;
    put(other.phrases);
    const same = other.phrases.find((phrase) => phrase.id === current);
    if (same) notice.value = `${other.who} ${other.undone ? "took back a decision on" : "decided on"} this phrase: it is ${same.state} now.`;
  }, [other]);
}

function Desk() {
  const { query } = route.value;
  const filter = filterOf(query), key = `review ${JSON.stringify(filter)} ${query.sort ?? ""}`;
  const [run, again] = useState(() => ++visits);
  const [unfolded, unfold] = useState<"" | "filter" | "export">("");
  const [help, setHelp] = useState(false);
  const loaded = useRef<PicturePhrases[]>([]);
  const total = useRef({ pictures: 0, phrases: 0 });
  const list = useEndless<PicturePhrases>(`${key} ${run}`, async (offset, stop, wanted) => {
    const from = offset ? stillMatching(loaded.current, query.state, now) : 0;
    const page = await ask<PicturePage>("/phrases/pictures", { ...filter, sort: query.sort, offset: from, limit: Math.min(Math.max(PART, wanted), MOST) }, { signal: stop });
    if (!offset) total.current = { pictures: page.total, phrases: page.phrases };
    const known = new Set(offset ? loaded.current.map((picture) => picture.image) : []);
    return { items: page.pictures.filter((picture) => !known.has(picture.image)), more: page.offset + page.pictures.length < page.total };
  });
  const asked = query.at && !list.items.some((picture) => picture.image === imageOf(query.at!)) && list.of ? imageOf(query.at) : null;
  const single = useAnswer<PicturePage>(asked && `review picture ${asked}`, (stop) => ask("/phrases/pictures", { image: asked, limit: 1 }, { signal: stop }));
  const outside = asked && single.data?.pictures[0]?.image === asked ? single.data.pictures.map((picture) => ({ ...picture, matching: [] })) : [];
  const pictures = [...outside, ...list.items];
  loaded.current = list.items;
  const id = query.at && pictures.some((picture) => picture.phrases.some((phrase) => phrase.id === query.at)) ? query.at : firstOf(list.items);
  const picture = pictures.find((one) => one.phrases.some((phrase) => phrase.id === id));
  const current = picture && id ? nowOf(picture, id) : undefined;
  useProgress();
  useOthers(id);
  useEffect(() => void send(), []);
  const show = (next: string | undefined) => {
    if (next) patch({ at: next }, true);
  };
  useEffect(() => {
    if (!query.at && list.of) show(id); // an edit must not make another phrase the first open one
  }, [query.at, id, list.of]);
  const restart = () => (again(++visits), patch({ at: null }, true));
  return (
    <div class="desk">
      <div class="desk-bar">
        <h2 class="unseen">Review</h2>
        <Button look="plain fold" aria-expanded={unfolded === "filter"} onClick={() => unfold(unfolded === "filter" ? "" : "filter")}>Filter{Object.keys(filter).length ? ` (${Object.keys(filter).length})` : ""}</Button>
        <Button look="plain fold" aria-expanded={unfolded === "export"} onClick={() => unfold(unfolded === "export" ? "" : "export")}>Export</Button>
        {who.value && <Button look="quiet" title="Change your name" onClick={() => (who.value = "")}>{who.value}</Button>}
        <ProgressLine />
      </div>
      {unfolded === "filter" && <section class="card"><Filters filter={filter} onDone={restart} /></section>}
      {unfolded === "export" && <Export />}
      {list.error && <Failed>{list.error}</Failed>}
      {list.busy && !list.items.length && <Busy>Loading phrases</Busy>}
      {!list.busy && !list.error && list.of && !pictures.length && (Object.keys(filter).length
        ? <div class="empty"><h3>No phrase fits</h3><p>No phrase of the workspace matches the filters.</p><Button onClick={() => patch({ ...Object.fromEntries(Object.keys(filter).map((name) => [name, null])), at: null })}>Show all phrases</Button></div>
        : <Empty title="No phrases" command="phrasebox ground WS">Ground the captions of the workspace, then open this page again:</Empty>)}
      {picture && current && (
        <div class="review">
          <Shelf pictures={list.items} current={picture.image} total={total.current.pictures} onShow={show} onEnd={list.next} />
          <Card key={picture.image} pictures={pictures} picture={picture} current={current} onShow={show} onEnd={list.next} onHelp={() => setHelp(true)} onFilter={() => unfold("filter")} />
        </div>
      )}
      {help && <Help onClose={() => setHelp(false)} />}
    </div>
  );
}

/** The first phrase that is still to be reviewed; if none is, the first. */
function firstOf(pictures: PicturePhrases[]): string | undefined {
  for (const picture of pictures) {
    const open = picture.matching.find((one) => nowOf(picture, one)?.state === "open");
    if (open) return open;
  }
  return pictures[0]?.matching[0];
}

function nowOf(picture: PicturePhrases, id: string): Reviewed | undefined {
  const phrase = picture.phrases.find((one) => one.id === id);
  return phrase && (rows.value.get(id) ?? phrase);
}

/** The pictures to review, with how many of their phrases are open. */
function Shelf({ pictures, current, total, onShow, onEnd }: { pictures: PicturePhrases[]; current: string; total: number; onShow: (id: string) => void; onEnd: () => void }) {
  const end = useNear(onEnd), place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const item = place.current?.querySelector<HTMLElement>("[aria-current]"), box = place.current;
    if (!item || !box) return;
    const above = item.offsetTop - box.scrollTop, under = above + item.offsetHeight - box.clientHeight;
    if (above < 0) box.scrollTop += above;
    else if (under > 0) box.scrollTop += under;
  }, [current]);
  return (
    <nav class="shelf" aria-label={`${count(total)} pictures`}>
      <div class="work" ref={place}><ol>
        {pictures.map((picture) => {
          const open = picture.phrases.map(now).filter((phrase) => phrase.state === "open").length;
          return (
            <li key={picture.image}><button type="button" class="work-item" aria-current={picture.image === current ? "true" : undefined} onClick={() => onShow(picture.matching[0]!)}>
              <img src={imageUrl(picture.image, 160)} alt="" loading="lazy" width="44" height="44" />
              <span class="work-text"><b dir="auto">{picture.captions[0] ?? picture.image}</b><small>{open ? `${open} of ${picture.phrases.length} open` : "✓ all reviewed"}</small></span></button></li>
          );
        })}
      </ol><div ref={end} /></div>
      <p class="soft small num">{count(total)} pictures</p>
    </nav>
  );
}

interface CardProps { pictures: PicturePhrases[]; picture: PicturePhrases; current: Reviewed; onShow: (id: string | undefined) => void; onEnd: () => void; onHelp: () => void; onFilter: () => void }

function Card({ pictures, picture, current, onShow, onEnd, onHelp, onFilter }: CardProps) {
  const [of, setOf] = useState<{ id: string; mode: "" | "draw" | "pick" }>({ id: "", mode: "" });
  const mode = of.id === current.id ? of.mode : ""; // another phrase begins without one
  const setMode = (next: typeof mode) => setOf({ id: current.id, mode: next });
  const regions = useRegions(picture.image);
  const size: [number, number] = [current.width, current.height];
  const state = rows.value;
  const boxes = useMemo(() => picture.phrases.filter((phrase) => phrase.caption === current.caption && (mode !== "draw" || phrase.id !== current.id)).map(now).map((phrase) => ({
    id: phrase.id, box: phrase.box, k: colour(phrase.index), label: String(phrase.index + 1),
    name: phrase.id === current.id ? `${phrase.text}; arrow keys move this box, with Shift they resize it` : `${phrase.text}, ${phrase.state}, ${percent(phrase.confidence)} sure`,
  })), [picture, current, state, mode]);
  const open = picture.phrases.map(now).filter((phrase) => phrase.state === "open");

  const step = (by: 1 | -1): boolean => {
    const next = nextOf(pictures, current.id, by);
    if (by > 0 && !nextOf(pictures, next ?? current.id, 1)) onEnd();
    if (next) onShow(next);
    else notice.value = by > 0 ? "That was the last phrase." : "This is the first phrase.";
    return !!next;
  };
  const nextPicture = (by: 1 | -1, quietly = false) => {
    const place = pictures.indexOf(picture) + by;
    if (place >= pictures.length - 3) onEnd();
    const other = pictures[place];
    if (other) onShow(other.matching.find((one) => nowOf(other, one)?.state === "open") ?? other.matching[0] ?? other.phrases[0]?.id);
    else if (!quietly) notice.value = by > 0 ? "That was the last picture." : "This is the first picture.";
  };
  const named = (act: () => void) => () => (who.value ? act() : document.getElementById("reviewer")?.focus());
  const settle = (verdict: "accept" | "reject") => named(() => {
    decide(current, { verdict });
    step(1);
  });
  const replace = (box: Corners) => {
    setMode("");
    if (who.value) decide(current, { verdict: "edit", box });
    else document.getElementById("reviewer")?.focus();
  };
  const toggle = (wanted: "draw" | "pick") => named(() => {
    const next = mode === wanted ? "" : wanted;
    setMode(next);
    if (next === "pick" && !regions.length) notice.value = "This picture has no stored regions.";
    if (next === "draw") requestAnimationFrame(() => document.querySelector<SVGElement>(".review .pic svg")?.focus());
  });
  const goBack = (act: typeof undo) => named(() => void act().then((found) => onShow(found?.phrase?.id ?? found?.phrases[0]?.id)));
  const acts: Acts = {
    accept: settle("accept"), reject: settle("reject"), draw: toggle("draw"), pick: toggle("pick"), undo: goBack(undo), redo: goBack(redo), step, picture: nextPicture, help: onHelp,
    rest: named(() => void decideMany("accept", open).then(() => nextPicture(1, true))),
  };
  useKeys({
    a: acts.accept, r: acts.reject, d: acts.draw, p: acts.pick, u: acts.undo, "Shift+u": acts.redo, "Shift+a": () => (open.length ? acts.rest() : (notice.value = "All phrases of this picture are reviewed.")),
    j: () => step(1), k: () => step(-1), "Shift+j": () => nextPicture(1), "Shift+k": () => nextPicture(-1), "?": onHelp, Escape: () => (setMode(""), (problem.value = null)),
    e: named(() => {
      const field = document.getElementById("phrase-words") as HTMLInputElement | null;
      field?.focus();
      field?.select();
    }),
    "/": () => (onFilter(), setTimeout(() => document.getElementById("filter-text")?.focus())),
  }, ["j", "k", "Shift+j", "Shift+k"]);
  return (
    <article class="card desk-card" aria-label={picture.captions[0] ?? picture.image}>
      <div class="desk-pic">
        <Picture src={imageUrl(picture.image, WIDE)} alt={current.sentence} width={size[0]} height={size[1]} boxes={mode === "pick" ? none : boxes} editing={mode === "" && who.value ? current.id : null}
          draws={mode === "draw"} snaps={regions} zooms onDrawn={replace} onChanged={replace} onPicked={onShow}
          over={mode === "pick" && regions.length > 0 && <Regions regions={regions} size={size} onTake={replace} onLeave={() => setMode("")} />} />
      </div>
      <Panel picture={picture} current={current} mode={mode} open={open.length} acts={acts} onPick={onShow} />
    </article>
  );
}

const none: never[] = [];
