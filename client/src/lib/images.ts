/** The picture that an address names: of the workspace (image=KEY), of the sample (sample=NAME), or uploaded (upload=ID). */
import { useMemo } from "preact/hooks";
import { ask, imageUrl, url } from "./api";
import { useAnswer } from "./answer";
import { info } from "./info";
import type { Query } from "./route";
import type { ImagePage } from "./types";
import { ready, uploads, type Upload } from "./uploads";

export interface Picture {
  /** As it stands in the address. */
  query: { image?: string; sample?: string; upload?: string };
  id: string;
  name: string;
  src: string;
  captions: string[];
  /** What is sent: the key, or the bytes. */
  send: (stop?: AbortSignal) => Promise<string | Blob>;
}

export const WIDE = 1280;
export const sampleUrl = (name: string, width: number): string => url(`/samples/${encodeURIComponent(name)}`, { width });

export const ofWorkspace = (key: string, captions: string[] = []): Picture => ({
  query: { image: key }, id: `image ${key}`, name: key, src: imageUrl(key, WIDE), captions, send: async () => key,
});

const sampleBytes = new Map<string, Promise<Blob>>();

export const ofSample = (name: string, captions: string[]): Picture => ({
  query: { sample: name }, id: `sample ${name}`, name, src: sampleUrl(name, WIDE), captions,
  send: () => {
    let bytes = sampleBytes.get(name);
    if (!bytes) sampleBytes.set(name, (bytes = fetch(sampleUrl(name, WIDE)).then((answer) => answer.blob())));
    return bytes;
  },
});

const addresses = new Map<string, string>();

/** Address of an upload's bytes within this page. */
export function blobUrl(upload: Upload): string {
  let address = addresses.get(upload.id);
  if (!address) addresses.set(upload.id, (address = URL.createObjectURL(upload.blob)));
  return address;
}

export const ofUpload = (upload: Upload): Picture => ({
  query: { upload: upload.id }, id: `upload ${upload.id}`, name: upload.name, src: blobUrl(upload), captions: [], send: async () => upload.blob,
});

/** Picture of an address; null if it names none, "missing" if it names an upload that this browser does not have. */
export function usePicture(query: Query): Picture | null | "missing" {
  const { image, sample, upload } = query;
  const row = useAnswer<ImagePage>(image ? `image row ${image}` : null, (stop) => ask("/images", { key: image }, { signal: stop }));
  const loaded = useAnswer<true>(upload ? "uploads read" : null, async () => (await ready, true as const));
  const captions = row.data?.images[0]?.key === image ? row.data?.images[0]?.captions : undefined;
  const own = uploads.value.find((one) => one.id === upload);
  const samples = info.value?.samples;
  return useMemo(() => {
    if (image) return ofWorkspace(image, captions);
    if (sample) return ofSample(sample, samples?.find((one) => one.name === sample)?.captions ?? []);
    if (upload) return own ? ofUpload(own) : loaded.data ? "missing" : null;
    return null;
  }, [image, sample, upload, captions, own, loaded.data, samples]);
}
