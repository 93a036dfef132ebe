/**
 * Trace settings: what the trace store keeps, and what tail sampling holds.
 *
 * Owns the rows of the table of settings that are about traces, and their way into telemetry's configuration.
 * What follows the OpenTelemetry specification is telemetry's own to read. Invariant: every bound of the trace
 * store has a row.
 */
import { DEFAULT_TELEMETRY_CONFIG } from "../telemetry/mod.ts";
import type { TailConfig, TraceStoreConfig } from "../telemetry/mod.ts";
import type { Setting } from "./setting.ts";

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const DAY_MS = 24 * 3_600_000;

const { traces: STORE, tail: TAIL } = DEFAULT_TELEMETRY_CONFIG;

function row(
  key: string,
  kind: Setting["kind"],
  fallback: number,
  [min, max]: readonly [number, number],
  meaning: string,
): Setting {
  const flag = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const env = `TENSOR_WASM_${flag.replaceAll("-", "_").toUpperCase()}`;
  return { key, flag, env, kind, fallback: String(fallback), min, max, meaning };
}

/** The rows. */
export const TRACE_SETTINGS: readonly Setting[] = [
  row(
    "traceStoreBytesMax",
    "bytes",
    STORE.bytesMax,
    [0, 4 * GIB],
    "most bytes of traces kept in memory, and as many in files of the data folder; 0 keeps none",
  ),
  row("traceStoreTracesMax", "count", STORE.tracesMax, [1, 10_000_000], "most traces kept"),
  row("traceStoreAgeMs", "ms", STORE.ageMsMax, [1000, 90 * DAY_MS], "how long a trace is kept"),
  row(
    "traceStoreTraceBytesMax",
    "bytes",
    STORE.bytesPerTraceMax,
    [1024, 64 * MIB],
    "most bytes kept of one trace of one tenant that has several requests or jobs",
  ),
  row(
    "traceStoreSpansMax",
    "count",
    STORE.spansPerTraceMax,
    [16, 100_000],
    "most spans kept of one request and its job",
  ),
  row("traceStoreLinesMax", "count", STORE.linesPerTraceMax, [0, 100_000], "most log lines kept of them"),
  row(
    "traceStoreWriteBytesPerSecondMax",
    "bytes",
    STORE.writeBytesPerSecondMax,
    [0, GIB],
    "most bytes of traces written to disk a second, on average; what is beyond is kept in memory only, and 0 writes nothing",
  ),
  {
    key: "traceTail",
    flag: "trace-tail",
    env: "TENSOR_WASM_TRACE_TAIL",
    kind: "choice",
    fallback: "on",
    choices: ["on", "off"],
    meaning:
      "export traces with errors, timeouts and kills, and the slowest, whatever OTEL_TRACES_SAMPLER says; always_off is followed",
  },
  row(
    "traceTailSlowPercent",
    "count",
    TAIL.slowPercent,
    [0, 50],
    "how many of a hundred requests of one route and function are the slowest",
  ),
  row(
    "traceTailSpansMax",
    "count",
    TAIL.spansMax,
    [1, 10_000_000],
    "most spans held until their trace is decided; the oldest trace gives way and is not exported",
  ),
  row("traceTailBytesMax", "bytes", TAIL.bytesMax, [1024, 16 * GIB], "most bytes of them, about"),
  row("traceTailAgeMs", "ms", TAIL.ageMsMax, [1000, DAY_MS], "how long a trace may stay undecided"),
];

/** What tail sampling is told. */
export function tailConfig(text: (key: string) => string, number: (key: string) => number): TailConfig {
  return {
    isEnabled: text("traceTail") === "on",
    spansMax: number("traceTailSpansMax"),
    bytesMax: number("traceTailBytesMax"),
    ageMsMax: number("traceTailAgeMs"),
    slowPercent: number("traceTailSlowPercent"),
  };
}

/** What the store is told. */
export function traceStoreConfig(number: (key: string) => number): TraceStoreConfig {
  return {
    bytesMax: number("traceStoreBytesMax"),
    tracesMax: number("traceStoreTracesMax"),
    ageMsMax: number("traceStoreAgeMs"),
    bytesPerTraceMax: number("traceStoreTraceBytesMax"),
    spansPerTraceMax: number("traceStoreSpansMax"),
    linesPerTraceMax: number("traceStoreLinesMax"),
    writeBytesPerSecondMax: number("traceStoreWriteBytesPerSecondMax"),
  };
}
