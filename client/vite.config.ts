import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { defineConfig, type Plugin } from "vite";

const OUT = "../src/phrasebox/web/static";
const SOURCES = ["index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts", "public", "src"];

/** All files below a path, with forward slashes, sorted by code points. */
function files(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true }).flatMap((entry) => files(`${path}/${entry.name}`));
  } catch {
    return [path];
  }
}

/** SHA-256 of the sources' names and bytes; a test in Python computes the same. */
function sourceHash(root: string): string {
  const hash = createHash("sha256");
  process.chdir(root);
  for (const file of SOURCES.flatMap(files).sort()) {
    hash.update(`${file}\0`);
    hash.update(readFileSync(join(root, file)));
  }
  return hash.digest("hex");
}

/** Writes the hash beside the build, so that a stale build is found without node. */
const stamp = (): Plugin => ({
  name: "stamp",
  apply: "build",
  generateBundle() {
    this.emitFile({ type: "asset", fileName: "sources.sha256", source: `${sourceHash(import.meta.dirname)}\n` });
  },
});

export default defineConfig({
  plugins: [stamp()],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: { outDir: OUT, emptyOutDir: true, target: "es2022", modulePreload: { polyfill: false }, cssCodeSplit: false },
  server: { proxy: { "/api": "http://127.0.0.1:8080" } },
  test: { environment: "jsdom", include: ["tests/**/*.test.ts"], isolate: false, fileParallelism: false },
} as Parameters<typeof defineConfig>[0]);
