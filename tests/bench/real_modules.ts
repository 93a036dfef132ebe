/**
 * Real modules in the bench of instrumentation: what npm packages ship, used by the packages' own code.
 *
 * Owns the work that is timed and the patch of the WebAssembly namespace by which a package gets its module
 * instrumented. A package is fetched on first use, by the row's process, and is no dependency of anything else.
 * Invariant: the namespace is restored when loading ends; what was loaded stays as it was loaded.
 */
import { createRequire } from "node:module";

/** How a package's module is compiled and what is done with its instance before the package sees it. */
export interface Preparation {
  readonly rewrite: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;
  readonly start: (instance: WebAssembly.Instance) => void;
}

/** Does some amount of work and returns a checksum. */
export type Work = (amount: number) => unknown;

const LOADERS: ReadonlyMap<string, () => Promise<Work>> = new Map([
  ["sqlite", loadSqlite],
  ["quickjs", loadQuickJs],
  ["dprint", loadDprint],
]);

/** Loads a package with its module prepared. */
export async function loadReal(name: string, preparation: Preparation): Promise<Work> {
  const load = LOADERS.get(name);
  if (load === undefined) throw new Error(`No real module "${name}"`);
  const { Module, Instance, instantiate } = WebAssembly;
  const prepare = (module: WebAssembly.Module, imports?: WebAssembly.Imports): WebAssembly.Instance => {
    const instance = new Instance(module, imports);
    preparation.start(instance);
    return instance;
  };
  const compile = (source: BufferSource): WebAssembly.Module =>
    new Module(preparation.rewrite(toBytes(source)));
  Object.assign(WebAssembly, {
    Module: new Proxy(Module, { construct: (_target, [source]) => compile(source) }),
    Instance: new Proxy(Instance, { construct: (_target, [module, imports]) => prepare(module, imports) }),
    instantiate: async (source: BufferSource | WebAssembly.Module, imports?: WebAssembly.Imports) => {
      await Promise.resolve();
      if (source instanceof Module) return prepare(source, imports);
      const module = compile(source);
      return { module, instance: prepare(module, imports) };
    },
  });
  try {
    return await load();
  } finally {
    Object.assign(WebAssembly, { Module, Instance, instantiate });
  }
}

function toBytes(source: BufferSource): Uint8Array<ArrayBuffer> {
  return source instanceof ArrayBuffer
    ? new Uint8Array(source)
    : new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
}

/** The specifier is not a literal, so that nobody fetches the package to check types. */
// deno-lint-ignore no-explicit-any -- packages of which only a few names are used
async function importPackage(specifier: string): Promise<any> {
  return await import(specifier);
}

const SQL = `
  drop table if exists people;
  create table people (id integer primary key, name text, score real);
  with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < :amount * 50)
    insert into people select n, 'name' || (n * 7919 % 1000), n * 0.5 from numbers;
  create index by_name on people (name);
  select sum(length(name)) + count(*) + sum(total) from people
    join (select name as other, sum(score) as total from people group by name order by name) on other = name`;

/** SQLite by emscripten: inserts, an index, a join over a group. */
async function loadSqlite(): Promise<Work> {
  await importPackage("npm:sql.js@1.16.0");
  // The package keeps its first instance; another one takes another evaluation.
  const require = createRequire(import.meta.url);
  const path = Object.keys(require.cache).find((file) => file.endsWith("sql-wasm.js")) ?? "";
  delete require.cache[path];
  const { Database } = await require(path)();
  const database = new Database();
  return (amount) => {
    let sum: unknown;
    for (const statement of database.iterateStatements(SQL.replace(":amount", String(amount)))) {
      if (statement.step()) [sum] = statement.get();
    }
    return sum;
  };
}

const SCRIPT = `(amount) => {
  const counts = {};
  let sum = 0;
  for (let i = 0; i < amount * 100; i++) {
    const key = "key" + (i % 97);
    counts[key] = (counts[key] || 0) + i;
    sum = (sum * 31 + counts[key].toString().length + [i, i + 1].map((n) => n * 2)[1]) | 0;
  }
  return sum;
}`;

/** QuickJS by emscripten: an interpreter of JavaScript with objects, strings and closures. */
async function loadQuickJs(): Promise<Work> {
  const { newQuickJSWASMModuleFromVariant } = await importPackage("npm:quickjs-emscripten-core@0.32.0");
  const variant = await importPackage("npm:@jitl/quickjs-wasmfile-release-sync@0.32.0");
  const context = (await newQuickJSWASMModuleFromVariant(variant.default)).newContext();
  const script = context.unwrapResult(context.evalCode(SCRIPT));
  return (amount) => {
    const result = context.unwrapResult(
      context.callFunction(script, context.undefined, context.newNumber(amount)),
    );
    const sum = context.getNumber(result);
    result.dispose();
    return sum;
  };
}

/** A formatter of JSON by Rust. */
async function loadDprint(): Promise<Work> {
  const { createFromBuffer } = await importPackage("npm:@dprint/formatter@0.6.0");
  const { getPath } = await importPackage("npm:@dprint/json@0.24.0");
  const formatter = createFromBuffer(await Deno.readFile(getPath()));
  const records = Array.from(
    { length: 40 },
    (_, id) => ({ id, tags: ["a", "b", id], place: { x: null, y: true } }),
  );
  const text = JSON.stringify(records);
  return (amount) => {
    let characters = 0;
    for (let at = 0; at < amount; at++) {
      characters += formatter.formatText({ filePath: `${at}.json`, fileText: text }).length;
    }
    return characters;
  };
}
