/**
 * Builds every guest of tests/guests/src into tests/guests/build, and writes MANIFEST.json, the image of data/
 * and the PTX of the AssemblyScript guests; `--check` builds into a temporary folder and compares instead.
 *
 * Owns the compilers' flags. The AssemblyScript compiler is fetched on first use by a process of its own, so
 * that nothing else depends on its 100 MB. Invariant: the same compilers give the same bytes.
 */
import wabt from "wabt";
import { formatFunctionType } from "../../runtime/model/value_type.ts";
import { inspectModule } from "../../runtime/wasm/inspect.ts";
import { type ManifestEntry, type ManifestExport, readManifest } from "../support/guests.ts";
import { makePpm } from "../support/ppm.ts";
import { ptxHeader, ptxModule, splitPtx } from "./embed_ptx.ts";

/** A source file of a guest and the name of the guest. */
export interface GuestSource {
  readonly name: string;
  /** `generator`: a program of ours that writes the module byte by byte. */
  readonly language: "wat" | "c" | "ts" | "generator";
  /** Relative to tests/guests. */
  readonly path: string;
}

const HERE = new URL("./", import.meta.url);
const IMAGE = new URL("data/gradient_64x48.ppm", HERE);
const KERNELS = new URL("../gpu/kernels/", HERE);
/** PTX for the AssemblyScript guests: the entries of each file. */
const ASSEMBLY_KERNELS = new URL("src/assembly/kernels.ts", HERE);
const ASSEMBLY_ENTRIES: readonly (readonly [file: string, entries: readonly string[]])[] = [
  ["vector", ["vector_add", "saxpy"]],
  ["mandelbrot", ["mandelbrot", "colour"]],
  ["histogram", ["histogram_shared"]],
];
const C_TARGET = ["--target=wasm32-wasi", "--sysroot=/usr"];
const C_FLAGS = ["-std=gnu11", "-Wall", "-Wextra", "-Werror"];
const C_LINK_FLAGS = ["-Wl,--strip-all"];
const C_FLAGS_DEFAULT = ["-Os"];
// Guests called bench_* are built at -O2 unless said otherwise.
const C_FLAGS_DEFAULT_BENCH = ["-O2"];
// A library of exports, without what a command starts with.
const C_LINK_FLAGS_LIBRARY = [...C_LINK_FLAGS, "-nostartfiles", "-Wl,--no-entry"];
// Where speed matters more than size.
const C_FLAGS_BY_NAME: ReadonlyMap<string, readonly string[]> = new Map([
  ["image_filter", ["-O3", "-msimd128"]],
  ["bench_copies", ["-O2", "-mbulk-memory"]],
  ["bench_matmul_f32_os", ["-Os"]],
  ["bench_matmul_simd", ["-O2", "-msimd128"]],
]);
const ASSEMBLY_SCRIPT_FLAGS = [
  "--runtime",
  "stub",
  "--use",
  "abort=",
  "--noAssert",
  "-O3",
  "--shrinkLevel",
  "2",
];
const ASSEMBLY_SCRIPT_FLAGS_BENCH = ["--runtime", "incremental", "--use", "abort=", "-O3"];
const CLANG_MISSING = "Cannot run clang; install it with: apt-get install " +
  "clang lld wasi-libc libclang-rt-dev-wasm32";

