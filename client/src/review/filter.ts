/** Filter of the review, as it stands in the address. */
import type { Query } from "../lib/route";
import type { Filter, PicturePhrases, Reviewed } from "../lib/types";

const TEXTS = ["split", "text", "word", "state", "image"] as const;
const NUMBERS = ["min_score", "min_confidence", "max_confidence", "min_words", "max_words"] as const;
export const NAMES: readonly string[] = [...TEXTS, ...NUMBERS, "unknown"];

/** The filter that a query gives; values that are no numbers are left out. */
export function filterOf(query: Query): Filter {
  const found: Filter = {};
  for (const name of TEXTS) if (query[name]) found[name] = query[name];
  for (const name of NUMBERS) if (query[name] && Number.isFinite(Number(query[name]))) found[name] = Number(query[name]);
  if (query.unknown === "true" || query.unknown === "false") found.unknown = query.unknown === "true";
  return found;
}

/** Key of the image of a phrase id. */
export const imageOf = (id: string): string => id.split("#").slice(0, -2).join("#");

/** Ids of the phrases to step through, in order. */
export const order = (pictures: readonly PicturePhrases[]): string[] => pictures.flatMap((picture) => picture.matching);

/** The next id in a direction; after one that is not among them, the nearest of its picture, else of the next picture. */
export function nextOf(pictures: readonly PicturePhrases[], id: string, by: 1 | -1): string | undefined {
  const ids = order(pictures), place = ids.indexOf(id);
  if (place >= 0) return ids[place + by];
  const image = pictures.findIndex((picture) => picture.phrases.some((phrase) => phrase.id === id));
  if (image < 0) return ids[0];
  const all = pictures.flatMap((picture) => picture.phrases.map((phrase) => phrase.id));
  const at = all.indexOf(id), rest = by > 0 ? all.slice(at + 1) : all.slice(0, at).reverse();
  return rest.find((other) => ids.includes(other));
}

/** How many of the pictures read so far the server still counts: those that a decision took out of the filter are gone. */
export function stillMatching(pictures: readonly PicturePhrases[], state: string | undefined, now: (phrase: Reviewed) => Reviewed): number {
  if (!state) return pictures.length;
  return pictures.filter((picture) => picture.phrases.some((phrase) => picture.matching.includes(phrase.id) && now(phrase).state === state)).length;
}
