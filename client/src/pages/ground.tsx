/** Ground: one answer to a picture and a sentence, and on request how it was decided. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { postImage } from "../lib/api";
import { useAnswer } from "../lib/answer";
import { number, percent } from "../lib/format";
import { betaStops, boxes, chain, colour, columns } from "../lib/grounding";
import { usePicture, type Picture } from "../lib/images";
import { info } from "../lib/info";
import { drawn } from "../lib/palette";
import { patch, route } from "../lib/route";
import { draft } from "../lib/store";
import type { Grounding } from "../lib/types";
import { Busy, Button, Calm, Facts, Failed, Heading, Slider } from "../parts/basic";
import { Matrix } from "../parts/matrix";
import { PhraseList, Sentence } from "../parts/sentence";
import { Stage } from "../parts/stage";
import { Take } from "../parts/take";

const SUGGESTIONS = 4;

export default function Ground() {
  const { query } = route.value;
  const picture = usePicture(query), chosen = picture === "missing" ? null : picture;
  const sentence = query.sentence ?? "", least = Number(query.least ?? 0) / 100;
  const [beta, setBeta] = useState<string | undefined>(query.beta);
  useEffect(() => setBeta(query.beta), [query.beta, query.sentence, chosen?.id]);
  const ask = (at: string | undefined) => async (stop: AbortSignal) =>
    postImage<Grounding>("/ground", await chosen!.send(stop), { sentence, beta: at === undefined ? undefined : Number(at), matrix: true }, stop);
  const key = chosen && sentence ? `ground ${chosen.id} ${sentence}` : null;
  const answer = useAnswer<Grounding>(key, ask(undefined));
  const other = useAnswer<Grounding>(key && beta !== undefined ? `${key} ${beta}` : null, ask(beta), false, 120);
  const model = answer.of === key ? answer.data : null;
  const found = beta !== undefined && other.data && other.of?.startsWith(key ?? "-") ? other.data : model;
  const shown = useMemo(() => (found ? boxes(found.phrases, found.width, found.height, least) : []), [found, least]);
  const probes = useMemo(() => (found?.boxes && query.how ? probesOf(found) : []), [found, query.how]);
  const error = answer.error || other.error;
  return (
    <>
      <Heading title="Ground">Choose a picture and enter a sentence to see which words describe which part of the picture.</Heading>
      <div class="two" data-links>
        <Stage picture={picture} shown={{ width: found?.width, height: found?.height, boxes: shown, probes }} />
        <div class="stack">
          <Ask sentence={sentence} chosen={chosen} />
          {answer.busy && <Busy>Grounding the sentence</Busy>}
          {error && <Failed>{error}</Failed>}
          {found && chosen && (
            <section class="card stack" aria-label="What the model says" aria-busy={answer.busy}>
              <Sentence caption={found.caption} phrases={found.phrases} least={least} />
              {!!found.unknown_words?.length && <Calm>The model knows no picture of {found.unknown_words.map((word) => `“${word}”`).join(", ")}: do not trust boxes of {found.unknown_words.length > 1 ? "these words" : "this word"}.</Calm>}
              <PhraseList items={found.phrases} least={least} />
              {found.phrases.length > 0 && <Threshold found={found} least={least} />}
              <Take name={`${chosen.name} ${found.caption}`} json={() => found}
                question={{ method: "POST", path: "/ground", values: { image: chosen.query.image, sentence, beta: query.beta === undefined ? undefined : Number(query.beta) }, file: chosen.query.image ? undefined : chosen.name }}
                svg={() => drawn({ width: found.width, height: found.height, boxes: shown, caption: found.caption, phrases: found.phrases, least }, chosen.src)} />
            </section>
          )}
          {chosen && chosen.captions.length > 0 && <Suggestions captions={chosen.captions} sentence={sentence} />}
        </div>
        {found && chosen && model && <How found={found} own={model.beta} src={chosen.src} onBeta={setBeta} />}
      </div>
    </>
  );
}

function Ask({ sentence, chosen }: { sentence: string; chosen: Picture | null }) {
  const [text, set] = useState(() => draft.get("sentence") ?? sentence);
  const [hint, setHint] = useState("");
  useEffect(() => {
    if (sentence) set(sentence);
    setHint("");
  }, [sentence, chosen?.id]);
  const type = (typed: string) => {
    set(typed);
    draft.set("sentence", typed === sentence ? null : typed);
  };
  const send = () => {
    if (!chosen) return setHint("Choose a picture first: drop one, or select one below.");
    if (!text.trim()) return setHint("Say what the picture shows.");
    draft.set("sentence", null);
    patch({ sentence: text.trim(), beta: null });
  };
  return (
    <form class="stack ask" onSubmit={(event) => (event.preventDefault(), send())}>
      <div class="field"><label for="sentence">Sentence</label>
        <textarea id="sentence" rows={2} dir="auto" maxlength={info.value?.limits.sentence ?? 1000} value={text} placeholder="A tabby cat with green eyes looks to the side."
          onInput={(event) => type(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            send();
          }} /></div>
      <div class="spread"><Button type="submit" look="main">Ground the sentence</Button></div>
      {hint && <Calm>{hint}</Calm>}
    </form>
  );
}

function Suggestions({ captions, sentence }: { captions: string[]; sentence: string }) {
  const others = captions.filter((caption) => caption !== sentence).slice(0, SUGGESTIONS);
  if (!others.length) return null;
  return (
    <section class="ideas"><h3>Captions of this picture</h3>
      {others.map((caption) => <Button key={caption} look="idea" dir="auto" onClick={() => patch({ sentence: caption, beta: null })}>{caption}</Button>)}</section>
  );
}

function Threshold({ found, least }: { found: Grounding; least: number }) {
  const hidden = found.phrases.filter((phrase) => phrase.confidence < least).length;
  return (
    <Slider label="Show phrases" value={Math.round(100 * least)} min={0} max={100}
      says={least ? `at least ${percent(least)} sure${hidden ? `, ${hidden} hidden` : ""}` : "all"} onMove={(value) => patch({ least: value || null }, true)} />
  );
}

/** The chain and the matrix behind the answer, in its colours. */
function How({ found, own, src, onBeta }: { found: Grounding; own: number; src: string; onBeta: (beta: string | undefined) => void }) {
  const stops = useMemo(() => betaStops(own), [own]);
  const at = stops.reduce((best, beta, i) => (Math.abs(beta - found.beta) < Math.abs(stops[best]! - found.beta) ? i : best), 0);
  const [place, setPlace] = useState(at);
  useEffect(() => setPlace(at), [at]);
  const changed = Math.abs(found.beta - own) > 1e-9;
  const move = (i: number) => {
    setPlace(i);
    const beta = stops[i] === own ? undefined : String(stops[i]);
    onBeta(beta);
    clearTimeout(later);
    later = window.setTimeout(() => patch({ beta }, true), 500);
  };
  return (
    <details class="wide card more" open={!!route.value.query.how} onToggle={(event) => patch({ how: event.currentTarget.open ? 1 : null }, true)}>
      <summary>How was this decided?</summary>
      {route.value.query.how && found.scores && found.words && (
        <div class="stack how">
          <p class="soft">Each word has a score with each region of the picture (the table). A chain over the words picks one region for each, and pays β for every change of region: the pieces below.
            The chain and the grammar of the sentence choose the words of a phrase; all regions that fit these words choose its box, so that it can differ from the region of a piece. Point at a piece or a column to see its region.</p>
          <p class="ribbon" dir="auto">{chain(found).map((run, n) => (run.region === undefined ? run.text : (
            <span key={n} class={`seg${run.p === undefined ? "" : ` k${colour(run.p)}`}`} data-r={run.region} tabindex={0} title={run.region ? `region ${run.region}` : "the whole picture"}>{run.text}</span>
          )))}</p>
          <div class="spread end"><Slider label="Chain strength: how readily neighbouring words share a region" value={place} min={0} max={stops.length - 1}
            says={`β = ${+(stops[place] ?? own).toPrecision(3)}${changed ? "" : ", the model's own"}`} low="short phrases" high="long phrases" onMove={move} />
            {changed && <Button onClick={() => move(stops.indexOf(own))}>The model's own β</Button>}</div>
          <p class="soft small">A word's best region is ringed, the one that the box of its phrase came from is underlined.</p>
          <Matrix found={found} src={src} />
          <Facts of={{ S: number(found.score), words: found.words.length, regions: found.boxes?.length ?? 0, phrases: found.phrases.length }} />
        </div>
      )}
    </details>
  );
}

let later = 0;

const probesOf = (found: Grounding) => columns(found).map((r) => {
  const run = chain(found).find((one) => one.region === r && one.p !== undefined);
  return { r, box: found.boxes![r]!, k: run?.p === undefined ? undefined : colour(run.p) };
});
