/**
 * What gpu/cuda says of the driver's interface, compared with cuda.h by a C compiler.
 *
 * Owns a small C program made from the tables: it prints every constant and size by name, redeclares every
 * prototype of symbols.ts, so that one that differs does not compile, and names each function as the header does.
 * Skipped, with the reason printed, where there is no cuda.h or no gcc. Invariant: no value is written down twice.
 */
import assert from "node:assert/strict";
import * as constants from "../../../gpu/cuda/constants.ts";
import { CUDA_SYMBOLS } from "../../../gpu/cuda/symbols.ts";
import { CUDA_STATUS } from "../../../gpu/gpu_error.ts";

const INCLUDE = "/usr/local/cuda/include";

const { TYPE_BYTES, ...groups } = constants;
const values: Record<string, number> = Object.assign({ ...CUDA_STATUS }, ...Object.values(groups));

function whyNot(): string | undefined {
  try {
    Deno.statSync(`${INCLUDE}/cuda.h`);
    new Deno.Command("gcc", { args: ["--version"], stdout: "null" }).outputSync();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Compiles a text, and runs it if it is a program. @returns what it printed, or what the compiler said */
async function compile(source: string, isProgram: boolean, flags: readonly string[] = []): Promise<string> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/a.c`, source);
    const kind = isProgram ? [] : ["-c"];
    const args = [...kind, "-std=gnu11", `-I${INCLUDE}`, ...flags, "-o", `${folder}/a`, `${folder}/a.c`];
    const built = await new Deno.Command("gcc", { args }).output();
    if (!built.success || !isProgram) return new TextDecoder().decode(built.stderr);
    return new TextDecoder().decode((await new Deno.Command(`${folder}/a`).output()).stdout);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

interface Prototype {
  readonly name: string;
  readonly text: string;
  readonly parameters: readonly string[];
}

/** The prototypes of symbols.ts, by the key of the row below them. */
function prototypes(): Map<string, Prototype> {
  const text = Deno.readTextFileSync(new URL("../../../gpu/cuda/symbols.ts", import.meta.url));
  const found = new Map<string, Prototype>();
  for (const match of text.matchAll(/\/\/ ((?:CUresult |void \*)(\w+)\((.*)\))\n\s+(\w+): \{/g)) {
    const [, text = "", name = "", list = "", key = ""] = match;
    found.set(key, { name, text, parameters: list === "void" ? [] : list.split(/,\s*/) });
  }
  return found;
}

/** The FFI types that a parameter of C may have. */
function ffiTypesOf(parameter: string): readonly string[] {
  if (parameter.includes("*")) return ["buffer", "u64"];
  const type = parameter.replace(/\s*\w+$/, "");
  if (type === "CUdeviceptr" || /^CU(context|stream|event|module|function|memoryPool)$/.test(type)) {
    return ["u64"];
  }
  if (type === "size_t") return ["usize"];
  if (type === "unsigned int") return ["u32"];
  if (type === "unsigned char") return ["u8"];
  if (type === "int" || /^CU\w+$/.test(type)) return ["i32"];
  return [];
}

const reason = whyNot();
const skipped = reason === undefined ? "" : ` (skipped: ${reason})`;
const test = (name: string, fn: () => Promise<void>): void =>
  Deno.test({ name: name + skipped, ignore: reason !== undefined, fn });

test("header: every constant has the value that cuda.h gives it", async () => {
  const lines = Object.keys(values).map((name) => `  printf("${name} %lld\\n", (long long)${name});`);
  const printed = await compile(
    `#include <cuda.h>\n#include <stdio.h>\nint main(void) {\n${lines.join("\n")}\n}\n`,
    true,
  );
  const wanted = Object.entries(values).map(([name, value]) => `${name} ${value}\n`).join("");
  assert.equal(printed, wanted);
});

test("header: every CUresult of cuda.h is known by its name", () => {
  const text = Deno.readTextFileSync(`${INCLUDE}/cuda.h`);
  const [, body = ""] = /typedef enum cudaError_enum \{([\s\S]*?)\} CUresult/.exec(text) ?? [];
  const names = [...body.matchAll(/^\s+(CUDA_ERROR_\w+)\s*=/gm)].map(([, name]) => name);
  assert.ok(names.length > 80);
  assert.deepEqual(names, Object.keys(CUDA_STATUS));
  return Promise.resolve();
});

test("header: every type has the size that is passed for it", async () => {
  const lines = Object.keys(TYPE_BYTES).map((name) => `  printf("${name} %zu\\n", sizeof(${name}));`);
  const printed = await compile(
    `#include <cuda.h>\n#include <stdio.h>\nint main(void) {\n${lines.join("\n")}\n}\n`,
    true,
  );
  assert.equal(printed, Object.entries(TYPE_BYTES).map(([name, bytes]) => `${name} ${bytes}\n`).join(""));
});

test("header: every function has the prototype that is written above its row", async () => {
  const known = prototypes();
  assert.deepEqual([...known.keys()], Object.keys(CUDA_SYMBOLS));
  // What older headers declare is declared by cuda.h of 13.0 for the driver's own use alone; it is in the ABI.
  const declarations = [...known.values()].map(({ text }) => `extern ${text};`);
  const source = `#include <string.h>\n#include <cuda.h>\n${declarations.join("\n")}\n`;
  assert.equal(await compile(source, false, ["-Wall"]), "");
});

test("header: every row passes what its prototype takes, under the name that the library exports", async () => {
  const known = prototypes();
  for (const [key, row] of Object.entries(CUDA_SYMBOLS)) {
    const { name, parameters } = known.get(key) ?? { name: "", parameters: [] };
    assert.equal(row.parameters.length, parameters.length, key);
    for (const [index, parameter] of parameters.entries()) {
      const type: string | undefined = row.parameters[index];
      assert.ok(
        type !== undefined && ffiTypesOf(parameter).includes(type),
        `${key}: ${parameter} as ${type}`,
      );
    }
    assert.ok(("name" in row ? row.name : key).startsWith(name.replace(/_v\d$/, "")), key);
  }
  const names = Object.entries(CUDA_SYMBOLS).flatMap(([key, row]) => {
    const { name = "" } = known.get(key) ?? {};
    // Two whose newest version takes something else: the one that every driver has is called.
    return ["cuCtxCreate", "cuEventElapsedTime"].includes(key) || !name.startsWith("cu")
      ? []
      : [[name, "name" in row ? row.name : key]];
  });
  const lines = names.map(([name]) => `  puts(TEXT(${name}));`);
  const source =
    "#include <cuda.h>\n#include <stdio.h>\n#define TEXT_(name) #name\n#define TEXT(name) TEXT_(name)\n" +
    `int main(void) {\n${lines.join("\n")}\n}\n`;
  assert.deepEqual((await compile(source, true)).trim().split("\n"), names.map(([, exported]) => exported));
});

test("header: the fake driver has the prototypes of cuda.h", async () => {
  const source = await Deno.readTextFile(new URL("fake_cuda.c", import.meta.url));
  assert.equal(await compile(source, false, ["-DUSE_CUDA_H", "-Wall", "-fPIC"]), "");
});
