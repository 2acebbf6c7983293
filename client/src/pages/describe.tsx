/** Describe: a caption of a picture, phrases of its regions and of drawn boxes, and samples at a temperature. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { postImage, told } from "../lib/api";
import { useAnswer } from "../lib/answer";
import { percent } from "../lib/format";
import { colour } from "../lib/grounding";
import { usePicture } from "../lib/images";
import { info } from "../lib/info";
import { drawn as pictured } from "../lib/palette";
import { patch, route } from "../lib/route";
import type { Corners, Described, Description } from "../lib/types";
import { Busy, Button, Empty, Failed, Heading, Slider } from "../parts/basic";
import { PhraseList } from "../parts/sentence";
import { Stage } from "../parts/stage";
import { Take } from "../parts/take";

const REGIONS = 8;
const SAMPLES = 5;
const CLICK_BOX = 0.3; // side of the box around a clicked point, as a fraction of the picture's smaller side
const certainty = (part: Described): number => part.confidence ?? part.score;
const corners = (text: string | undefined): Corners[] => (text ?? "").split(";").map((one) => one.split(",").map(Number)).filter((box): box is Corners => box.length === 4 && box.every(Number.isFinite));
const written = (boxes: readonly Corners[]): string | null => boxes.map((box) => box.map((x) => Math.round(x)).join(",")).join(";") || null;

export default function Describe() {
  const { query } = route.value;
  const picture = usePicture(query), chosen = picture === "missing" ? null : picture;
  const able = info.value?.has_captioner ?? true;
  const key = chosen && able ? `describe ${chosen.id}` : null;
  const answer = useAnswer<Description>(key, async (stop) => postImage("/describe", await chosen!.send(stop), { regions: REGIONS }, stop));
  const drawn = corners(query.boxes);
  const own = useAnswer<Description>(key && drawn.length ? `${key} ${query.boxes}` : null, async (stop) => postImage("/describe", await chosen!.send(stop), { boxes: drawn }, stop));
  const found = answer.of === key ? answer.data : null;
  const parts: Described[] = found ? [...(own.data && drawn.length ? own.data.regions : []), ...found.regions] : [];
  const rated = parts.some((part) => part.confidence !== null); // captioners of version 0.1 say only how likely their words are
  const about = query.part !== undefined && parts[Number(query.part)] ? Number(query.part) : null;
  const select = (part: number | null) => patch({ part }, true);
  const boxes = useMemo(() => parts.map((part, i) => ({ id: String(i), box: part.box, k: colour(i), label: String(i + 1), name: `${part.shown}, ${percent(certainty(part))} ${rated ? "sure" : "likely"}` })), [found, own.data, query.boxes]);
  const add = (box: Corners) => patch({ boxes: written([box, ...drawn]), part: 0 });
  const pointed = (x: number, y: number) => {
    if (!found) return;
    const half = (CLICK_BOX * Math.min(found.width, found.height)) / 2;
    const cx = Math.min(Math.max(x, half), found.width - half), cy = Math.min(Math.max(y, half), found.height - half);
    add([cx - half, cy - half, cx + half, cy + half]);
  };
  if (!able) return <><Heading title="Describe" /><Empty title="No captioner" command="phrasebox caption WS">Train one on the captions of your workspace, then start again.</Empty></>;
  return (
    <>
      <Heading title="Describe">A sentence about the picture, and phrases of its parts. Draw a box, or click, to describe that part.</Heading>
      <div class="two" data-links>
        <Stage picture={picture} shown={{ width: found?.width, height: found?.height, boxes, draws: !!found, onDrawn: add, onPointed: pointed, onPicked: (id) => select(Number(id)) }} />
        <div class="stack">
          {!chosen && <p class="soft">Choose a picture to describe.</p>}
          {answer.busy && <Busy>Describing the picture</Busy>}
          {own.busy && drawn.length > 0 && <Busy>Describing that part</Busy>}
          {(answer.error || own.error) && <Failed>{answer.error || own.error}</Failed>}
          {found && chosen && (
            <section class="card stack" aria-label="Description">
              <p class={`said caption${found.sure ? "" : " unsure"}`} dir="auto">{found.shown}</p>
              {found.sure ? found.confidence !== null && <p class="small soft">{percent(found.confidence)} sure</p>
                : <p class="small soft">{found.confidence !== null && `${percent(found.confidence)} sure, `}too little for its own sentence: “<bdi>{found.caption}</bdi>”.</p>}
              {found.sure && found.seen.length > 0 && <Seen found={found} />}
              <PhraseList items={parts.map((part) => ({ text: part.shown, confidence: certainty(part), unsure: part.sure ? undefined : part.text }))} chosen={about} onPick={(i) => select(i === about ? null : i)} says={rated ? "sure" : "likely"} />
              {drawn.length > 0 && <Button look="quiet" onClick={() => patch({ boxes: null, part: null })}>Remove my boxes</Button>}
              <Take name={chosen.name} json={() => ({ ...found, regions: parts })}
                question={{ method: "POST", path: "/describe", values: { image: chosen.query.image, regions: REGIONS }, file: chosen.query.image ? undefined : chosen.name }}
                svg={() => pictured({ width: found.width, height: found.height, boxes, caption: [found.shown, ...parts.map((part, i) => `${i + 1} ${part.shown}`)].join(" · "), phrases: [] }, chosen.src)} />
            </section>
          )}
          {found && chosen && <Samples key={`${chosen.id} ${about} ${query.boxes}`} part={about === null ? null : parts[about]!} send={chosen.send} onWhole={() => select(null)} />}
        </div>
      </div>
    </>
  );
}

/** What a classifier sees, and whether the captioner has a word for it. */
function Seen({ found }: { found: Description }) {
  return (
    <p class="seen small"><span class="soft">A classifier sees </span>{found.seen.map((one, i) => (
      <span key={one.name}>{i ? ", " : ""}<b>{one.name}</b> <span class="soft">{percent(one.share)}{one.known ? "" : ", no word of the captioner"}</span></span>
    ))}</p>
  );
}

