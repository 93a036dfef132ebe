/**
 * Public surface of the runtime: re-exports only.
 */
export { ConfigError, makeConfig } from "./config.ts";
export type { ConfigSources, RuntimeConfig } from "./config.ts";
export { FAULTS, RuntimeFault } from "./model/fault.ts";
export type { FaultCode } from "./model/fault.ts";
export { DEFAULT_LIMITS } from "./model/limits.ts";
export type { Limits } from "./model/limits.ts";
export type { Outcome } from "./model/outcome.ts";
export { createRuntime } from "./runtime.ts";
export type { LogOutput, Runtime, RuntimeOptions } from "./runtime.ts";
export { SETTINGS } from "./settings.ts";
export type { Setting } from "./settings.ts";
export { VERSION } from "./version.ts";
