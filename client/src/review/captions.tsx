/** The captions of a picture with all their phrases: their states, and which one is looked at. */
import { colour, pieces } from "../lib/grounding";
import type { PicturePhrases, Reviewed } from "../lib/types";
import { now } from "./outbox";

export const MARKS = { open: "", accepted: "✓", rejected: "✕", edited: "✎" } as const;

export function Captions({ picture, current, onPick }: { picture: PicturePhrases; current: Reviewed; onPick: (id: string) => void }) {
  const groups = picture.captions.map((caption, n) => ({ caption, phrases: picture.phrases.filter((phrase) => phrase.caption === n).map(now) }));
  return (
    <div class="captions">
      {groups.map(({ caption, phrases }, n) => phrases.length > 0 && (
        <p key={n} dir="auto" class={n === current.caption ? "caption-line here" : "caption-line"}>
          {pieces(caption, phrases).map((piece, i) => {
            if (piece.p === undefined) return piece.text;
            const phrase = phrases[piece.p]!, chosen = phrase.id === current.id;
            const pick = () => onPick(phrase.id);
            return (
              <span key={i} class={`ph k${colour(phrase.index)} ${phrase.state}${chosen ? " chosen" : ""}${picture.matching.includes(phrase.id) ? "" : " aside"}`}
                {...(piece.first && { role: "button", tabindex: 0, "aria-pressed": chosen, "aria-label": `${phrase.text}, ${phrase.state}` })} onClick={pick}
                onKeyDown={(event) => {
                  if (event.key !== "Enter" && event.key !== " ") return;
                  event.preventDefault();
                  event.stopPropagation();
                  pick();
                }}>{piece.first && MARKS[phrase.state] && <b class="mark" aria-hidden="true">{MARKS[phrase.state]}</b>}{piece.text}</span>
            );
          })}
        </p>
      ))}
    </div>
  );
}