/** The guests that there are sources of, in the order of their names. */
export function listSources(): GuestSource[] {
  const sources: GuestSource[] = [];
  for (const entry of Deno.readDirSync(new URL("src/", HERE))) {
    // Attacks are listed apart; headers and AssemblyScript modules are parts of guests.
    if (entry.isDirectory || entry.name.endsWith(".h")) continue;
    const match = /^([a-z0-9_]+)\.(wat|c|ts)$/.exec(entry.name);
    const [, name, language] = match ?? [];
    if (name === undefined || (language !== "wat" && language !== "c" && language !== "ts")) {
      throw new Error(`Unexpected file in src: ${entry.name}`);
    }
    sources.push({ name, language, path: `src/${entry.name}` });
  }
  return [...sources, ...listHostile()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The attacks: one file each, text or a generator. Folders hold what is made by a test when it is needed. */
function listHostile(): GuestSource[] {
  const sources: GuestSource[] = [];
  for (const entry of Deno.readDirSync(new URL("src/hostile/", HERE))) {
    if (entry.isDirectory) continue;
    const match = /^([a-z0-9_]+)\.(wat|ts)$/.exec(entry.name);
    const [, name, ending] = match ?? [];
    if (name === undefined) throw new Error(`Unexpected file in src/hostile: ${entry.name}`);
    const language = ending === "wat" ? "wat" : "generator";
    sources.push({ name: `hostile_${name}`, language, path: `src/hostile/${entry.name}` });
  }
  return sources;
}

/** Assembles a module in text form, without names. Throws Error with the assembler's message. */
export async function assembleWat(file: string, text: string): Promise<Uint8Array<ArrayBuffer>> {
  const assembler = await wabt();
  const module = assembler.parseWat(file, text, {
    exceptions: true,
    simd: true,
    multi_value: true,
    bulk_memory: true,
    reference_types: true,
    sign_extension: true,
    mutable_globals: true,
    sat_float_to_int: true,
    tail_call: true,
    memory64: true,
    threads: true,
    extended_const: true,
  });
  try {
    return Uint8Array.from(module.toBinary({ write_debug_names: false }).buffer);
  } finally {
    module.destroy();
  }
}

/** Runs a generator: a program whose `makeModule` returns the module. */
export async function generateModule(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const { makeModule }: { makeModule: () => Uint8Array<ArrayBuffer> } = await import(
    new URL(path, HERE).href
  );
  return makeModule();
}

/** The manifest's entry of a built module. */
export async function describeGuest(
  source: GuestSource,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<ManifestEntry> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const exports = inspectModule(bytes).exports.map(({ name, kind, type }): ManifestExport =>
    type === undefined ? { name, kind } : { name, kind, signature: formatFunctionType(type) }
  );
  return { name: source.name, source: source.path, sha256: digest.toHex(), bytes: bytes.length, exports };
}

async function buildGuest(source: GuestSource, folder: string): Promise<ManifestEntry> {
  const sourceFile = new URL(source.path, HERE);
  const target = `${folder}/${source.name}.wasm`;
  switch (source.language) {
    case "wat":
      await Deno.writeFile(target, await assembleWat(source.path, await Deno.readTextFile(sourceFile)));
      break;
    case "c":
      await buildC(source.name, sourceFile.pathname, target);
      break;
    case "generator":
      await Deno.writeFile(target, await generateModule(source.path));
      break;
    case "ts":
      await runCompiler(Deno.execPath(), [
        ...["run", "--allow-all", "--no-lock", `${assemblyScript()}/asc`],
        ...[sourceFile.pathname, "--outFile", target],
        ...(isBench(source.name) ? ASSEMBLY_SCRIPT_FLAGS_BENCH : ASSEMBLY_SCRIPT_FLAGS),
      ]);
      break;
  }
  await Deno.chmod(target, 0o644);
  return describeGuest(source, await Deno.readFile(target));
}

function isBench(name: string): boolean {
  return name.startsWith("bench_");
}

/** Whether it is a library of exports that needs nothing of WASI, rather than a command. */
function isLibrary(name: string): boolean {
  return isBench(name) || name === "gpu_saxpy";
}

/** A header `NAME.ptx.h` in a folder for every one that a source includes. */
async function writePtxHeaders(sourceFile: string, folder: string): Promise<void> {
  const text = await Deno.readTextFile(sourceFile);
  for (const [, name] of text.matchAll(/^#include "(\w+)\.ptx\.h"$/gm)) {
    const ptx = await Deno.readTextFile(new URL(`${name}.ptx`, KERNELS));
    await Deno.writeTextFile(`${folder}/${name}.ptx.h`, ptxHeader(ptx));
  }
}

/** The module of PTX that the AssemblyScript guests import. */
export function assemblyKernels(): string {
  const entries = ASSEMBLY_ENTRIES.flatMap(([file, names]) => {
    const texts = splitPtx(Deno.readTextFileSync(new URL(`${file}.ptx`, KERNELS)));
    return names.map((name) => {
      const text = texts.get(name);
      if (text === undefined) throw new Error(`No entry ${name} in ${file}.ptx`);
      return [name, text] as const;
    });
  });
  return ptxModule(new Map(entries));
}

/** Compiles and links apart: one command for both runs wasm-opt where there is one, and then the bytes differ. */
async function buildC(name: string, sourceFile: string, target: string): Promise<void> {
  const flags = C_FLAGS_BY_NAME.get(name) ?? (isBench(name) ? C_FLAGS_DEFAULT_BENCH : C_FLAGS_DEFAULT);
  const object = `${target}.o`;
  const headers = `${target}.headers`;
  await Deno.mkdir(headers);
  await writePtxHeaders(sourceFile, headers);
  await runCompiler("clang", [
    ...C_TARGET,
    ...C_FLAGS,
    ...flags,
    `-I${headers}`,
    "-c",
    sourceFile,
    "-o",
    object,
  ]);
  const linkFlags = isLibrary(name) ? C_LINK_FLAGS_LIBRARY : C_LINK_FLAGS;
  await runCompiler("clang", [...C_TARGET, ...linkFlags, object, "-o", target]);
  await Deno.remove(object);
  await Deno.remove(headers, { recursive: true });
}

/** The compiler's package and version: the task in deno.json names it, so that nothing else fetches it. */
function assemblyScript(): string {
  const specifier = Deno.env.get("ASSEMBLYSCRIPT");
  if (specifier === undefined) throw new Error("ASSEMBLYSCRIPT is not set; run this by `deno task guests`");
  return specifier;
}

async function runCompiler(program: string, args: string[]): Promise<void> {
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(program, { args, stdout: "inherit", stderr: "inherit" }).output();
  } catch (cause) {
    if (program === "clang" && cause instanceof Deno.errors.NotFound) {
      throw new Error(CLANG_MISSING, { cause });
    }
    throw cause;
  }
  if (!output.success) throw new Error(`Compiler failed with code ${output.code}: ${program}`);
}

async function buildAll(folder: string): Promise<ManifestEntry[]> {
  const sources = listSources();
  const entries: ManifestEntry[] = [];
  for (const [index, source] of sources.entries()) {
    const entry = await buildGuest(source, folder);
    entries.push(entry);
    print(`[${index + 1}/${sources.length}] ${entry.name} ${entry.bytes} bytes`);
  }
  return entries;
}

/** Builds elsewhere and lists every guest whose bytes differ from the manifest, or that only one side has. */
async function findDifferences(): Promise<string[]> {
  const folder = await Deno.makeTempDir();
  try {
    const built = new Map((await buildAll(folder)).map((entry) => [entry.name, entry.sha256]));
    const committed = new Map(readManifest().map((entry) => [entry.name, entry.sha256]));
    const names = [...new Set([...built.keys(), ...committed.keys()])];
    const kernels = await Deno.readTextFile(ASSEMBLY_KERNELS);
    if (kernels !== assemblyKernels()) throw new Error(`${ASSEMBLY_KERNELS.pathname} differs from its PTX`);
    return names.filter((name) => built.get(name) !== committed.get(name));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function rebuild(): Promise<void> {
  const folder = new URL("build/", HERE).pathname;
  await Deno.remove(folder, { recursive: true }).catch(ignoreNotFound);
  await Deno.mkdir(folder);
  await Deno.writeTextFile(ASSEMBLY_KERNELS, assemblyKernels());
  const entries = await buildAll(folder);
  await Deno.writeTextFile(new URL("MANIFEST.json", HERE), JSON.stringify(entries, null, 2) + "\n");
  await Deno.writeFile(IMAGE, makePpm(64, 48));
  const total = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  print(`Built ${entries.length} guests, ${total} bytes`);
}

function ignoreNotFound(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(line + "\n"));
}

async function main(args: readonly string[]): Promise<void> {
  const unknown = args.find((arg) => arg !== "--check");
  if (unknown !== undefined) throw new Error(`Unknown argument "${unknown}"; the only one is --check`);
  if (!args.includes("--check")) return await rebuild();
  const differences = await findDifferences();
  if (differences.length === 0) return print("All guests are as committed");
  throw new Error(`Guests differ from MANIFEST.json: ${differences.join(", ")}`);
}

if (import.meta.main) {
  try {
    await main(Deno.args);
  } catch (error) {
    print(error instanceof Error ? error.message : String(error));
    Deno.exitCode = 1;
  }
}
