/**
 * Configuration file: the section `telemetry` of the runtime's file, as the variables that say the same.
 *
 * Owns which keys there are (variables.ts says which variable each stands for) and their check. It reads no
 * file and no value's meaning: what is set is checked where variables are. Invariant: a variable that is set
 * wins over the file, whichever of the variables for the same thing it is; an unknown key is an error.
 */
import { type Environment, TelemetryConfigError } from "./env_reader.ts";
import { variableNames, VARIABLES } from "./variables.ts";

/** Below this key any OTEL_ variable stands under its own name. */
const OTHERS = "variables";

/**
 * The environment with the file's section below it.
 *
 * @throws TelemetryConfigError for an unknown key, or a value that is no text, number or boolean
 */
export function withFileSection(env: Environment, section: unknown): Environment {
  if (section === undefined) return env;
  if (!isObject(section)) throw new TelemetryConfigError("telemetry is not an object");
  const { [OTHERS]: others = {}, ...rest } = section;
  if (!isObject(others)) throw new TelemetryConfigError(`telemetry.${OTHERS} is not an object`);
  const known = new Map(
    VARIABLES.flatMap(({ fileKey, name }) => fileKey === undefined ? [] : [[fileKey, name]]),
  );
  const fromFile: Record<string, string> = {};
  for (const [key, value] of flatten(rest, "")) {
    const name = known.get(key);
    if (name === undefined) {
      const keys = [...known.keys(), OTHERS].join(", ");
      throw new TelemetryConfigError(`Unknown telemetry.${key}, expected one of ${keys}`);
    }
    fromFile[name] = toText(`telemetry.${key}`, value);
  }
  const names = new Set(variableNames().filter((name) => name.startsWith("OTEL_")));
  for (const [name, value] of Object.entries(others)) {
    if (!names.has(name)) throw new TelemetryConfigError(`Unknown telemetry.${OTHERS}.${name}`);
    fromFile[name] = toText(`telemetry.${OTHERS}.${name}`, value);
  }
  // The same wish by its other name.
  if ((env["OTEL_TRACES_EXPORTER"] ?? "") !== "") delete fromFile["TENSOR_WASM_TRACE_EXPORTER"];
  const set = Object.entries(env).filter(([, value]) => value !== undefined && value.trim() !== "");
  return { ...fromFile, ...Object.fromEntries(set) };
}

function* flatten(section: Record<string, unknown>, prefix: string): Generator<[string, unknown]> {
  for (const [name, value] of Object.entries(section)) {
    if (isObject(value)) yield* flatten(value, `${prefix}${name}.`);
    else yield [prefix + name, value];
  }
}

function toText(key: string, value: unknown): string {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
    return String(value);
  }
  throw new TelemetryConfigError(`${key} is not a text, a number or a boolean`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
