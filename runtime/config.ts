/**
 * Configuration: one frozen tree from defaults, file, environment and flags, each winning over the former.
 *
 * The only reader of the environment and of the configuration file; settings.ts has the table of what there
 * is to set. Invariant: an unknown key or flag or an ill-formed value stops the start with a message that
 * names it, an unknown variable of ours is warned of; nothing is silently ignored.
 */
import { telemetryConfigFromEnv, variableNames, withFileSection } from "../telemetry/mod.ts";
import type { TelemetryConfig } from "../telemetry/mod.ts";
import type { GpuChoice } from "./model/gpu.ts";
import { DEFAULT_LIMITS } from "./model/limits.ts";
import type { Limits } from "./model/limits.ts";
import { makeLimitsOf } from "./model/tenant_limits.ts";
import type { LimitsOf } from "./model/tenant_limits.ts";
import { checkValue, ConfigError, nearest } from "./setting_value.ts";
import { AUTO, CELLS_MAX, SETTINGS } from "./settings.ts";
import type { Setting } from "./settings.ts";
import { readTenantLimits } from "./tenant_settings.ts";
import { tailConfig, traceStoreConfig } from "./trace_settings.ts";
import { VERSION } from "./version.ts";

export { ConfigError } from "./setting_value.ts";

/** Everything the runtime is started with. */
export interface RuntimeConfig {
  readonly hostname: string;
  readonly port: number;
  readonly dataFolder: string;
  /** Where log lines are appended; empty for stdout. */
  readonly logFile: string;
  readonly allowPlaintextPublic: boolean;
  readonly allowDevMode: boolean;
  readonly requireTenant: boolean;
  readonly cellsMin: number;
  readonly cellsMax: number;
  readonly callsPerCellMax: number;
  /** Most bytes of modules that one cell keeps compiled, and that the gateway keeps in memory. */
  readonly moduleCacheBytesMax: number;
  /** Most tenants with metrics of their own, and how long one may be idle before its metrics end. */
  readonly metricTenantsMax: number;
  readonly metricTenantIdleMs: number;
  /** How long readiness says no before calls are refused, on SIGTERM. */
  readonly drainDelayMs: number;
  /** How long calls in flight may take after that. */
  readonly drainTimeoutMs: number;
  /** The limits of the runtime and of every tenant that has none of its own. */
  readonly limits: Limits;
  /** The limits of a tenant. */
  readonly limitsOf: LimitsOf;
  /** The device behind `wasi:cuda/host`. */
  readonly gpu: GpuChoice;
  readonly telemetry: TelemetryConfig;
  /** What a cell's `deno` needs to find its caches. */
  readonly cellEnvironment: Readonly<Record<string, string>>;
}

/** The section of the file that is telemetry's; withFileSection knows its keys. */
const TELEMETRY_SECTION = "telemetry";

/**
 * What the driver reads and the operator may have set. What concerns its cache on disk is not among them but for
 * its size: that cache is one for all programs of a user (executor/gpu_cells.ts has one for each tenant, or none).
 */
const DRIVER_VARIABLES = [
  ...["CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_CACHE_MAXSIZE", "CUDA_MPS_PIPE_DIRECTORY"],
  ...["CUDA_MODULE_LOADING"],
];

/** Where settings come from; each later one wins. */
export interface ConfigSources {
  /** Parsed content of the configuration file, if there is one. */
  readonly file?: Readonly<Record<string, unknown>>;
  /** Where that is, for messages. */
  readonly filePath?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** By flag name, without dashes. */
  readonly flags: Readonly<Record<string, string | boolean | undefined>>;
  /** Whether log lines are for a person at a terminal. */
  readonly isTerminal?: boolean;
  /** Cores of the machine; read from it unless given. */
  readonly coresCount?: number;
}

