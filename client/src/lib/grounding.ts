/** A grounding as what the page shows: pieces of its sentence, boxes, chain and matrix. */
import { number, sureness } from "./format";
import type { Corners, Grounding, Phrase } from "./types";

export const COLOURS = 10;
/** Palette index of phrase `i`, the same as in figures. */
export const colour = (i: number): number => i % COLOURS;

export interface Piece { text: string; p?: number; first?: boolean; last?: boolean; name?: string }
export interface Box { id: string; box: Corners; k: number; label: string; name: string; key?: string }

type Span = [number, number];

/** Index of the phrase that covers all of a span: the shortest if several do, -1 if none does. */
export function owner(phrases: readonly { span: Span }[], [start, end]: Span): number {
  let best = -1;
  phrases.forEach(({ span }, i) => {
    if (span[0] > start || end > span[1]) return;
    if (best < 0 || span[1] - span[0] < phrases[best]!.span[1] - phrases[best]!.span[0]) best = i;
  });
  return best;
}

/** A caption in characters as the server counts them: code points, not UTF-16 units. */
export const characters = (text: string): string[] => [...text];

/** Split a caption into plain text and phrases. A phrase that contains a shorter one has several pieces. */
export function pieces(caption: string, phrases: readonly Phrase[]): Piece[] {
  const text = characters(caption);
  const cuts = [...new Set([0, text.length, ...phrases.flatMap((phrase) => phrase.span.filter((edge) => edge < text.length))])].sort((a, b) => a - b);
  const cut = cuts.slice(1).map((end, n) => ({ text: text.slice(cuts[n], end).join(""), p: owner(phrases, [cuts[n]!, end]) }));
  return cut.map(({ text, p }, n) => {
    if (p < 0) return { text };
    const first = !cut.slice(0, n).some((piece) => piece.p === p);
    const last = !cut.slice(n + 1).some((piece) => piece.p === p);
    return { text, p, first, last, name: first ? `${phrases[p]!.text}, ${sureness(phrases[p]!)}` : undefined };
  });
}

const FRAME = 0.006; // inset of the outline of the whole image, as a fraction of its larger side

/** Boxes of phrases with at least this confidence; that of the whole image is inset, so that it is visible. */
export function boxes(phrases: readonly Phrase[], width: number, height: number, least = 0): Box[] {
  const edge = FRAME * Math.max(width, height);
  return phrases.flatMap((phrase, i) => {
    if (phrase.confidence < least) return [];
    const places: Corners[] = phrase.whole_image ? [[edge, edge, width - edge, height - edge]] : phrase.boxes.length ? phrase.boxes : [phrase.box];
    const where = phrase.whole_image ? "the whole picture" : "box";
    return places.map((box, n) => ({
      id: String(i), key: `${i}-${n}`, box, k: colour(i), label: String(i + 1), name: `${phrase.text}: ${where}, ${sureness(phrase)}`,
    }));
  });
}

export interface Table { kind: string; label: string; values: number[][] }

const sum = (a: number[][], b: number[][]): number[][] => a.map((row, t) => row.map((value, r) => value + b[t]![r]!));

/** The tables of scores (words by regions), the one that boxes were chosen from first. */
export function tables(found: Grounding): Table[] {
  const learned = found.scores ?? [];
  if (!found.prior) return [{ kind: "learned", label: "learned from captions", values: learned }];
  return [
    { kind: "sum", label: "sum: what chose the boxes", values: sum(learned, found.prior) },
    { kind: "learned", label: "learned from captions", values: learned },
    { kind: "prior", label: "prior: class names", values: found.prior },
  ];
}

const SHOWN = 22;
export const argmax = (row: readonly number[]): number => row.reduce((best, value, i) => (value > row[best]! ? i : best), 0);

/** The regions to show: every word's best and assigned ones, then those with the highest scores; ascending. */
export function columns(found: Grounding): number[] {
  const shown = tables(found), total = shown[0]!.values;
  if (!total.length) return [];
  const needed = new Set([...(found.assignment ?? []), ...shown.flatMap((table) => table.values.map(argmax))]);
  const best = total[0]!.map((_, r) => Math.max(...total.map((row) => row[r]!)));
  const others = best.map((_, r) => r).filter((r) => !needed.has(r)).sort((a, b) => best[b]! - best[a]! || a - b);
  return [...needed, ...others.slice(0, Math.max(0, SHOWN - needed.size))].sort((a, b) => a - b);
}

/** How the best scores of the words make the score of the pair. */
export function scoreSum(found: Grounding): string {
  const best = tables(found)[0]!.values.map((row) => Math.max(...row));
  const total = best.reduce((a, b) => a + b, 0), terms = best.map(number).join(" + ");
  const close = (a: number, b: number) => Math.abs(a - b) <= Math.max(1e-3 * Math.max(Math.abs(a), Math.abs(b)), 1e-3);
  if (close(found.score, total)) return `${terms} = ${number(total)}`;
  return `(${terms}) / ${best.length} = ${number(found.score)}`;
}

export interface Run { text: string; region?: number; p?: number }

/** The chain's segments, runs of words with one region each, in the colour of their phrase; a run over several has none. */
export function chain(found: Grounding): Run[] {
  const words = found.words ?? [], text = characters(found.caption), runs: Run[] = [];
  let end = 0;
  for (const segment of found.segments ?? []) {
    const first = words[segment.start], last = words[segment.end - 1];
    if (!first || !last) continue;
    if (first.start > end) runs.push({ text: text.slice(end, first.start).join("") });
    end = last.end;
    const inside = new Set(words.slice(segment.start, segment.end).map((word) => owner(found.phrases, [word.start, word.end])).filter((p) => p >= 0));
    runs.push({ text: text.slice(first.start, end).join(""), region: segment.region, p: inside.size === 1 ? [...inside][0] : undefined });
  }
  return end < text.length ? [...runs, { text: text.slice(end).join("") }] : runs;
}

/** Values of the beta slider: 0, the model's own, and 36 logarithmic steps up to one box for all words. */
export function betaStops(own: number): number[] {
  const top = Math.max(1, 30 * own);
  const steps = Array.from({ length: 36 }, (_, i) => +(top * 10 ** (3 * (i / 35 - 1))).toFixed(4));
  return [...new Set([0, own, ...steps])].sort((a, b) => a - b);
}