function Samples({ part, send, onWhole }: { part: Described | null; send: (stop?: AbortSignal) => Promise<string | Blob>; onWhole: () => void }) {
  const [temperature, setTemperature] = useState(1);
  const [said, set] = useState<{ texts: string[]; busy: boolean; error: string }>({ texts: [], busy: false, error: "" });
  const seed = useRef(0), stop = useRef<AbortController | undefined>(undefined);
  useEffect(() => () => stop.current?.abort(), []);
  const sample = async () => {
    stop.current?.abort();
    stop.current = new AbortController();
    set((was) => ({ ...was, busy: true, error: "" }));
    try {
      const values = { regions: 0, boxes: part ? [part.box] : undefined, temperature, count: SAMPLES, seed: ++seed.current };
      const found = await postImage<Description>("/describe", await send(), values, stop.current.signal);
      set({ texts: part ? found.regions[0]!.captions : found.captions, busy: false, error: "" });
    } catch (error) {
      if (!stop.current.signal.aborted) set({ texts: [], busy: false, error: told(error) });
    }
  };
  return (
    <section class="card stack">
      <h3>More about {part ? <bdi>“{part.text}”</bdi> : "the whole picture"}</h3>
      <Slider label="Temperature" value={temperature} min={0.2} max={1.5} step={0.1} says={temperature.toFixed(1)} low="most likely words" high="more varied words" onMove={setTemperature} />
      <div class="row"><Button onClick={sample} disabled={said.busy}>Sample other sentences</Button>{part && <Button look="quiet" onClick={onWhole}>About the whole picture</Button>}</div>
      {said.busy && <Busy>Sampling</Busy>}
      {said.error && <Failed>{said.error}</Failed>}
      <ul class="samples" aria-live="polite">{said.texts.map((text, i) => <li key={i} dir="auto">{text}</li>)}</ul>
    </section>
  );
}
