import assert from "node:assert/strict";
import { resolveExport } from "../../../runtime/gateway/resolve_export.ts";
import type { ModuleFacts } from "../../../runtime/model/module_facts.ts";
import type { FunctionType } from "../../../runtime/model/value_type.ts";

const NONE: FunctionType = { params: [], results: [] };

function facts(exports: Record<string, FunctionType | "memory">): ModuleFacts {
  return {
    imports: [],
    memories: [],
    tables: [],
    hasStart: false,
    exports: Object.entries(exports).map(([name, type]) =>
      type === "memory" ? { name, kind: "memory" as const } : { name, kind: "func" as const, type }
    ),
  };
}

Deno.test("resolveExport() prefers _start, then main", () => {
  assert.equal(resolveExport(facts({ main: NONE, _start: NONE }), undefined).name, "_start");
  assert.equal(resolveExport(facts({ main: NONE }), undefined).name, "main");
});

Deno.test("resolveExport() takes an explicit name with no fallback", () => {
  assert.equal(resolveExport(facts({ main: NONE, run: NONE }), "run").name, "run");
  assert.throws(() => resolveExport(facts({ main: NONE }), "run"), {
    code: "missing_export",
    message: 'Module exports no function "run"; it exports "main"',
  });
});

Deno.test("resolveExport() does not take an export that is no function", () => {
  assert.throws(() => resolveExport(facts({ memory: "memory" }), "memory"), {
    code: "missing_export",
    message: 'Module exports no function "memory"; it exports none',
  });
});

Deno.test("resolveExport() says the hint in addition", () => {
  assert.throws(() => resolveExport(facts({ run: NONE }), undefined, ". And so"), {
    message: /"run"\. And so$/,
  });
});

Deno.test("resolveExport() lists at most ten exports", () => {
  const many = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`f${index}`, NONE]));
  assert.throws(() => resolveExport(facts(many), undefined), { message: /"f9", and 2 more$/ });
});

for (const result of ["v128", "ref"] as const) {
  Deno.test(`resolveExport() refuses an export that returns ${result}`, () => {
    assert.throws(() => resolveExport(facts({ run: { params: [], results: [result] } }), "run"), {
      code: "unsupported_return_type",
      message: `Export "run" () -> (${result}) returns what JSON cannot carry`,
    });
  });
}
