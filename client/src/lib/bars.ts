/** Bars of a histogram of confidence. */
import type { Bar } from "./types";

/** Half as many bars, each of two neighbours; its filter finds what both count. */
export function inPairs(bars: readonly Bar[]): Bar[] {
  return bars.flatMap((bar, i) => {
    if (i % 2) return [];
    const next = bars[i + 1];
    if (!next) return [bar];
    return [{ ...bar, high: next.high, count: bar.count + next.count, open: bar.open + next.open, filter: { ...bar.filter, max_confidence: next.filter.max_confidence } }];
  });
}
