/** A sentence in the colours of its boxes, and its phrases with how sure the model is. */
import { percent, sureness } from "../lib/format";
import { colour, pieces } from "../lib/grounding";
import type { Phrase } from "../lib/types";

export function Sentence({ caption, phrases, least = 0, small = false, chosen }: { caption: string; phrases: readonly Phrase[]; least?: number; small?: boolean; chosen?: number }) {
  return (
    <p class={small ? "said small-said" : "said"} dir="auto">
      {pieces(caption, phrases).map((piece, n) => {
        const p = piece.p;
        if (p === undefined || phrases[p]!.confidence < least) return piece.text;
        return (
          <span key={n} class={`ph k${colour(p)}${p === chosen ? " chosen" : ""}`} data-p={p} tabindex={piece.name ? 0 : undefined} role={piece.name ? "button" : undefined}
            aria-label={piece.name} title={piece.name}>{piece.first && <b class="no" aria-hidden="true">{p + 1}</b>}{piece.text}</span>
        );
      })}
    </p>
  );
}

interface Listed {
  text: string;
  confidence: number;
  unknown?: boolean;
  /** The model's own words, where it is not sure of them and `text` says what is likely instead. */
  unsure?: string;
}

/** A phrase with how sure the model is; where that is too little, of what. */
function told(item: Listed, says: string): string {
  if (item.unsure !== undefined) return `${item.text}; ${percent(item.confidence)} sure of “${item.unsure}”`;
  return says === "sure" ? `${item.text}, ${sureness(item)}` : `${item.text}, ${percent(item.confidence)} ${says}`;
}

export function PhraseList({ items, least = 0, chosen, onPick, says = "sure" }: { items: readonly Listed[]; least?: number; chosen?: number | null; onPick?: (i: number) => void; says?: string }) {
  return (
    <ul class="pairs">
      {items.map((item, i) => (item.confidence < least ? null : (
        <li key={i}><button type="button" class={`pair k${colour(i)}${item.unsure === undefined ? "" : " unsure"}`} data-p={i} aria-pressed={onPick ? i === chosen : undefined} onClick={() => onPick?.(i)} aria-label={told(item, says)}>
          <span class="no" aria-hidden="true">{i + 1}</span><span dir="auto">{item.text}{item.unknown && <em class="unknown"> no word known</em>}</span>
          {item.unsure === undefined ? <><span class="bar" aria-hidden="true"><i style={{ "--share": item.confidence }} /></span><small>{percent(item.confidence)} {says}</small></>
            : <small class="own">{percent(item.confidence)} sure of “<bdi>{item.unsure}</bdi>”</small>}</button></li>
      )))}
    </ul>
  );
}
