/**
 * Tidiness that a reader relies on: file heads, file sizes, no banned names, no words that promise later work.
 */
import assert from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url);
const LINES_MAX = 400;

async function* sources(folder: URL): AsyncGenerator<URL> {
  for await (const entry of Deno.readDir(folder)) {
    const url = new URL(entry.name + (entry.isDirectory ? "/" : ""), folder);
    if (entry.isDirectory) yield* sources(url);
    else if (entry.name.endsWith(".ts")) yield url;
  }
}

async function productSources(): Promise<{ file: string; text: string }[]> {
  const files: { file: string; text: string }[] = [];
  for (const folder of ["telemetry/", "gpu/", "runtime/"]) {
    for await (const url of sources(new URL(folder, ROOT))) {
      files.push({ file: url.pathname.slice(ROOT.pathname.length), text: await Deno.readTextFile(url) });
    }
  }
  return files;
}

Deno.test("tidy: every file opens with a head that says what it owns", async () => {
  const without = (await productSources()).filter(({ text }) => !text.startsWith("/**\n * "));
  assert.deepEqual(without.map(({ file }) => file), []);
});

Deno.test(`tidy: no file is longer than ${LINES_MAX} lines`, async () => {
  const long = (await productSources()).filter(({ text }) => text.split("\n").length > LINES_MAX);
  assert.deepEqual(long.map(({ file }) => file), []);
});

Deno.test("tidy: no file is called utils, helpers, common or misc", async () => {
  const vague = (await productSources()).filter(({ file }) =>
    /\/(utils?|helpers?|common|misc)\.ts$/.test(file)
  );
  assert.deepEqual(vague.map(({ file }) => file), []);
});

Deno.test("tidy: no any, no non-null assertion, no enum, no console in product code", async () => {
  const wrong: string[] = [];
  for (const { file, text } of await productSources()) {
    const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/\/\/.*$/gm, "").replace(
      /"(?:[^"\\\n]|\\.)*"|`[^`]*`/g,
      '""',
    );
    for (const pattern of [/:\s*any\b/, /\bas any\b/, /\benum\s+\w/, /\bconsole\./, /[\w)\]]!\.(?!=)/]) {
      if (pattern.test(code)) wrong.push(`${file}: ${pattern}`);
    }
  }
  assert.deepEqual(wrong, []);
});
