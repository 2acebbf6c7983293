/** Uploaded pictures: turned upright, shrunk and converted here, kept in this browser, sent again when needed. */
import { signal } from "@preact/signals";
import { postImage, told } from "./api";

export interface Upload { id: string; name: string; blob: Blob; width: number; height: number; when: number }

/** Largest side in pixels: the networks use fewer. */
export const SIDE = 2048;
const MOST = 60; // uploads that are kept
const DATABASE = "phrasebox";
const TABLE = "uploads";

export const uploads = signal<Upload[]>([]);

/** Size within `side` pixels, with the same shape; never larger. */
export function fitted(width: number, height: number, side = SIDE): [number, number] {
  const scale = Math.min(1, side / Math.max(width, height));
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}

/** Which files of a drop are pictures, by their type or name. */
export const isPicture = (file: { name: string; type: string }): boolean =>
  file.type.startsWith("image/") || /\.(jpe?g|png|webp|gif|bmp|tiff?|avif|hei[cf])$/i.test(file.name);

/** A file as an upright JPEG of at most `SIDE` pixels, without metadata. */
export async function convert(file: File): Promise<Upload> {
  const bitmap = await decoded(file);
  const [width, height] = fitted(bitmap.width, bitmap.height);
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const pen = canvas.getContext("2d")!;
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, width, height);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/jpeg", 0.92));
  if (!blob) throw new Error(`${file.name} is too large for this browser: make it smaller`);
  return { id: await hash(blob), name: file.name, blob, width, height, when: Date.now() };
}

/** The pixels of a file; what this browser cannot read, such as HEIC, the server turns into a JPEG. */
async function decoded(file: File): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    try {
      return await createImageBitmap(await postImage<Blob>("/jpeg", file, { side: SIDE }));
    } catch (error) {
      throw new Error(`${file.name} cannot be read: ${told(error)}`);
    }
  }
}

async function hash(blob: Blob): Promise<string> {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  if (!crypto.subtle) return weakHash(bytes); // plain HTTP on another machine
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest.slice(0, 10)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** FNV-1a, twice: enough to tell one's own pictures apart. */
export function weakHash(bytes: Uint8Array): string {
  let [a, b] = [0x811c9dc5, 0x01000193];
  for (const byte of bytes) {
    a = Math.imul(a ^ byte, 0x01000193);
    b = Math.imul(b ^ byte, 0x85ebca6b);
  }
  return [a, b].map((n) => (n >>> 0).toString(16).padStart(8, "0")).join("");
}

let opened: Promise<IDBDatabase> | null = null;

function database(): Promise<IDBDatabase> {
  opened ??= new Promise((done, fail) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(TABLE, { keyPath: "id" });
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error);
  });
  return opened;
}

async function act<T>(mode: IDBTransactionMode, run: (table: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const table = (await database()).transaction(TABLE, mode).objectStore(TABLE);
  return new Promise((done, fail) => {
    const request = run(table);
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error);
  });
}

/** Read what this browser has; private windows may have nothing to keep it in. */
export const ready: Promise<void> = typeof indexedDB === "undefined" ? Promise.resolve() : act("readonly", (table) => table.getAll() as IDBRequest<Upload[]>)
  .then((found) => void (uploads.value = found.sort((a, b) => b.when - a.when)))
  .catch(() => undefined);

export async function store(upload: Upload): Promise<void> {
  uploads.value = [upload, ...uploads.value.filter((other) => other.id !== upload.id)];
  await act("readwrite", (table) => table.put(upload)).catch(() => undefined);
  for (const old of uploads.value.slice(MOST)) await forget(old.id);
}

export async function forget(id: string): Promise<void> {
  uploads.value = uploads.value.filter((upload) => upload.id !== id);
  await act("readwrite", (table) => table.delete(id) as IDBRequest<undefined>).catch(() => undefined);
}

/** The pictures in what was dropped, folders included. */
export async function dropped(transfer: DataTransfer): Promise<File[]> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter((entry) => !!entry);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files].filter(isPicture);
  return (await Promise.all(entries.map(inside))).flat().filter(isPicture);
}

async function inside(entry: FileSystemEntry): Promise<File[]> {
  if (entry.isFile) return [await new Promise<File>((done, fail) => (entry as FileSystemFileEntry).file(done, fail))];
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((done, fail) => reader.readEntries(done, fail));
    if (!some.length) break;
    found.push(...some);
  }
  return (await Promise.all(found.map(inside))).flat();
}
