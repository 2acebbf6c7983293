/** Small parts of every page. */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { loading, queue } from "../lib/events";
import { duration, named } from "../lib/format";
import { info } from "../lib/info";
import { go, href, type Changes, type PageName } from "../lib/route";

interface Linked { page: PageName; query?: Changes; class?: string; children: ComponentChildren; title?: string; current?: boolean; label?: string; dir?: "auto" }

/** A link to a view of this page: opened without loading it anew, and in a new tab by whoever wants. */
export function Link({ page, query, children, current, label, ...rest }: Linked) {
  const click = (event: MouseEvent) => {
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(page, query);
  };
  return <a href={href(page, query)} onClick={click} aria-current={current ? "page" : undefined} aria-label={label} {...rest}>{children}</a>;
}

export function Heading({ title, children }: { title: string; children?: ComponentChildren }) {
  return <div class="lead"><h2>{title}</h2>{children && <p>{children}</p>}</div>;
}

type ButtonProps = JSX.IntrinsicElements["button"] & { look?: string; hotkey?: string };

export function Button({ look = "plain", hotkey, children, ...rest }: ButtonProps) {
  return <button type="button" class={`button ${look}`} aria-keyshortcuts={hotkey} {...rest}>{children}{hotkey && <kbd aria-hidden="true">{hotkey}</kbd>}</button>;
}

export function Empty({ title, command, children }: { title: string; command?: string; children?: ComponentChildren }) {
  return <div class="empty"><h3>{title}</h3>{children && <p>{children}</p>}{command && <Command text={command} />}</div>;
}

/** A command to copy, on the workspace that is open. */
export function Command({ text: given }: { text: string }) {
  const text = named(given, info.value?.name ?? "");
  return <p class="command"><code>{text}</code> <CopyButton what="the command" text={() => text} /></p>;
}

export function CopyButton({ what, text, label = "Copy", look = "quiet" }: { what: string; text: () => string; label?: string; look?: string }) {
  const [done, set] = useState("");
  const copy = async () => {
    const ok = await copyText(text());
    set(ok ? "Copied" : "Not copied");
    setTimeout(() => set(""), 1600);
  };
  return <Button look={`${look} small`} aria-label={`Copy ${what}`} onClick={copy}><span aria-live="polite">{done || label}</span></Button>;
}

/** Put text into the clipboard, also where the page came over plain HTTP. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "unseen";
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}

/** That something is being worked on: for how long, and how many are before it. */
export function Busy({ children }: { children: ComponentChildren }) {
  const since = useRef(performance.now());
  const [seconds, set] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => set((performance.now() - since.current) / 1000), 500);
    return () => clearInterval(timer);
  }, []);
  const place = queue.value.place ?? 0, models = loading.value;
  const more = models ? `: loading the model, ${duration(models.seconds)}` : place > 0 ? `: ${place} before it` : seconds >= 2 ? `: ${duration(seconds)}` : "";
  return <p class="busy" role="status"><i class="spin" aria-hidden="true" />{children}{more} …</p>;
}

export function Failed({ children }: { children: string }) {
  const parts = named(children, info.value?.name ?? "").split(/(phrasebox [a-z]+ [^;,"]*)/);
  return <p class="notice" role="alert"><span>{parts.map((part, i) => (i % 2 ? <code key={i}>{part.trim()}</code> : part))}</span></p>;
}

export const Calm = ({ children }: { children: ComponentChildren }) => <p class="notice calm" role="status"><span>{children}</span></p>;

interface Fielded {
  label: string;
  value: string;
  onText: (text: string) => void;
  quiet?: boolean;
  error?: string;
  id?: string;
  type?: "text" | "search" | "number";
  placeholder?: string;
  maxlength?: number;
  min?: number;
  step?: string;
  required?: boolean;
  autocomplete?: "off" | "name";
  "aria-keyshortcuts"?: string;
  onKeyDown?: (event: KeyboardEvent) => void;
}

export function Field({ label, value, onText, quiet, error, id: given, type = "text", ...rest }: Fielded) {
  const made = useId(), id = given ?? made;
  return (
    <div class="field">
      <label for={id} class={quiet ? "unseen" : undefined}>{label}</label>
      <input id={id} type={type as "text"} dir="auto" autocomplete="off" value={value} aria-invalid={error ? true : undefined} aria-describedby={error ? `${id}-why` : undefined}
        {...rest} onInput={(event) => onText(event.currentTarget.value)} />
      {error && <p class="why" id={`${id}-why`} role="alert">{error}</p>}
    </div>
  );
}

export function Choice({ label, value, options, onChoose }: { label: string; value: string; options: [string, string][]; onChoose: (value: string) => void }) {
  const id = useId();
  return (
    <div class="field"><label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onChoose(event.currentTarget.value)}>
        {options.map(([name, text]) => <option key={name} value={name} selected={name === value}>{text}</option>)}
      </select></div>
  );
}

interface Sliding { label: string; value: number; min: number; max: number; step?: number; says: string; low?: string; high?: string; onMove: (value: number) => void }

export function Slider({ label, value, min, max, step = 1, says, low, high, onMove }: Sliding) {
  const id = useId();
  return (
    <div class="range">
      <div class="range-head"><label for={id}>{label}</label><output for={id}>{says}</output></div>
      <input id={id} type="range" min={min} max={max} step={step} value={value} aria-valuetext={says} style={{ "--at": (value - min) / (max - min || 1) }}
        onInput={(event) => onMove(event.currentTarget.valueAsNumber)} />
      {low && <div class="range-ends" aria-hidden="true"><span>{low}</span><span>{high}</span></div>}
    </div>
  );
}

export function Facts({ of }: { of: Record<string, string | number> }) {
  return <dl class="facts">{Object.entries(of).map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>;
}

/** Save a file from the page. */
export function save(name: string, content: Blob | string, type = "text/plain"): void {
  const address = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
