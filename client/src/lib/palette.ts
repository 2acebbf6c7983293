/** The colours of phrases, read from the style sheet: one list for page, SVG and PNG. */
import { COLOURS } from "./grounding";
import { dataUrl, sheet, svg, type Colours, type Drawing } from "./drawn";

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

/** A drawing with its picture as an SVG in the colours of the page. */
export const drawn = async (drawing: Drawing, src: string): Promise<string> => svg(drawing, await dataUrl(src), palette());

/** Several drawings with their pictures as one SVG. */
export async function drawnSheet(parts: readonly { drawing: Drawing; src: string; title: string }[]): Promise<string> {
  const read = await Promise.all(parts.map(async ({ drawing, src, title }) => ({ drawing, picture: await dataUrl(src), title })));
  return sheet(read, palette());
}
