/** Take an answer with you: a link, a picture, its values, the code that asks for it again. */
import { useState } from "preact/hooks";
import { told } from "../lib/api";
import { asCurl, asPython, png, type Question } from "../lib/drawn";
import { info } from "../lib/info";
import { Button, CopyButton, Failed, save } from "./basic";

interface Props {
  /** Name of the files, without suffix. */
  name: string;
  json: () => unknown;
  question: Question;
  /** The answer as a picture. */
  svg?: () => Promise<string>;
}

export function Take({ name, json, question, svg }: Props) {
  const [error, set] = useState("");
  const file = name.replace(/[^\p{L}\p{N}._-]+/gu, "-").slice(0, 80) || "phrasebox";
  const draw = async (kind: "svg" | "png") => {
    set("");
    try {
      const text = await svg!();
      save(`${file}.${kind}`, kind === "svg" ? text : await png(text), "image/svg+xml");
    } catch (problem) {
      set(told(problem));
    }
  };
  return (
    <div class="take" role="group" aria-label="Take it with you">
      <CopyButton what="the link to this view" label="Copy link" text={() => location.href} />
      {svg && <Button look="quiet small" onClick={() => draw("png")}>PNG</Button>}
      {svg && <Button look="quiet small" onClick={() => draw("svg")}>SVG</Button>}
      <Button look="quiet small" onClick={() => save(`${file}.json`, JSON.stringify(json(), null, 1), "application/json")}>JSON</Button>
      <CopyButton what="Python code" label="Python" text={() => asPython(question, info.value?.name ?? "")} />
      <CopyButton what="a curl command" label="curl" text={() => asCurl(question, location.origin)} />
      {error && <Failed>{error}</Failed>}
    </div>
  );
}
