/** The colours of phrases, read from the style sheet: one list for page, SVG and PNG. */
import { COLOURS } from "./grounding";
import type { Colours } from "./drawn";

export function palette(): Colours {
  const probe = document.createElement("i");
  document.body.append(probe);
  const found = Array.from({ length: COLOURS }, (_, i) => {
    probe.className = `k${i}`;
    const style = getComputedStyle(probe);
    return { fill: style.getPropertyValue("--c").trim(), text: style.getPropertyValue("--t").trim() };
  });
  probe.remove();
  return found;
}