/** Builds the configuration. Throws ConfigError. */
export function makeConfig(sources: ConfigSources): RuntimeConfig {
  checkKeys(sources);
  const text = new Map(SETTINGS.map((setting) => [setting.key, read(setting, sources)]));
  const number = (key: string): number => Number(text.get(key));
  const flag = (key: string): boolean => text.get(key) === "true";
  const { hostname, port } = parseAddress(text.get("addr") ?? "");
  const limits: Limits = Object.freeze(
    Object.fromEntries(Object.keys(DEFAULT_LIMITS).map((key) => [key, number(key)])) as unknown as Limits,
  );
  const config: RuntimeConfig = Object.freeze({
    hostname,
    port,
    dataFolder: text.get("data") ?? "",
    logFile: text.get("logFile") ?? "",
    allowPlaintextPublic: flag("allowPlaintextPublic"),
    allowDevMode: flag("allowDevMode"),
    requireTenant: flag("requireTenant"),
    cellsMin: number("cellsMin"),
    callsPerCellMax: number("callsPerCellMax"),
    cellsMax: Math.max(number("cellsMin"), cellsMax(text.get("cellsMax"), sources)),
    moduleCacheBytesMax: number("moduleCacheBytesMax"),
    drainDelayMs: number("drainDelayMs"),
    drainTimeoutMs: number("drainTimeoutMs"),
    metricTenantsMax: number("metricTenantsMax"),
    metricTenantIdleMs: number("metricTenantIdleMs"),
    limits,
    limitsOf: makeLimitsOf(limits, readTenantLimits(text.get("tenants") ?? "{}", SETTINGS, limits)),
    gpu: {
      device: text.get("gpu") as GpuChoice["device"],
      threads: number("gpuThreads"),
      driverPath: driverPath(text.get("gpuDriver")),
      loaderFolders: (sources.env["LD_LIBRARY_PATH"] ?? "").split(":").filter((path) => path.startsWith("/")),
      allowHostMemory: flag("gpuAllowHostMemory"),
      cellsPerDeviceMax: number("gpuCellsPerDeviceMax"),
      cellsPerTenantMax: number("gpuCellsPerTenantMax"),
      callsPerDeviceMax: number("gpuCallsPerDeviceMax"),
      copies: text.get("gpuCopies") as GpuChoice["copies"],
      cellIdleMsMax: number("gpuCellIdleMs"),
      driverEnvironment: pick(sources.env, DRIVER_VARIABLES),
      cacheFolder: sources.env["CUDA_CACHE_PATH"] || undefined,
    },
    telemetry: {
      ...readTelemetry(sources, limits, text.get("logFile") ?? ""),
      tail: tailConfig((key) => text.get(key) ?? "", number),
      traces: traceStoreConfig(number),
    },
    cellEnvironment: cellEnvironment(sources.env),
  });
  checkBind(config);
  return config;
}

/** Guests hold a core while they run: more cells than cores gain nothing but isolation. */
function cellsMax(
  text: string | undefined,
  { coresCount = navigator.hardwareConcurrency }: ConfigSources,
): number {
  return text === AUTO ? Math.min(CELLS_MAX, coresCount) : Number(text);
}

/** A comma would part the permission for the one file into two. */
function driverPath(path: string | undefined): string | undefined {
  if (path === AUTO) return undefined;
  if (path?.startsWith("/") === true && !path.includes(",")) return path;
  throw new ConfigError(
    `Bad gpuDriver: expected an absolute path without a comma, got ${JSON.stringify(path)}`,
  );
}

