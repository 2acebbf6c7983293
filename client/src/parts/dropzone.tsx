/** Where pictures are dropped, pasted or chosen: several at once and folders too. They stay in this browser. */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { told } from "../lib/api";
import { convert, dropped, isPicture, store, type Upload } from "../lib/uploads";
import { Button, Failed } from "./basic";

interface Props { main: boolean; label?: string; onTaken: (upload: Upload) => void; children?: ComponentChildren }

export function DropZone({ main, label = "Choose pictures", onTaken, children }: Props) {
  const zone = useRef<HTMLDivElement>(null), id = useId();
  const [over, setOver] = useState(false);
  const [work, setWork] = useState<{ name: string; done: number; of: number } | null>(null);
  const [problems, setProblems] = useState<string[]>([]);
  const stopped = useRef(false);

  const take = async (files: File[]) => {
    const wanted = files.filter(isPicture);
    setProblems(files.length && !wanted.length ? ["There is no picture among the files."] : []);
    stopped.current = false;
    let first: Upload | null = null;
    for (const [done, file] of wanted.entries()) {
      if (stopped.current) break;
      setWork({ name: file.name, done, of: wanted.length });
      try {
        const upload = await convert(file);
        if (stopped.current) break;
        await store(upload);
        first ??= upload;
      } catch (error) {
        setProblems((before) => [...before, told(error)].slice(-4));
      }
    }
    setWork(null);
    if (first) onTaken(first);
  };
  const taker = useRef(take);
  taker.current = take;
  useEffect(() => {
    const pasted = (event: ClipboardEvent) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (!files.length) return;
      event.preventDefault();
      void taker.current(files);
    };
    addEventListener("paste", pasted);
    return () => removeEventListener("paste", pasted);
  }, []);

  return (
    <div class={`drop${over ? " over" : ""}${main ? " first" : ""}`} ref={zone}
      onDragEnter={(event) => (event.preventDefault(), setOver(true))} onDragOver={(event) => event.preventDefault()}
      onDragLeave={(event) => zone.current!.contains(event.relatedTarget as Node | null) || setOver(false)}
      onDrop={async (event) => {
        event.preventDefault();
        setOver(false);
        if (event.dataTransfer) void take(await dropped(event.dataTransfer));
      }}>
      {children}
      <div class="row">
        <label class={`button ${main ? "main" : "plain"}`} for={id}>{label}
          <input id={id} class="unseen" type="file" accept="image/*,.heic,.heif" multiple
            onChange={(event) => {
              void take([...(event.currentTarget.files ?? [])]);
              event.currentTarget.value = "";
            }} /></label>
        {work && <p class="busy" role="status"><i class="spin" aria-hidden="true" />{work.of > 1 ? `${work.done + 1} of ${work.of}: ` : ""}{work.name}</p>}
        {work && <progress max={work.of} value={work.done} aria-label="Pictures read" />}
        {work && <Button look="quiet" onClick={() => (stopped.current = true)}>Cancel</Button>}
      </div>
      {problems.map((text) => <Failed key={text}>{text}</Failed>)}
      {over && <p class="drop-here" aria-hidden="true">Drop the pictures here</p>}
    </div>
  );
}
