/** An answer as a picture of its own (SVG, PNG), and as code that asks for it again. */
import { characters, pieces, type Box } from "./grounding";
import type { Phrase } from "./types";

export interface Drawing {
  width: number;
  height: number;
  boxes: readonly Box[];
  /** Lines of text below the picture; a caption with its phrases, or plain text. */
  caption: string;
  phrases: readonly Phrase[];
  /** Phrases with less confidence are not coloured. */
  least?: number;
}

/** Fill and text colour of each palette index. */
export type Colours = readonly { fill: string; text: string }[];

const escape = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** Break pieces of text into lines of at most `most` characters, at blanks. */
export function lines<T extends { text: string }>(parts: readonly T[], most: number): T[][] {
  const broken: T[][] = [[]];
  let used = 0;
  for (const part of parts)
    for (const word of part.text.split(/(?<=\s)/)) {
      const length = characters(word.trimEnd()).length;
      if (used && used + length > most) {
        broken.push([]);
        used = 0;
      }
      const line = broken.at(-1)!, before = line.at(-1) as (T & { of?: T }) | undefined;
      if (before?.of === part) before.text += word;
      else line.push({ ...part, text: word, of: part } as T);
      used += characters(word).length;
    }
  return broken;
}

/** An SVG with the picture, given as a data URL, the boxes with their numbers, and the coloured sentence below. */
export function svg(drawing: Drawing, picture: string, colours: Colours): string {
  const { width, height, boxes, caption, phrases, least = 0 } = drawing;
  const { size, pad, set } = lettering(drawing), thick = size / 6;
  const text = set.map((line, n) => {
    const spans = line.map((piece) => {
      const colour = piece.p === undefined || phrases[piece.p]!.confidence < least ? undefined : colours[piece.p % colours.length];
      return `<tspan${colour ? ` fill="${colour.fill}" font-weight="600"` : ""}>${escape(piece.text)}</tspan>`;
    });
    const end = fromRight(line.map((piece) => piece.text).join("")) ? `${width - pad}" direction="rtl` : pad;
    return `<text x="${end}" y="${height + pad + size * (1 + 1.5 * n)}" xml:space="preserve">${spans.join("")}</text>`;
  });
  const marks = boxes.map((b) => {
    const c = colours[b.k % colours.length]!, [x1, y1, x2, y2] = b.box, side = 1.5 * size;
    const frame = `x="${x1}" y="${y1}" width="${x2 - x1}" height="${y2 - y1}" fill="none"`;
    return `<rect ${frame} stroke="#fff" stroke-width="${2 * thick}"/><rect ${frame} stroke="${c.fill}" stroke-width="${thick}"/>` +
      `<rect x="${x1}" y="${y1}" width="${side}" height="${side}" fill="${c.fill}"/>` +
      `<text x="${x1 + side / 2}" y="${y1 + side * 0.72}" text-anchor="middle" font-weight="700" fill="${c.text}">${escape(b.label)}</text>`;
  });
  const tall = tallness(drawing);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${tall}" width="${width}" height="${tall}" font-family="system-ui, sans-serif" font-size="${size}">` +
    `<rect width="${width}" height="${tall}" fill="#fff"/><image href="${escape(picture)}" width="${width}" height="${height}" preserveAspectRatio="none"/>` +
    `${marks.join("")}${caption ? text.join("") : ""}</svg>`;
}

/** Whether the first letter of a text is of a script that is written from right to left. */
const fromRight = (text: string): boolean => /^[^\p{L}]*[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u.test(text);

/** Size of the letters, and the lines of the caption, of a drawing. */
function lettering({ width, height, caption, phrases }: Drawing) {
  const size = Math.max(12, Math.round(Math.max(width, height) / 42)), pad = Math.round(size * 0.8);
  return { size, pad, set: lines(pieces(caption, phrases), Math.floor((width - 2 * pad) / (size * 0.56))) };
}

/** Height of a drawing with its caption. */
function tallness(drawing: Drawing): number {
  const { size, pad, set } = lettering(drawing);
  return drawing.height + (drawing.caption ? 2 * pad + size * 1.5 * set.length : 0);
}

const COLUMN = 320; // width of a picture in a sheet, in pixels
const GAP = 16;
const TITLE = 42; // characters

/** Several drawings with their pictures side by side, each scaled to a column, with a title of its own. */
export function sheet(drawings: readonly { drawing: Drawing; picture: string; title: string }[], colours: Colours, columns = 4): string {
  let y = GAP;
  const parts: string[] = [];
  for (let first = 0; first < drawings.length; first += columns) {
    const row = drawings.slice(first, first + columns);
    const heights = row.map(({ drawing }) => (COLUMN * tallness(drawing)) / drawing.width);
    row.forEach(({ drawing, picture, title }, n) => {
      const x = GAP + n * (COLUMN + GAP);
      parts.push(`<text x="${x}" y="${y + 12}">${escape(title.length > TITLE ? `${title.slice(0, TITLE)}…` : title)}</text>`);
      parts.push(svg(drawing, picture, colours).replace(/ width="[^"]*" height="[^"]*" font-family/, ` x="${x}" y="${y + 20}" width="${COLUMN}" height="${heights[n]}" font-family`));
    });
    y += 20 + Math.max(...heights) + GAP;
  }
  const wide = GAP + Math.min(columns, drawings.length) * (COLUMN + GAP);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${wide} ${y}" width="${wide}" height="${y}" font-family="system-ui, sans-serif" font-size="13"><rect width="${wide}" height="${y}" fill="#fff"/>${parts.join("")}</svg>`;
}

/** Draw an SVG with a width of at least 1280 pixels into a PNG. */
export async function png(source: string): Promise<Blob> {
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([source], { type: "image/svg+xml" }));
  await image.decode();
  const scale = Math.min(4, Math.max(1, 1280 / image.naturalWidth));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(image.naturalWidth * scale);
  canvas.height = Math.round(image.naturalHeight * scale);
  canvas.getContext("2d")!.drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(image.src);
  return new Promise((done, fail) => canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error("the picture is too large to be drawn"))), "image/png"));
}

