/** Lists of traces as tables, wide and narrow. */
import assert from "node:assert/strict";
import type { TraceRow } from "../../../runtime/cli/trace_body.ts";
import { viewTraces } from "../../../runtime/cli/trace_table.ts";
import { assertGolden } from "../../support/golden.ts";

const RUNNING: TraceRow = {
  trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
  root: "async_invoke.job",
  status: "error",
  error: false,
  complete: false,
  tenant: "7",
  function: "resize",
  start_unix_ms: Date.UTC(2026, 0, 2, 3, 4, 5),
  duration_ms: 12_345,
  span_count: 4,
  log_count: 4,
};
const FAILED: TraceRow = {
  ...RUNNING,
  root: "http.request",
  route: "/functions/:id/invoke",
  method: "POST",
  http_status: 500,
  error: true,
  complete: true,
  duration_ms: 200,
};
const ROWS = [FAILED, RUNNING];

Deno.test("viewTraces() is a table, running ones named so", async () => {
  const text = viewTraces(ROWS, { hasColour: false });
  await assertGolden("cli/traces.txt", text);
  const columns = Math.max(...text.split("\n").map((line) => line.length));
  assert.equal(viewTraces(ROWS, { hasColour: false, columns }), text);
});

Deno.test("viewTraces() has two lines for a trace where one is too long for the terminal", async () => {
  const text = viewTraces(ROWS, { hasColour: false, columns: 80 });
  await assertGolden("cli/traces_80.txt", text);
  for (const line of text.split("\n")) assert.ok(line.length <= 80, line);
});

Deno.test("viewTraces() in colour says the same", () => {
  for (const columns of [80, 200]) {
    const coloured = viewTraces(ROWS, { hasColour: true, columns });
    assert.ok(coloured.includes("\x1b[31m"));
    // deno-lint-ignore no-control-regex -- colours are what is taken away
    assert.equal(coloured.replace(/\x1b\[[0-9]+m/g, ""), viewTraces(ROWS, { hasColour: false, columns }));
  }
});

Deno.test("viewTraces() lets nothing of a caller act on the terminal", () => {
  const hostile = "\x1b[2J\u009b31m\r\nx";
  for (const columns of [80, 1000]) {
    const row = {
      ...FAILED,
      trace_id: hostile,
      status: hostile,
      tenant: hostile,
      function: hostile,
      route: hostile,
    };
    // deno-lint-ignore no-control-regex -- these are what must not be there
    assert.doesNotMatch(viewTraces([row], { hasColour: false, columns }), /[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
  }
});
