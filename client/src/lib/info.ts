/** What there is to work with: the workspace, the captioner, the limits. */
import { signal } from "@preact/signals";
import { ask } from "./api";
import { loading } from "./events";
import type { Info } from "./types";

export const info = signal<Info | null>(null);

export async function readInfo(): Promise<void> {
  info.value = await ask<Info>("/workspace");
  loading.value = info.value.loading;
}
