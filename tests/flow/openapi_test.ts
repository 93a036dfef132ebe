/**
 * `/openapi.json` and `/docs`: the description and the live router say the same, and the page needs no other host.
 */
import assert from "node:assert/strict";
import { createApp } from "../../runtime/gateway/app.ts";
import type { Dependencies } from "../../runtime/gateway/environment.ts";
import { ErrorBody, FunctionBody, FunctionSummaryBody } from "../../runtime/gateway/schemas.ts";
import { FAULTS } from "../../runtime/model/fault.ts";
import { DEFAULT_LIMITS } from "../../runtime/model/limits.ts";
import { TestGateway } from "../support/gateway.ts";
import { TestTelemetry } from "../support/telemetry.ts";

interface Operation {
  readonly summary?: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, unknown>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>;
}

interface Document {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
}

let gateway: TestGateway;
let document: Document;

Deno.test.beforeAll(async () => {
  gateway = await TestGateway.start({ flags: ["--cells-min", "1", "--cells-max", "1"] });
  document = await (await fetch(`${gateway.url}/openapi.json`)).json();
});
Deno.test.afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
});

function operations(): (readonly [method: string, path: string, operation: Operation])[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [method.toUpperCase(), path, operation] as const)
  );
}

/** The routes of the real router, in the form of the document; what shows the document is left out. */
async function liveRoutes(): Promise<string[]> {
  await using telemetry = new TestTelemetry();
  // The router asks for the other parts only when a request comes.
  const parts = {
    telemetry: telemetry.telemetry,
    limits: DEFAULT_LIMITS,
    version: "0.0.0",
    requireTenant: false,
  };
  const app = createApp(parts as Partial<Dependencies> as Dependencies);
  const routes = app.routes
    .filter(({ method, path }) => method !== "ALL" && !/^\/docs(?:\/|$)|^\/openapi\.json$/.test(path))
    .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`);
  return [...new Set(routes)].sort();
}

Deno.test("the document is OpenAPI 3.1 of this version", () => {
  assert.match(document.openapi, /^3\.1\.\d+$/);
  assert.notEqual(document.info.title, "");
  assert.match(document.info.version, /^\d+\.\d+\.\d+$/);
});

Deno.test("every live route is described, and every described route is live", async () => {
  const described = operations().map(([method, path]) => `${method} ${path}`).sort();
  assert.deepEqual(described, await liveRoutes());
});

Deno.test("every described route answers from outside", async () => {
  for (const [method, path] of operations()) {
    const response = await fetch(gateway.url + path.replace("{id}", "nobody"), { method });
    const text = await response.text();
    assert.ok(!text.includes("No such route"), `${method} ${path}`);
    assert.ok(
      String(response.status) in (document.paths[path]?.[method.toLowerCase()]?.responses ?? {}),
      text,
    );
  }
});

Deno.test("every reference in the document leads somewhere", () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, target = ""]) =>
    target
  );
  assert.ok(references.length > 0);
  for (const target of references) {
    const [, name = ""] = /^#\/components\/schemas\/(\w+)$/.exec(target) ?? [];
    assert.ok(name in document.components.schemas, target);
  }
});

Deno.test("every operation has a summary, its path parameters, and errors in one shape", () => {
  for (const [method, path, operation] of operations()) {
    const what = `${method} ${path}`;
    assert.notEqual(operation.summary ?? "", "", what);
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === "path");
    assert.deepEqual(declared.map(({ name }) => name), inPath, what);
    assert.ok(declared.every(({ required }) => required === true), what);
    for (const [status, response] of Object.entries(operation.responses)) {
      if (Number(status) < 400 || path === "/readyz") continue;
      const schema = JSON.stringify(response.content?.["application/json"] ?? null);
      assert.match(schema, /#\/components\/schemas\/Error"/, `${what} ${status}`);
    }
  }
});

Deno.test("the kinds of errors are those of the table", () => {
  const schema = JSON.stringify(document.components.schemas["Error"]);
  for (const kind of Object.keys(FAULTS)) assert.ok(schema.includes(`"${kind}"`), kind);
});

Deno.test("what routes answer is what the document says, and nothing besides", async () => {
  const { id } = await gateway.deploy("image_filter");
  const read = await (await fetch(`${gateway.url}/functions/${id}`)).json();
  assert.deepEqual(FunctionBody.strict().parse(read), read);
  const list = await (await fetch(`${gateway.url}/functions`)).json();
  assert.deepEqual(Object.keys(list), ["functions"]);
  assert.deepEqual(FunctionSummaryBody.strict().parse(list.functions[0]), list.functions[0]);
  const missing = await (await fetch(`${gateway.url}/functions/nobody`)).json();
  assert.deepEqual(ErrorBody.strict().parse(missing), missing);
});

Deno.test("reading a function shows its imports and exports with signatures, and its memory", async () => {
  const { id, digest } = await gateway.deploy("emit_chunks");
  const { created_unix_ms: createdUnixMs, ...rest } = await (await fetch(`${gateway.url}/functions/${id}`))
    .json();
  assert.ok(Math.abs(createdUnixMs - Date.now()) < 60_000);
  assert.deepEqual(rest, {
    id,
    name: "emit_chunks",
    version: 1,
    digest,
    size: 255,
    imports: [
      { module: "wasi:tensor/host", name: "emit-chunk", kind: "func", signature: "(i32, i32) -> (i32)" },
      { module: "wasi:tensor/host", name: "flush", kind: "func", signature: "() -> (i32)" },
    ],
    exports: [
      { name: "memory", kind: "memory" },
      { name: "run", kind: "func", signature: "() -> (i32)" },
      { name: "emit", kind: "func", signature: "(i32, i32) -> (i32)" },
      { name: "emit_many", kind: "func", signature: "(i32) -> (i32)" },
    ],
    memory: { pages_min: 3 },
  });
});

Deno.test("pages of functions follow each other by their cursor", async () => {
  const headers = { "x-tensorwasm-tenant": "3" };
  const ids: string[] = [];
  for (const guest of ["add", "noop", "fib", "spin", "echo"]) {
    ids.push((await gateway.deploy(guest, undefined, headers)).id);
  }
  const seen: string[] = [];
  let cursor: string | undefined;
  let pagesCount = 0;
  do {
    const query = cursor === undefined ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page = await (await fetch(`${gateway.url}/functions?limit=2${query}`, { headers })).json();
    seen.push(...page.functions.map(({ id }: { id: string }) => id));
    cursor = page.next_cursor;
    pagesCount++;
  } while (cursor !== undefined);
  assert.deepEqual([pagesCount, seen.toSorted()], [3, ids.toSorted()]);
});

Deno.test("a removed function is gone, once", async () => {
  const { id } = await gateway.deploy("noop_memory");
  const remove = async (): Promise<number> => {
    const response = await fetch(`${gateway.url}/functions/${id}`, { method: "DELETE" });
    await response.body?.cancel();
    return response.status;
  };
  assert.deepEqual([await remove(), await remove()], [204, 404]);
  assert.equal((await gateway.invoke(id)).status, 404);
});

// The page.

/** References of a page or style sheet that a browser would load. */
function references(text: string): string[] {
  const pattern = /\b(?:src|href)="([^"]+)"|url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)/g;
  return [...text.matchAll(pattern)].map(([, ...targets]) =>
    targets.find((target) => target !== undefined) ?? ""
  );
}

Deno.test("the page and all that it loads come from here", async () => {
  const page = await fetch(`${gateway.url}/docs`);
  assert.match(page.headers.get("content-type") ?? "", /^text\/html/);
  const html = await page.text();
  const assets = references(html).filter((target) => !target.startsWith("data:"));
  assert.ok(assets.length >= 3);
  for (const asset of assets) {
    assert.match(asset, /^\/docs\//);
    const response = await fetch(gateway.url + asset);
    const text = await response.text();
    const type = asset.endsWith(".css") ? /^text\/css/ : /^text\/javascript/;
    assert.deepEqual(
      [response.status, type.test(response.headers.get("content-type") ?? "")],
      [200, true],
      asset,
    );
    if (!asset.endsWith(".css")) continue;
    for (const target of references(text)) assert.match(target, /^data:/, asset);
  }
  const script = await (await fetch(`${gateway.url}/docs/start.js`)).text();
  assert.doesNotMatch(script, /https?:|\/\//);
  assert.match(script, /validatorUrl: null/);
});

Deno.test("the page's policy names no other host and allows no inline script", async () => {
  const page = await fetch(`${gateway.url}/docs`);
  await page.body?.cancel();
  const policy = page.headers.get("content-security-policy") ?? "";
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /script-src 'self'(;|$)/);
  assert.match(policy, /connect-src 'self'(;|$)/);
  assert.doesNotMatch(policy, /https?:|\*|unsafe-eval/);
});
