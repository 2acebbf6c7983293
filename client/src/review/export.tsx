/** Export of the phrases: which format, from which confidence on, and how much that is. */
import { useState } from "preact/hooks";
import { ask, url } from "../lib/api";
import { useAnswer } from "../lib/answer";
import { count, many, percent } from "../lib/format";
import type { ExportCount, ExportFormat } from "../lib/types";
import { Choice, Command, Failed, Slider } from "../parts/basic";

export function Export() {
  const [format, setFormat] = useState("odvg"), [split, setSplit] = useState("");
  const [least, setLeast] = useState(0), [parts, setParts] = useState(false), [reviewed, setReviewed] = useState(false);
  const formats = useAnswer<{ formats: ExportFormat[] }>("exports", (stop) => ask("/exports", undefined, { signal: stop }));
  const query = { split, min_confidence: least / 100, parts_only: parts, reviewed };
  const found = useAnswer<ExportCount>(`export ${JSON.stringify(query)}`, (stop) => ask("/exports/count", query, { signal: stop }), true, 200);
  const chosen = formats.data?.formats.find((one) => one.name === format) ?? formats.data?.formats[0];
  const command = chosen && `phrasebox export WS exported --format ${chosen.name}${split ? ` --split ${split}` : ""}${least ? ` --min-confidence ${least / 100}` : ""}${parts ? " --parts-only" : ""}${reviewed ? " --reviewed" : ""}`;
  return (
    <section class="card stack tight" aria-label="Export">
      {(formats.error || found.error) && <Failed>{formats.error || found.error}</Failed>}
      <div class="filters">
        {formats.data && <Choice label="Format" value={chosen?.name ?? ""} options={formats.data.formats.map((one) => [one.name, one.name])} onChoose={setFormat} />}
        <Choice label="Split" value={split} options={[["", "all"], ["train", "train"], ["val", "val"], ["test", "test"]]} onChoose={setSplit} />
        <Slider label="Least confidence" value={least} min={0} max={95} step={5} says={least ? `at least ${percent(least / 100)} sure` : "all"} onMove={setLeast} />
        <label class="tick"><input type="checkbox" checked={reviewed} onChange={(event) => setReviewed(event.currentTarget.checked)} />Only reviewed phrases</label>
        <label class="tick"><input type="checkbox" checked={parts} onChange={(event) => setParts(event.currentTarget.checked)} />No box of the whole picture</label>
      </div>
      {found.data && <p class="num" role="status">{many(found.data.phrases, "phrase")} of {count(found.data.all_phrases)} in {many(found.data.captions, "caption")} of {many(found.data.images, "picture")}; {count(found.data.reviewed)} reviewed</p>}
      <div class="row">{chosen && <a class="button main" href={url("/exports/download", { format: chosen.name, ...query })} download>Download (.zip)</a>}{command && <Command text={command} />}</div>
    </section>
  );
}
