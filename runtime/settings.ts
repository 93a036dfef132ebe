/**
 * Settings: the table of everything that the runtime can be told, but for telemetry.
 *
 * Owns names, kinds, defaults, ranges and meanings. Flags, environment names, `--help` and
 * docs/configuration.md are made from it; config.ts reads values by it. Invariant: every limit of
 * model/limits.ts has a row here (a test compares).
 */
import { DEFAULT_LIMITS } from "./model/limits.ts";
import type { Limits } from "./model/limits.ts";
import { TENANT_LIMIT_KEYS } from "./model/tenant_limits.ts";

type Kind = "text" | "flag" | "json" | "count" | "bytes" | "ms" | "choice";

/** One setting: how it is named everywhere, what it means, its default and range. */
export interface Setting {
  readonly key: string;
  readonly flag: string;
  readonly env: string;
  readonly kind: Kind;
  readonly fallback: string;
  /** A word that is taken in place of a number. */
  readonly word?: string;
  /** The words of a choice. */
  readonly choices?: readonly string[];
  readonly min?: number;
  readonly max?: number;
  readonly meaning: string;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
const FRAME_BLOB_BYTES_MAX = 128 * MIB;

/** The engine bounds the stacks of guests by that of the main thread, of which Linux gives 8 MiB by default. */
const STACK_BYTES_MAX = 4 * MIB;

/** The word for "as many as the machine has cores". */
export const AUTO = "auto";

/** Most cells that can be asked for. */
export const CELLS_MAX = 256;

function limit(key: keyof Limits, kind: Kind, min: number, max: number, meaning: string): Setting {
  const words = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return {
    key,
    flag: words,
    env: `TENSOR_WASM_${words.replaceAll("-", "_").toUpperCase()}`,
    kind,
    fallback: String(DEFAULT_LIMITS[key]),
    min,
    max,
    meaning,
  };
}

/** Every setting of the runtime itself. Those of telemetry are read by telemetry/ (docs/observability.md). */
export const SETTINGS: readonly Setting[] = [
  {
    key: "addr",
    flag: "addr",
    env: "TENSOR_WASM_ADDR",
    kind: "text",
    fallback: "127.0.0.1:8080",
    meaning: "host:port to listen on; port 0 picks a free one",
  },
  {
    key: "data",
    flag: "data",
    env: "TENSOR_WASM_DATA",
    kind: "text",
    fallback: "./.tensor-wasm",
    meaning: "folder of the embedded store",
  },
  {
    key: "logFile",
    flag: "log-file",
    env: "TENSOR_WASM_LOG_FILE",
    kind: "text",
    fallback: "",
    meaning: "file that log lines are appended to, opened anew on SIGHUP; empty is stdout",
  },
  {
    key: "allowPlaintextPublic",
    flag: "allow-plaintext-public",
    env: "TENSOR_WASM_ALLOW_PLAINTEXT_PUBLIC",
    kind: "flag",
    fallback: "false",
    meaning: "first half of the consent to listen beyond loopback without tokens",
  },
  {
    key: "allowDevMode",
    flag: "allow-dev-mode",
    env: "TENSOR_WASM_API_ALLOW_DEV_MODE",
    kind: "flag",
    fallback: "false",
    meaning: "second half of that consent",
  },
  {
    key: "requireTenant",
    flag: "require-tenant",
    env: "TENSOR_WASM_API_REQUIRE_TENANT",
    kind: "flag",
    fallback: "false",
    meaning: "refuse requests without X-TensorWasm-Tenant",
  },
  {
    key: "cellsMin",
    flag: "cells-min",
    env: "TENSOR_WASM_CELLS_MIN",
    kind: "count",
    fallback: "2",
    min: 1,
    max: CELLS_MAX,
    meaning: "cells kept warm",
  },
  {
    key: "cellsMax",
    flag: "cells-max",
    env: "TENSOR_WASM_CELLS_MAX",
    kind: "count",
    fallback: AUTO,
    word: AUTO,
    min: 1,
    max: CELLS_MAX,
    meaning:
      "most cells, started while calls wait; auto is one for each core, and never fewer than the minimum",
  },
  {
    key: "callsPerCellMax",
    flag: "calls-per-cell-max",
    env: "TENSOR_WASM_CALLS_PER_CELL_MAX",
    kind: "count",
    fallback: "64",
    min: 1,
    max: 1024,
    meaning: "most calls that run in one cell at a time, taking turns",
  },
  {
    key: "moduleCacheBytesMax",
    flag: "module-cache-bytes-max",
    env: "TENSOR_WASM_MODULE_CACHE_BYTES_MAX",
    kind: "bytes",
    fallback: String(256 * MIB),
    min: 0,
    max: 16 * GIB,
    meaning: "module bytes kept in memory by the gateway, and by each cell in compiled form",
  },
  {
    key: "gpu",
    flag: "gpu",
    env: "TENSOR_WASM_GPU",
    kind: "choice",
    fallback: AUTO,
    choices: [AUTO, "cpu", "cuda", "off"],
    meaning:
      "device behind wasi:cuda/host: cpu compiles PTX to WebAssembly, off answers -1 (not available) to all of it; auto is the best that the host offers",
  },
  {
    key: "gpuThreads",
    flag: "gpu-threads",
    env: "TENSOR_WASM_GPU_THREADS",
    kind: "count",
    fallback: "1",
    min: 1,
    max: 64,
    meaning: "threads of a cell that a kernel may use on the cpu device",
  },
  {
    key: "drainDelayMs",
    flag: "drain-delay-ms",
    env: "TENSOR_WASM_DRAIN_DELAY_MS",
    kind: "ms",
    fallback: "0",
    min: 0,
    max: HOUR_MS,
    meaning: "on SIGTERM: how long calls are still taken after readiness has flipped",
  },
  {
    key: "drainTimeoutMs",
    flag: "drain-timeout-ms",
    env: "TENSOR_WASM_DRAIN_TIMEOUT_MS",
    kind: "ms",
    fallback: "30000",
    min: 0,
    max: HOUR_MS,
    meaning: "on SIGTERM: how long calls in flight may take to finish",
  },
  {
    key: "metricTenantsMax",
    flag: "metric-tenants-max",
    env: "TENSOR_WASM_METRIC_TENANTS_MAX",
    kind: "count",
    fallback: "1000",
    min: 0,
    max: 100_000,
    meaning: "most tenants with metrics of their own; the others share the label other",
  },
  {
    key: "metricTenantIdleMs",
    flag: "metric-tenant-idle-ms",
    env: "TENSOR_WASM_METRIC_TENANT_IDLE_MS",
    kind: "ms",
    fallback: String(HOUR_MS),
    min: 1000,
    max: 24 * HOUR_MS,
    meaning: "how long a tenant may be idle before its metrics end",
  },
  limit("deadlineMs", "ms", 1, HOUR_MS, "default and largest deadline of a request, queueing included"),
  limit(
    "fuelMax",
    "count",
    0,
    Number.MAX_SAFE_INTEGER,
    "most fuel of one call, about one unit an instruction executed; 0 is no limit",
  ),
  limit("timeSliceMs", "ms", 1, 100, "how long a guest runs before others of its cell have their turn"),
  limit("pingTimeoutMs", "ms", 100, 60_000, "a cell that does not answer for so long is killed and replaced"),
  limit("bodyBytesMax", "bytes", 1, FRAME_BLOB_BYTES_MAX, "largest request body"),
  limit(
    "bodiesBytesMax",
    "bytes",
    1,
    64 * GIB,
    "most bytes of request bodies held at a time, over all requests",
  ),
  limit(
    "jsonBodyBytesMax",
    "bytes",
    2,
    16 * MIB,
    "largest JSON body of an invocation, and most output in a JSON answer; raw ones may be larger",
  ),
  limit("moduleBytesMax", "bytes", 8, FRAME_BLOB_BYTES_MAX, "largest module"),
  limit(
    "factsBytesMax",
    "bytes",
    1024,
    16 * MIB,
    "most bytes of a module's imports and exports as stored",
  ),
  limit("memoryBytesMax", "bytes", 65_536, 4 * GIB, "largest linear memory of a guest"),
  limit("tableElementsMax", "count", 0, 10_000_000, "largest table of a guest"),
  limit("stackBytesMax", "bytes", 65_536, STACK_BYTES_MAX, "stack of a guest"),
  limit(
    "heapBytesMax",
    "bytes",
    64 * MIB,
    8 * GIB,
    "JavaScript heap of a cell, where the WebAssembly GC objects of its guests live",
  ),
  limit(
    "cellMemoryBytesMax",
    "bytes",
    128 * MIB,
    64 * GIB,
    "resident memory over which a cell is drained and replaced; at 1.5 times it is killed",
  ),
  limit("outputBytesMax", "bytes", 0, FRAME_BLOB_BYTES_MAX, "most output of one call"),
  limit("fileBytesMax", "bytes", 0, GIB, "most bytes in the in-memory files of one call"),
  limit("chunkBytesMax", "bytes", 1, FRAME_BLOB_BYTES_MAX, "largest emit-chunk"),
  limit("streamBytesMax", "bytes", 0, 1024 * GIB, "most bytes of one stream"),
  limit("streamChunksMax", "count", 0, Number.MAX_SAFE_INTEGER, "most chunks of one stream"),
  limit(
    "streamWindowBytes",
    "bytes",
    1,
    GIB,
    "what the gateway holds of one stream whose client does not read; at least twice the largest chunk",
  ),
  limit("streamsMax", "count", 0, 65_536, "most streams at a time, of all tenants together"),
  limit(
    "streamDrainMs",
    "ms",
    1,
    HOUR_MS,
    "how long a client may take to read the rest of a stream whose guest has ended",
  ),
  limit("queueDepthMax", "count", 0, 1_000_000, "most calls that wait for a cell, of all tenants together"),
  limit(
    "concurrentCallsMax",
    "count",
    1,
    1_000_000,
    "most calls of one tenant that run at a time; more wait",
  ),
  limit("queuedCallsMax", "count", 0, 1_000_000, "most calls of one tenant that wait"),
  {
    key: "tenants",
    flag: "tenants",
    env: "TENSOR_WASM_TENANT_LIMITS",
    kind: "json",
    fallback: "{}",
    meaning: `limits of single tenants, as in {"42":{"fuelMax":1000000}}: ${TENANT_LIMIT_KEYS.join(", ")}`,
  },
  limit(
    "gpuMemoryBytesMax",
    "bytes",
    0,
    16 * GIB,
    "device memory of one call, buffers and windows together",
  ),
  limit("gpuAllocationBytesMax", "bytes", 0, 16 * GIB, "largest device buffer of a guest"),
  limit("gpuAllocationsMax", "count", 0, 1_000_000, "device allocations of one call that live at a time"),
  limit("gpuKernelsMax", "count", 0, 65_536, "kernels that one call has loaded"),
  limit("gpuStreamsMax", "count", 0, 65_536, "streams and events of one call, together"),
  limit("ptxBytesMax", "bytes", 0, 64 * MIB, "largest PTX of one load"),
  limit("ptxTotalBytesMax", "bytes", 0, 16 * GIB, "PTX that one call has loaded, all modules together"),
  limit("gpuEntryNameBytesMax", "bytes", 1, 4096, "longest name of a kernel's entry"),
  limit("gpuArgsCountMax", "count", 0, 4096, "most arguments of one launch"),
  limit("gpuArgsBytesMax", "bytes", 0, 65_536, "most bytes of the argument records of one launch"),
  limit("gpuErrorBytesMax", "bytes", 16, 65_536, "longest text of a guest's last GPU error; the rest is cut"),
  limit("jobsQueuedMax", "count", 0, 1_000_000, "most jobs that wait, of all tenants together"),
  limit("jobsQueuedPerTenantMax", "count", 0, 1_000_000, "most jobs of one tenant that wait"),
  limit(
    "jobsRunningMax",
    "count",
    1,
    16_384,
    "most jobs that run at a time, of all tenants together; the other slots are for those who wait for an answer",
  ),
  limit("jobsRunningPerTenantMax", "count", 1, 16_384, "most jobs of one tenant that run at a time"),
  limit(
    "jobInputsBytesMax",
    "bytes",
    0,
    64 * GIB,
    "most bytes of the inputs of jobs that have not ended, of all tenants together",
  ),
  limit(
    "jobInputsPerTenantBytesMax",
    "bytes",
    0,
    64 * GIB,
    "most bytes of the inputs of one tenant's jobs that have not ended",
  ),
  limit(
    "jobDeadlineMsMax",
    "ms",
    1,
    DAY_MS,
    "largest deadline of a job, counted from the start of its run; the default is the tenant's deadlineMs",
  ),
  limit("jobQueueMsMax", "ms", 1, 30 * DAY_MS, "how long a job may wait for its turn"),
  limit("jobAttemptsMax", "count", 1, 100, "most runs of an idempotent job that restarts interrupt"),
  limit("jobsKeptMax", "count", 0, 10_000_000, "most finished jobs that are kept"),
  limit("jobKeptMsMax", "ms", 0, 365 * DAY_MS, "how long a finished job is kept"),
  limit("jobsKeptBytesMax", "bytes", 0, 1024 * GIB, "most bytes of finished jobs that are kept"),
  limit("jobWaitMsMax", "ms", 0, HOUR_MS, "longest ?wait= for a job"),
  limit(
    "jobWatchersMax",
    "count",
    0,
    1_000_000,
    "most requests that wait for or follow jobs at a time, of all tenants together",
  ),
  limit("jobWatchersPerTenantMax", "count", 0, 1_000_000, "most such requests of one tenant"),
  limit("argsCountMax", "count", 0, 1000, "most arguments of one call"),
  limit("nameBytesMax", "bytes", 1, 1024, "longest function name"),
  limit("functionsPerTenantMax", "count", 1, 1_000_000, "most functions of one tenant"),
  limit("guestLogLinesMax", "count", 0, 100_000, "most log lines of one call"),
  limit(
    "guestLogLinesPerSecondMax",
    "count",
    1,
    1_000_000,
    "most log lines a second of one function of one tenant, over all its calls",
  ),
  limit("guestLogLinesBurstMax", "count", 1, 1_000_000, "most of those lines at once, after a quiet while"),
  limit("guestLogLineBytesMax", "bytes", 16, 8192, "longest log line of a guest"),
];
