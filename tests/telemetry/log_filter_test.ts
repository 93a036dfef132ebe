import assert from "node:assert/strict";
import { LOG_LEVELS, LogFilterError, type LogLevel, parseLogFilter } from "../../telemetry/mod.ts";

/** The gentlest level that is written for a target, or "off". */
function lowest(filter: string, target: string): LogLevel | "off" {
  const parsed = parseLogFilter(filter);
  return LOG_LEVELS.find((level) => parsed.enabled(target, level)) ?? "off";
}

const TABLE: readonly (readonly [filter: string, target: string, level: LogLevel | "off"])[] = [
  ["info", "any", "info"],
  ["WARN", "any", "warn"],
  ["off", "any", "off"],
  ["trace", "any", "trace"],
  ["tensor_wasm_exec=debug,wasmtime=warn,info", "tensor_wasm_exec", "debug"],
  ["tensor_wasm_exec=debug,wasmtime=warn,info", "wasmtime", "warn"],
  ["tensor_wasm_exec=debug,wasmtime=warn,info", "other", "info"],
  ["info,a=debug", "a::b", "debug"],
  ["info,a=debug", "a.b", "debug"],
  ["info,a=debug", "ab", "info"],
  ["info,a=debug", "a:b", "info"],
  ["info,a=debug", "b::a", "info"],
  ["info,a=debug,a::b=error", "a::b::c", "error"],
  ["info,a::b=error,a=debug", "a::b::c", "error"],
  ["info,a=debug,a=error", "a", "error"],
  ["debug,info", "a", "info"],
  ["a=debug", "b", "off"],
  ["a", "a", "trace"],
  ["a", "b", "off"],
  ["info,a=off", "a", "off"],
  ["tensor_wasm_exec=debug,info", "tensor-wasm-exec", "debug"],
  ["tower-http=off,info", "tower_http", "off"],
  [" info , a = debug ,", "a", "debug"],
];

for (const [filter, target, level] of TABLE) {
  Deno.test(`parseLogFilter() ${JSON.stringify(filter)} writes ${target} from ${level}`, () => {
    assert.equal(lowest(filter, target), level);
  });
}

const BAD: readonly (readonly [filter: string, what: RegExp, caretAt: number])[] = [
  ["info,a=loud", /Unknown level "loud"/, 7],
  ["a=", /Unknown level ""/, 2],
  ["=info", /"" is neither a level nor a target/, 0],
  ["info, b@d", /"b@d" is neither/, 6],
  ["info,a[span{field=1}]=debug", /Span filters are not supported yet/, 6],
  ["[x]=info", /Span filters are not supported yet/, 0],
  ["", /The log filter is empty/, 0],
  [",,", /The log filter is empty/, 0],
];

for (const [filter, what, caretAt] of BAD) {
  Deno.test(`parseLogFilter() refuses ${JSON.stringify(filter)} and shows the place`, () => {
    assert.throws(() => parseLogFilter(filter), (error) => {
      assert.ok(error instanceof LogFilterError);
      const [first, shown, caret] = error.message.split("\n");
      assert.match(first ?? "", what);
      assert.equal(shown, `  ${filter}`);
      assert.equal(caret, `  ${" ".repeat(caretAt)}^`);
      return true;
    });
  });
}

Deno.test("parseLogFilter() shows a filter with control characters without them", () => {
  assert.throws(() => parseLogFilter("a\u001b[31m"), (error) => !(error as Error).message.includes("\u001b"));
});
