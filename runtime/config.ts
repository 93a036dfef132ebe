/**
 * Configuration: one frozen tree from defaults, file, environment and flags, each winning over the former.
 *
 * The only reader of the environment and of the configuration file; settings.ts has the table of what there
 * is to set. Invariant: an unknown key or flag or an ill-formed value stops the start with a message that
 * names it, an unknown variable of ours is warned of; nothing is silently ignored.
 */
import { telemetryConfigFromEnv } from "../telemetry/mod.ts";
import type { TelemetryConfig } from "../telemetry/mod.ts";
import { DEFAULT_LIMITS } from "./model/limits.ts";
import type { Limits } from "./model/limits.ts";
import { SETTINGS } from "./settings.ts";
import type { Setting } from "./settings.ts";
import { VERSION } from "./version.ts";

/** Everything the runtime is started with. */
export interface RuntimeConfig {
  readonly hostname: string;
  readonly port: number;
  readonly dataFolder: string;
  readonly allowPlaintextPublic: boolean;
  readonly allowDevMode: boolean;
  readonly requireTenant: boolean;
  readonly cellsMin: number;
  readonly cellsMax: number;
  readonly callsPerCellMax: number;
  /** Most bytes of modules that one cell keeps compiled, and that the gateway keeps in memory. */
  readonly moduleCacheBytesMax: number;
  /** How long readiness says no before calls are refused, on SIGTERM. */
  readonly drainDelayMs: number;
  /** How long calls in flight may take after that. */
  readonly drainTimeoutMs: number;
  readonly limits: Limits;
  readonly telemetry: TelemetryConfig;
  /** What a cell's `deno` needs to find its caches. */
  readonly cellEnvironment: Readonly<Record<string, string>>;
}

/** A configuration that cannot be started with; the message is for the operator. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Variables of ours that are read elsewhere: by telemetry, and by the command line. */
const OTHER_VARIABLES = [
  "TENSOR_WASM_LOG",
  "TENSOR_WASM_TRACING",
  "TENSOR_WASM_TRACE_EXPORTER",
  "TENSOR_WASM_OTLP_ENDPOINT",
  "TENSOR_WASM_CONFIG",
];

/** Where settings come from; each later one wins. */
export interface ConfigSources {
  /** Parsed content of the configuration file, if there is one. */
  readonly file?: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** By flag name, without dashes. */
  readonly flags: Readonly<Record<string, string | boolean | undefined>>;
  /** Whether log lines are for a person at a terminal. */
  readonly isTerminal?: boolean;
}

/** Builds the configuration. Throws ConfigError. */
export function makeConfig(sources: ConfigSources): RuntimeConfig {
  checkKeys(sources);
  const text = new Map(SETTINGS.map((setting) => [setting.key, read(setting, sources)]));
  const number = (key: string): number => Number(text.get(key));
  const flag = (key: string): boolean => text.get(key) === "true";
  const { hostname, port } = parseAddress(text.get("addr") ?? "");
  const limits = Object.fromEntries(
    Object.keys(DEFAULT_LIMITS).map((key) => [key, number(key)]),
  ) as unknown as Limits;
  const config: RuntimeConfig = Object.freeze({
    hostname,
    port,
    dataFolder: text.get("data") ?? "",
    allowPlaintextPublic: flag("allowPlaintextPublic"),
    allowDevMode: flag("allowDevMode"),
    requireTenant: flag("requireTenant"),
    cellsMin: number("cellsMin"),
    callsPerCellMax: number("callsPerCellMax"),
    cellsMax: Math.max(number("cellsMin"), number("cellsMax")),
    moduleCacheBytesMax: number("moduleCacheBytesMax"),
    drainDelayMs: number("drainDelayMs"),
    drainTimeoutMs: number("drainTimeoutMs"),
    limits: Object.freeze(limits),
    telemetry: readTelemetry(sources),
    cellEnvironment: cellEnvironment(sources.env),
  });
  checkBind(config);
  return config;
}

