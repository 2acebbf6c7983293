/** The picture of Ground and Describe, and below it the pictures to choose from. */
import type { ComponentProps } from "preact";
import { useRef, useState } from "preact/hooks";
import { ask, imageUrl, postImage, told } from "../lib/api";
import { useAnswer } from "../lib/answer";
import { changed } from "../lib/events";
import { count } from "../lib/format";
import { blobUrl, ofSample, ofUpload, ofWorkspace, sampleUrl, type Picture as Chosen } from "../lib/images";
import { info } from "../lib/info";
import { go, route } from "../lib/route";
import type { AddedImage, ImagePage } from "../lib/types";
import { forget, uploads } from "../lib/uploads";
import { Button, Calm, Failed } from "./basic";
import { DropZone } from "./dropzone";
import { Picture } from "./picture";

const PAGE = 24;

/** Open a picture on this page, with its first caption as the sentence. */
export function choose(picture: Chosen): void {
  const { page } = route.value;
  go(page, { ...picture.query, ...(page === "ground" ? { sentence: picture.captions[0] } : {}) });
}

type Shown = Omit<ComponentProps<typeof Picture>, "src" | "alt">;

export function Stage({ picture, shown }: { picture: Chosen | null | "missing"; shown: Shown }) {
  const chosen = picture === "missing" ? null : picture;
  return (
    <div class="stage">
      {picture === "missing" && <Failed>This picture was opened in another browser, which keeps it. Open it here again.</Failed>}
      <DropZone main={!chosen} onTaken={(upload) => choose(ofUpload(upload))}>
        {chosen
          ? <Picture src={chosen.src} alt={chosen.name} zooms {...shown} />
          : <div class="empty bare"><h3>Drop pictures here</h3><p>or paste one, choose some from this device, or select one below. They stay in this browser; the server looks at them and keeps nothing.</p></div>}
      </DropZone>
      {chosen?.query.upload && info.value?.has_workspace && <Add picture={chosen} />}
      <Uploaded chosen={chosen} />
      <FromWorkspace chosen={chosen} />
    </div>
  );
}

/** Put an uploaded picture into the workspace. */
function Add({ picture }: { picture: Chosen }) {
  const [said, set] = useState<{ id: string; text: string; failed?: boolean } | null>(null);
  const add = async () => {
    set({ id: picture.id, text: "Adding …" });
    try {
      const sentence = route.value.query.sentence;
      const row = await postImage<AddedImage>("/images", await picture.send(), { name: picture.name, captions: sentence ? [sentence] : undefined });
      set({ id: picture.id, text: row.known ? `The workspace has it already, as ${row.key}.` : `Added as ${row.key}. Make its regions under Jobs, then search finds it.` });
    } catch (error) {
      set({ id: picture.id, text: told(error), failed: true });
    }
  };
  const now = said?.id === picture.id ? said : null;
  return (
    <div class="row">
      <Button look="quiet" onClick={add}>Add to the workspace</Button>
      <Button look="quiet" onClick={() => (void forget(picture.query.upload!), go(route.value.page, {}))}>Remove from this browser</Button>
      {now && (now.failed ? <Failed>{now.text}</Failed> : <Calm>{now.text}</Calm>)}
    </div>
  );
}

/** Put all pictures of this browser into the workspace, one after the other. */
function AddAll() {
  const [state, set] = useState<{ done: number; of: number; known: number; problems: string[]; busy: boolean } | null>(null);
  const stopped = useRef(false);
  const add = async () => {
    const wanted = uploads.value;
    stopped.current = false;
    const now = { done: 0, of: wanted.length, known: 0, problems: [] as string[], busy: true };
    for (const upload of wanted) {
      if (stopped.current) break;
      set({ ...now });
      try {
        now.known += Number((await postImage<AddedImage>("/images", upload.blob, { name: upload.name })).known);
      } catch (error) {
        now.problems = [...now.problems, `${upload.name}: ${told(error)}`].slice(-3);
      }
      now.done++;
    }
    set({ ...now, busy: false });
  };
  if (!state) return <Button look="quiet" onClick={add}>Add all {uploads.value.length} to the workspace</Button>;
  return (
    <div class="stack tight" role="status">
      {state.busy && <div class="row"><progress max={state.of} value={state.done} aria-label="Pictures added" /><Button look="quiet" onClick={() => (stopped.current = true)}>Cancel</Button></div>}
      <p class="small num">{state.done} of {state.of} sent{state.known ? `, ${state.known} were there already` : ""}{state.busy ? " …" : ". Make their regions under Jobs, then search finds them."}</p>
      {state.problems.map((text) => <Failed key={text}>{text}</Failed>)}
    </div>
  );
}

function Uploaded({ chosen }: { chosen: Chosen | null }) {
  if (!uploads.value.length) return null;
  return (
    <section class="stack tight"><h3>Opened in this browser</h3>
      {info.value?.has_workspace && uploads.value.length > 1 && <AddAll />}
      <div class="strip">{uploads.value.map((upload) => (
        <Thumb key={upload.id} src={blobUrl(upload)} label={upload.name} pressed={chosen?.query.upload === upload.id} onClick={() => choose(ofUpload(upload))} />
      ))}</div></section>
  );
}

function FromWorkspace({ chosen }: { chosen: Chosen | null }) {
  const [offset, setOffset] = useState(0);
  const own = info.value?.has_workspace ?? false;
  const page = useAnswer<ImagePage>(own ? `images ${offset} ${changed.value}` : null, (stop) => ask("/images", { offset, limit: PAGE }, { signal: stop }));
  if (page.error) return <Failed>{page.error}</Failed>;
  if (own && !page.data) return null;
  if (page.data?.total) {
    const { total, images } = page.data, last = offset + images.length;
    return (
      <section class="stack tight">
        <div class="spread"><h3>From the workspace</h3>
          {total > PAGE && (
            <div class="row"><span class="soft small num">{count(offset + 1)}–{count(last)} of {count(total)}</span>
              <Button look="quiet" disabled={!offset} onClick={() => setOffset(Math.max(0, offset - PAGE))}>Back</Button>
              <Button look="quiet" disabled={last >= total} onClick={() => setOffset(offset + PAGE)}>More</Button></div>
          )}</div>
        <div class="strip">{images.map((row) => (
          <Thumb key={row.key} src={imageUrl(row.key, 160)} label={row.captions[0] ?? row.key} pressed={chosen?.query.image === row.key} onClick={() => choose(ofWorkspace(row.key, row.captions))} />
        ))}</div>
      </section>
    );
  }
  const samples = info.value?.samples ?? [];
  if (!samples.length) return null;
  return (
    <section class="stack tight"><h3>From the sample</h3>
      <div class="strip">{samples.map((one) => (
        <Thumb key={one.name} src={sampleUrl(one.name, 160)} label={one.captions[0] ?? one.name} pressed={chosen?.query.sample === one.name} onClick={() => choose(ofSample(one.name, one.captions))} />
      ))}</div></section>
  );
}

export function Thumb({ src, label, pressed, onClick }: { src: string; label: string; pressed: boolean; onClick: () => void }) {
  return <button type="button" class="thumb" aria-label={label} title={label} aria-pressed={pressed} onClick={onClick}><img src={src} alt="" loading="lazy" /></button>;
}