function readTelemetry(
  { env, file, isTerminal }: ConfigSources,
  limits: Limits,
  logFile: string,
): TelemetryConfig {
  try {
    const variables = withFileSection(env, file?.[TELEMETRY_SECTION]);
    const config = telemetryConfigFromEnv(variables, { serviceVersion: VERSION });
    const warnings = [...config.warnings, ...unknownVariables(env), ...crampedCells(limits)];
    const log = isTerminal === true && logFile === ""
      ? { ...config.log, format: "pretty" as const }
      : config.log;
    return { ...config, log, warnings };
  } catch (error) {
    throw new ConfigError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** Variables of ours that nobody reads: likely misspelt, or of another version. */
function unknownVariables(env: ConfigSources["env"]): string[] {
  const known = new Set([
    ...SETTINGS.map((setting) => setting.env),
    ...variableNames(),
    "TENSOR_WASM_CONFIG",
    // Of the commands that ask a gateway: set in the same shell, as the runbooks do.
    "TENSOR_WASM_URL",
    "TENSOR_WASM_TENANT",
  ]);
  return Object.keys(env).filter((name) => name.startsWith("TENSOR_WASM_") && !known.has(name))
    .map((name) =>
      `${name} is not a variable of this version${nearest(name, known, "TENSOR_WASM_".length + 3)}, ignored`
    );
}

/** One guest may use as much as these allow, and its cell would be replaced for it, with all its calls. */
function crampedCells(limits: Limits): string[] {
  const { cellMemoryBytesMax } = limits;
  return (["memoryBytesMax", "heapBytesMax"] as const).filter((key) => limits[key] > cellMemoryBytesMax)
    .map((key) =>
      `${key} is ${
        limits[key]
      }, more than cellMemoryBytesMax (${cellMemoryBytesMax}): one guest can bloat its cell`
    );
}

function read(setting: Setting, { file, filePath, env, flags }: ConfigSources): string {
  const candidates: readonly (readonly [string, unknown])[] = [
    [`flag --${setting.flag}`, flags[setting.flag]],
    [`variable ${setting.env}`, env[setting.env] === "" ? undefined : env[setting.env]],
    [`file setting ${setting.key}${inFile(filePath)}`, file?.[setting.key]],
  ];
  for (const [source, value] of candidates) {
    if (value !== undefined) return checkValue(setting, source, value);
  }
  return setting.fallback;
}

function inFile(path: string | undefined): string {
  return path === undefined ? "" : ` in ${path}`;
}

function checkKeys({ file, filePath, flags }: ConfigSources): void {
  const keys = new Set([...SETTINGS.map((setting) => setting.key), TELEMETRY_SECTION]);
  const names = new Set(SETTINGS.map((setting) => setting.flag));
  for (const key of Object.keys(file ?? {})) {
    if (!keys.has(key)) {
      throw new ConfigError(
        `Unknown file setting ${JSON.stringify(key)}${inFile(filePath)}${nearest(key, keys)}`,
      );
    }
  }
  for (const name of Object.keys(flags)) {
    if (!names.has(name)) throw new ConfigError(`Unknown flag --${name}${nearest(name, names)}`);
  }
}

function parseAddress(text: string): { hostname: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):([0-9]{1,5})$/.exec(text);
  const hostname = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (hostname === undefined || !(port <= 65_535)) {
    throw new ConfigError(
      `Bad addr: expected host:port or [ipv6]:port, port in 0..65535, got ${JSON.stringify(text)}`,
    );
  }
  return { hostname, port };
}

/** No tokens exist yet, so beyond loopback anyone could deploy: that takes two deliberate settings. */
function checkBind(config: RuntimeConfig): void {
  if (isLoopback(config.hostname)) return;
  if (config.allowPlaintextPublic && config.allowDevMode) return;
  throw new ConfigError(
    `Refusing to listen on ${config.hostname}: the API has no authentication and no TLS. ` +
      "Set both --allow-plaintext-public and --allow-dev-mode to do it all the same",
  );
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "::1" || /^127(\.[0-9]{1,3}){3}$/.test(hostname);
}

function cellEnvironment(env: ConfigSources["env"]): Record<string, string> {
  return pick(env, ["HOME", "DENO_DIR", "XDG_CACHE_HOME"]);
}

function pick(env: ConfigSources["env"], names: readonly string[]): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const name of names) {
    const value = env[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}
