/**
 * The layers: telemetry ← gpu ← runtime ← main.ts, and the rooms of the runtime among themselves.
 *
 * Reads every import of the sources as text. A room may import from the rooms of its row and from itself;
 * `type` rows allow type-only imports. Third-party code is held to its rooms as well.
 */
import assert from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url);

/** What each room may import of ours. Rooms that are missing here fail the test. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  telemetry: [],
  gpu: ["telemetry"],
  "runtime/model": [],
  "runtime/wasm": ["runtime/model"],
  "runtime/wire": ["runtime/model"],
  "runtime/store": ["runtime/model"],
  "runtime/registry": ["runtime/model", "runtime/store"],
  "runtime/cell": ["runtime/model", "runtime/wasm", "runtime/wire", "gpu"],
  "runtime/executor": ["runtime/model", "runtime/wire", "telemetry"],
  "runtime/jobs": ["runtime/model", "runtime/store", "runtime/executor", "telemetry"],
  "runtime/gateway": ["runtime/model", "runtime/registry", "runtime/executor", "runtime/jobs", "telemetry"],
  "runtime/cli": ["runtime", "telemetry"],
  runtime: [
    "runtime/model",
    "runtime/store",
    "runtime/registry",
    "runtime/executor",
    "runtime/jobs",
    "runtime/gateway",
    "gpu",
    "telemetry",
    ".",
  ],
  ".": ["runtime/cli"],
};

/** Third-party packages and the only room that may import each. */
const PACKAGES: readonly (readonly [package_: RegExp, room: string])[] = [
  [/^@opentelemetry\//, "telemetry"],
  [/^@logtape\//, "telemetry"],
  [/^re2js/, "telemetry"],
  [/^(hono|zod|@hono\/|swagger-ui-dist)/, "runtime/gateway"],
  [/^node:sqlite/, "runtime/store"],
];

interface Import {
  readonly file: string;
  readonly specifier: string;
}

async function* sources(folder: URL): AsyncGenerator<URL> {
  for await (const entry of Deno.readDir(folder)) {
    const url = new URL(entry.name + (entry.isDirectory ? "/" : ""), folder);
    if (entry.isDirectory) yield* sources(url);
    else if (entry.name.endsWith(".ts")) yield url;
  }
}

async function allImports(): Promise<Import[]> {
  const imports: Import[] = [];
  const files = [new URL("main.ts", ROOT)];
  for (const folder of ["telemetry/", "gpu/", "runtime/"]) {
    for await (const url of sources(new URL(folder, ROOT))) files.push(url);
  }
  for (const url of files) {
    const text = await Deno.readTextFile(url);
    const file = url.pathname.slice(ROOT.pathname.length);
    for (
      const match of text.matchAll(/^(?:import|export)\b[^;]*?\bfrom\s+"([^"]+)"|^import\s+"([^"]+)"/gms)
    ) {
      imports.push({ file, specifier: match[1] ?? match[2] ?? "" });
    }
  }
  return imports;
}

/** The room of a file: its first two folders under runtime/, else its first. */
function roomOf(path: string): string {
  const parts = path.split("/");
  if (parts.length === 1) return ".";
  if (parts[0] !== "runtime") return parts[0] ?? ".";
  return parts.length === 2 ? "runtime" : `runtime/${parts[1]}`;
}

function resolve(file: string, specifier: string): string {
  return new URL(specifier, new URL(file, ROOT)).pathname.slice(ROOT.pathname.length);
}

Deno.test("layers: every import of ours follows the table", async () => {
  const wrong: string[] = [];
  for (const { file, specifier } of await allImports()) {
    if (!specifier.startsWith(".")) continue;
    const from = roomOf(file);
    const to = roomOf(resolve(file, specifier));
    if (from === to) continue;
    if (!(MAY_IMPORT[from]?.includes(to) ?? false)) {
      wrong.push(`${file} imports ${specifier} (${from} → ${to})`);
    }
  }
  assert.deepEqual(wrong, []);
});

Deno.test("layers: from outside, telemetry and gpu are imported by their mod.ts alone", async () => {
  const wrong: string[] = [];
  for (const { file, specifier } of await allImports()) {
    if (!specifier.startsWith(".")) continue;
    const target = resolve(file, specifier);
    const to = roomOf(target);
    if ((to === "telemetry" || to === "gpu") && roomOf(file) !== to && target !== `${to}/mod.ts`) {
      wrong.push(`${file} imports ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

Deno.test("layers: third-party packages stay in their rooms", async () => {
  const wrong: string[] = [];
  for (const { file, specifier } of await allImports()) {
    if (specifier.startsWith(".")) continue;
    const rule = PACKAGES.find(([pattern]) => pattern.test(specifier));
    if (rule === undefined ? !specifier.startsWith("node:") : roomOf(file) !== rule[1]) {
      wrong.push(`${file} imports ${specifier}`);
    }
  }
  assert.deepEqual(wrong, []);
});

Deno.test("layers: the entry of a cell is spawned, never imported", async () => {
  const importers = (await allImports()).filter(({ file, specifier }) =>
    specifier.startsWith(".") && resolve(file, specifier) === "runtime/cell/main.ts"
  );
  assert.deepEqual(importers, []);
});

Deno.test("layers: only config.ts and the command line read the environment", async () => {
  const readers: string[] = [];
  for (const folder of ["telemetry/", "gpu/", "runtime/"]) {
    for await (const url of sources(new URL(folder, ROOT))) {
      const text = await Deno.readTextFile(url);
      const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
      if (/\bDeno\.env\b|\bprocess\.env\b/.test(code)) readers.push(url.pathname.slice(ROOT.pathname.length));
    }
  }
  assert.deepEqual(
    readers.filter((file) => !file.startsWith("runtime/cli/") && file !== "runtime/config.ts"),
    [],
  );
});

Deno.test("layers: only main.ts exits the process, except a cell that lost its gateway", async () => {
  const exits: string[] = [];
  for (const folder of ["telemetry/", "gpu/", "runtime/"]) {
    for await (const url of sources(new URL(folder, ROOT))) {
      if (/\bDeno\.exit\(/.test(await Deno.readTextFile(url))) {
        exits.push(url.pathname.slice(ROOT.pathname.length));
      }
    }
  }
  assert.deepEqual(exits, ["runtime/cell/main.ts"]);
});
