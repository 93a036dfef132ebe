import assert from "node:assert/strict";
import { type Environment, TelemetryConfigError, withFileSection } from "../../../telemetry/mod.ts";

const TAKEN: readonly (readonly [section: unknown, env: Environment, result: Environment])[] = [
  [undefined, { A: "1" }, { A: "1" }],
  [{}, { A: "1" }, { A: "1" }],
  [{ tracing: { enabled: false, exporter: "stdout" } }, {}, {
    TENSOR_WASM_TRACING: "false",
    TENSOR_WASM_TRACE_EXPORTER: "stdout",
  }],
  [{ log: { filter: "debug" } }, { TENSOR_WASM_LOG: "warn" }, { TENSOR_WASM_LOG: "warn" }],
  [{ log: { filter: "debug" } }, { TENSOR_WASM_LOG: " " }, { TENSOR_WASM_LOG: "debug" }],
  [{ "log.filter": "debug" }, {}, { TENSOR_WASM_LOG: "debug" }],
  [{ otlp: { endpoint: "http://f", headersFile: "/h" } }, { OTEL_EXPORTER_OTLP_ENDPOINT: "http://e" }, {
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://e",
    TENSOR_WASM_OTLP_HEADERS_FILE: "/h",
  }],
  // The same thing by another name.
  [{ tracing: { exporter: "otlp" } }, { OTEL_TRACES_EXPORTER: "none" }, { OTEL_TRACES_EXPORTER: "none" }],
  [{ variables: { OTEL_BSP_SCHEDULE_DELAY: 500 } }, {}, { OTEL_BSP_SCHEDULE_DELAY: "500" }],
  [{ variables: { OTEL_EXPORTER_OTLP_LOGS_TIMEOUT: "5" } }, {}, { OTEL_EXPORTER_OTLP_LOGS_TIMEOUT: "5" }],
];

for (const [section, env, result] of TAKEN) {
  Deno.test(`withFileSection(${JSON.stringify(env)}, ${JSON.stringify(section)})`, () => {
    assert.deepEqual(withFileSection(env, section), result);
  });
}

const REFUSED: readonly (readonly [section: unknown, message: RegExp])[] = [
  ["otlp", /^telemetry is not an object$/],
  [[], /^telemetry is not an object$/],
  [{ tracing: { on: true } }, /^Unknown telemetry\.tracing\.on, expected one of log\.filter, /],
  [{ tracing: true }, /^Unknown telemetry\.tracing, /],
  [{ log: { filter: ["info"] } }, /^telemetry\.log\.filter is not a text, a number or a boolean$/],
  [{ variables: [] }, /^telemetry\.variables is not an object$/],
  [{ variables: { OTEL_NONSENSE: "1" } }, /^Unknown telemetry\.variables\.OTEL_NONSENSE$/],
  [{ variables: { PATH: "1" } }, /^Unknown telemetry\.variables\.PATH$/],
  [{ variables: { OTEL_SERVICE_NAME: null } }, /^telemetry\.variables\.OTEL_SERVICE_NAME is not a text/],
];

for (const [section, message] of REFUSED) {
  Deno.test(`withFileSection() refuses ${JSON.stringify(section)}`, () => {
    assert.throws(() => withFileSection({}, section), (error) => {
      assert.ok(error instanceof TelemetryConfigError);
      assert.match(error.message, message);
      return true;
    });
  });
}
