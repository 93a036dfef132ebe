/**
 * Public surface of the runtime: re-exports only.
 */
export { ConfigError, makeConfig, SETTINGS } from "./config.ts";
export type { ConfigSources, RuntimeConfig, Setting } from "./config.ts";
export { FAULTS, RuntimeFault } from "./model/fault.ts";
export type { FaultCode } from "./model/fault.ts";
export { DEFAULT_LIMITS } from "./model/limits.ts";
export type { Limits } from "./model/limits.ts";
export type { Outcome } from "./model/outcome.ts";
export { createRuntime } from "./runtime.ts";
export type { Runtime, RuntimeOptions } from "./runtime.ts";
export { VERSION } from "./version.ts";
