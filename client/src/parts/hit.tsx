/** One result of a search: its picture, the boxes of the words while it is pointed at, and where to go on. */
import { useMemo } from "preact/hooks";
import { imageUrl } from "../lib/api";
import { number } from "../lib/format";
import { boxes as boxesOf, type Box } from "../lib/grounding";
import type { Hit } from "../lib/types";
import { Link } from "./basic";
import { Picture } from "./picture";
import { Sentence } from "./sentence";

interface Props { hit: Hit; sentence: string; current: boolean; chosen: boolean; onChoose: () => void; onFocus: () => void }

/** The found part of the picture, or the boxes of the query's phrases. */
export function hitBoxes(hit: Hit, sentence: string): Box[] {
  if (hit.box) return [{ id: "0", box: hit.box, k: 0, label: "", name: `${sentence}: found here` }];
  return boxesOf(hit.phrases, hit.width, hit.height);
}

export function HitCard({ hit, sentence, current, chosen, onChoose, onFocus }: Props) {
  const boxes = useMemo(() => hitBoxes(hit, sentence), [hit, sentence]);
  const query = { image: hit.key, sentence };
  return (
    <article class={`hit card${current ? " current" : ""}${hit.box ? " part" : ""}`} data-links aria-label={hit.key} tabindex={-1} onFocus={onFocus}>
      <div class="frame"><Picture src={imageUrl(hit.key, 640)} alt={hit.key} width={hit.width} height={hit.height} boxes={boxes} /></div>
      {sentence && !hit.box && <Sentence caption={sentence} phrases={hit.phrases} small />}
      <div class="hit-foot"><label class="tick" title="Select"><input type="checkbox" checked={chosen} onChange={onChoose} aria-label={`Select ${hit.key}`} /></label>
        <span class="name" title={hit.key}>{hit.key}</span><span class="num">score {number(hit.score)}</span></div>
      <div class="hit-foot"><Link page="ground" query={query} class="button quiet" label={`Open ${hit.key} in Ground`}>Open</Link>
        <Link page="search" query={{ image: hit.key }} class="button quiet" label={`Pictures like ${hit.key}`}>Similar</Link></div>
    </article>
  );
}