function readTelemetry({ env, isTerminal }: ConfigSources): TelemetryConfig {
  try {
    const config = telemetryConfigFromEnv(env, { serviceVersion: VERSION });
    const warnings = [...config.warnings, ...unknownVariables(env)];
    const log = isTerminal === true ? { ...config.log, format: "pretty" as const } : config.log;
    return { ...config, log, warnings };
  } catch (error) {
    throw new ConfigError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** Variables of ours that nobody reads: likely misspelt, or of another version. */
function unknownVariables(env: ConfigSources["env"]): string[] {
  const known = new Set([...SETTINGS.map((setting) => setting.env), ...OTHER_VARIABLES]);
  return Object.keys(env).filter((name) => name.startsWith("TENSOR_WASM_") && !known.has(name))
    .map((name) =>
      `${name} is not a variable of this version${nearest(name, known, "TENSOR_WASM_".length + 3)}, ignored`
    );
}

function read(setting: Setting, { file, env, flags }: ConfigSources): string {
  const candidates: readonly (readonly [string, unknown])[] = [
    [`flag --${setting.flag}`, flags[setting.flag]],
    [`variable ${setting.env}`, env[setting.env] === "" ? undefined : env[setting.env]],
    [`file setting ${setting.key}`, file?.[setting.key]],
  ];
  for (const [source, value] of candidates) {
    if (value !== undefined) return check(setting, source, value);
  }
  return setting.fallback;
}

function check(setting: Setting, source: string, value: unknown): string {
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") {
    throw new ConfigError(`Bad ${source}: expected ${setting.kind}, got ${JSON.stringify(value)}`);
  }
  if (setting.kind === "text" && typeof value !== "string") {
    throw new ConfigError(`Bad ${source}: expected text, got ${JSON.stringify(value)}`);
  }
  const text = String(value).trim();
  switch (setting.kind) {
    case "text":
      if (text === "") throw new ConfigError(`Empty ${source}`);
      return text;
    case "flag":
      if (text === "1" || text === "true") return "true";
      if (text === "0" || text === "false") return "false";
      throw new ConfigError(`Bad ${source}: expected true, false, 1 or 0, got ${JSON.stringify(text)}`);
    default:
      return checkNumber(setting, source, text);
  }
}

function checkNumber(setting: Setting, source: string, text: string): string {
  const min = setting.min ?? 0;
  const max = setting.max ?? Number.MAX_SAFE_INTEGER;
  if (!/^[0-9]{1,15}$/.test(text) || Number(text) < min || Number(text) > max) {
    const expected = `a whole number of ${setting.kind} in ${min}..${max}`;
    throw new ConfigError(`Bad ${source}: expected ${expected}, got ${JSON.stringify(text)}`);
  }
  return String(Number(text));
}

function checkKeys({ file, flags }: ConfigSources): void {
  const keys = new Set(SETTINGS.map((setting) => setting.key));
  const names = new Set(SETTINGS.map((setting) => setting.flag));
  for (const key of Object.keys(file ?? {})) {
    if (!keys.has(key)) {
      throw new ConfigError(`Unknown file setting ${JSON.stringify(key)}${nearest(key, keys)}`);
    }
  }
  for (const name of Object.keys(flags)) {
    if (!names.has(name)) throw new ConfigError(`Unknown flag --${name}${nearest(name, names)}`);
  }
}

/** "; did you mean …?" for the known name that shares the longest beginning, if it is at all alike. */
function nearest(word: string, known: ReadonlySet<string>, sharedMin = 3): string {
  let best = "";
  let bestLength = sharedMin - 1;
  for (const candidate of known) {
    let length = 0;
    while (length < word.length && candidate[length]?.toLowerCase() === word[length]?.toLowerCase()) length++;
    if (length > bestLength) {
      best = candidate;
      bestLength = length;
    }
  }
  return best === "" ? "" : `; did you mean ${best}?`;
}

function parseAddress(text: string): { hostname: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):([0-9]{1,5})$/.exec(text);
  const hostname = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (hostname === undefined || !(port <= 65_535)) {
    throw new ConfigError(`Bad addr: expected host:port or [ipv6]:port, got ${JSON.stringify(text)}`);
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
  const environment: Record<string, string> = {};
  for (const name of ["HOME", "DENO_DIR", "XDG_CACHE_HOME"]) {
    const value = env[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}