/** The bytes of an address as a data URL, scaled to at most `side` pixels by whoever serves it. */
export async function dataUrl(address: string): Promise<string> {
  const blob = await (await fetch(address)).blob();
  return new Promise((done, fail) => {
    const reader = new FileReader();
    reader.onload = () => done(String(reader.result));
    reader.onerror = () => fail(reader.error);
    reader.readAsDataURL(blob);
  });
}

export interface Question {
  method: "GET" | "POST";
  path: string;
  /** Query of a GET, or values of a POST. */
  values: Record<string, string | number | boolean | null | undefined>;
  /** Name of the file to send, for a picture that is not of the workspace. */
  file?: string;
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
const given = (question: Question) => Object.entries(question.values).filter((entry): entry is [string, string | number | boolean] => entry[1] !== null && entry[1] !== undefined && entry[1] !== "");

/** A question as a command line; the token is taken from the environment. */
export function asCurl(question: Question, origin: string): string {
  const to = quoted(`${origin}/api${question.path}`), token = '-H "Authorization: Bearer $PHRASEBOX_TOKEN"', values = given(question);
  if (question.method === "GET") return ["curl -G", to, token, ...values.map(([name, value]) => `--data-urlencode ${quoted(`${name}=${value}`)}`)].join(" ");
  if (question.file) return ["curl", to, token, `-F ${quoted(`image=@${question.file}`)}`, ...values.map(([name, value]) => `-F ${quoted(`${name}=${value}`)}`)].join(" ");
  return ["curl", to, token, `--json ${quoted(JSON.stringify(Object.fromEntries(values)))}`].join(" ");
}

/** A text, number or truth value as Python writes it. */
export function literal(value: string | number | boolean): string {
  if (typeof value === "boolean") return value ? "True" : "False";
  return typeof value === "number" ? String(value) : JSON.stringify(value).replace(/[\u007f-\u009f\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Python that grounds, describes or searches with the library itself, without a server. */
export function asPython(question: Question, workspace: string): string {
  const values = Object.fromEntries(given(question)), of = (name: string) => literal(values[name] ?? "");
  const picture = question.file ? literal(question.file) : `next(row.path for row in ws.images() if row.key == ${of("image")})`;
  const open = workspace ? `ws = pb.Workspace(${literal(workspace)})\n` : "";
  const model = (name: string) => (workspace ? `pb.${name}.for_workspace(ws)` : `pb.${name}.load()`);
  if (question.path === "/ground") {
    const beta = values.beta === undefined ? "" : `, beta=${literal(values.beta)}`;
    return `import phrasebox as pb\n\n${open}found = ${model("Aligner")}.ground(${picture}, ${of("sentence")}${beta})\nfor phrase in found.phrases:\n    print(phrase.text, phrase.box, phrase.confidence)\n`;
  }
  if (question.path === "/describe") {
    return `import phrasebox as pb\n\n${open}found = ${model("Captioner")}.describe(${picture}, ${literal(values.regions ?? 8)})\nprint(found.shown)\nfor region in found.regions:\n    print(region.shown, region.box, region.certainty)\n`;
  }
  if (question.path === "/like") {
    return `import phrasebox as pb\n\n${open}found = pb.Searcher.open(ws).like(${picture}, k=${literal(values.k ?? 12)})\nfor hit in found.images:\n    print(hit.key, hit.score)\n`;
  }
  const find = values.region ? "region" : "sentence";
  return `import phrasebox as pb\n\n${open}for hit in pb.Searcher.open(ws).${find}(${of("sentence")}, k=${literal(values.k ?? 12)}):\n    print(hit.key, hit.score)\n`;
}
