/** Training histories as curves. */

export interface Line { name: string; k: number; values: (number | null)[] }
export interface Panel { title: string; lines: Line[] }

const HIDDEN = new Set(["epoch", "epochs", "seconds", "part"]);
const TITLES: Record<string, string> = {
  loss: "Loss", cider: "CIDEr-D", reward: "CIDEr-D of sampled training captions", lr: "Learning rate", temperature: "Temperature of the score", image_to_sentence: "image to sentence", sentence_to_image: "sentence to image",
};
const RECALL = "Recall@1 (%)";

/** A number, or the first of a list of numbers (recalls at 1, 5 and 10); null for anything else. */
function value(given: unknown): number | null {
  const one: unknown = Array.isArray(given) ? given[0] : given;
  return typeof one === "number" && Number.isFinite(one) ? one : null;
}

/** Curves of the numeric columns of a training history. */
export function panels(epochs: readonly Record<string, unknown>[]): Panel[] {
  const found = new Map<string, Line[]>();
  for (const name of new Set(epochs.flatMap((epoch) => Object.keys(epoch)))) {
    const values = epochs.map((epoch) => value(epoch[name]));
    if (HIDDEN.has(name) || values.every((one) => one === null)) continue;
    const title = TITLES[name] ?? name.replaceAll("_", " "), panel = name.includes("_to_") ? RECALL : title;
    const lines = found.get(panel) ?? [];
    lines.push({ name: title, k: lines.length, values });
    found.set(panel, lines);
  }
  return [...found].map(([title, lines]) => ({ title, lines }));
}

/** Range of an axis that holds all values, and round numbers in it. */
export function ticks(lines: readonly Line[]): { low: number; high: number; marks: number[] } {
  const all = lines.flatMap((line) => line.values).filter((v): v is number => v !== null);
  const least = Math.min(...all), most = Math.max(...all), room = (most - least || Math.abs(most) || 1) * 0.06;
  const low = least >= 0 && least < (most - least) * 0.6 ? 0 : least - room, high = most + room;
  const raw = (high - low) / 4, ten = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * ten).find((n) => n >= raw)!;
  const first = Math.ceil(low / step);
  return { low, high, marks: Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step) };
}
