/**
 * EnvReader: typed values out of environment variables.
 *
 * Owns the forms that values have (switch, integer, headers, attributes) and what a malformed one leads to. It
 * knows no variable by name but the ones it is asked for. Invariant: no message holds the value of a header.
 */
import { splitHeaderList } from "../trace/header_list.ts";

/** The variables, as Deno.env.toObject() gives them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A variable whose value cannot be followed and must not be ignored. */
export class TelemetryConfigError extends Error {
  override readonly name = "TelemetryConfigError";
}

/** The largest integer that the specification asks for. */
const INTEGER_MAX = 0x7fff_ffff;
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e]*$/;

/** Reads variables; an empty one is one that is not set, as the specification has it. */
export class EnvReader {
  readonly warnings: string[] = [];
  readonly #env: Environment;

  constructor(env: Environment) {
    this.#env = env;
  }

  warn(text: string): void {
    this.warnings.push(text);
  }

  text(name: string): string | undefined {
    const value = this.#env[name]?.trim();
    return value === "" ? undefined : value;
  }

  /** The variables with this prefix that are set, sorted. */
  names(prefix: string): string[] {
    return Object.keys(this.#env).filter((name) => name.startsWith(prefix) && this.text(name) !== undefined)
      .toSorted();
  }

  /** An OTLP variable in the form of a signal (`TRACES`), or else in its general one. */
  otlp(signal: string, suffix: string): { readonly name: string; readonly value: string } | undefined {
    for (const name of [`OTEL_EXPORTER_OTLP_${signal}_${suffix}`, `OTEL_EXPORTER_OTLP_${suffix}`]) {
      const value = this.text(name);
      if (value !== undefined) return { name, value };
    }
    return undefined;
  }

  /** An integer, or undefined with a warning: the specification wants bad numbers ignored. */
  integer(name: string, min: number): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (/^[0-9]+$/.test(text) && value >= min && value <= INTEGER_MAX) return value;
    this.warn(`${name} is not an integer from ${min} to ${INTEGER_MAX}, ignored`);
    return undefined;
  }

  /** A timeout in milliseconds; 0 is none, which here is the longest there is ("Timeout"). */
  timeout(name: string): number | undefined {
    const value = this.integer(name, 0);
    return value === 0 ? INTEGER_MAX : value;
  }

  /** The specification's boolean: `true` in any case is true, everything else false. */
  boolean(name: string): boolean {
    const text = this.text(name)?.toLowerCase();
    if (text !== undefined && text !== "true" && text !== "false") {
      this.warn(`${name} is not true or false, taken as false`);
    }
    return text === "true";
  }

  /** One of a few values, or undefined with a warning: the specification wants unknown ones ignored. */
  oneOf<T extends string>(name: string, values: readonly T[]): T | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const known = values.find((value) => value === text.toLowerCase());
    if (known === undefined) this.warn(`${name} is not one of ${values.join(", ")}, ignored`);
    return known;
  }

  /** @throws TelemetryConfigError */
  onOff(name: string, fallback: boolean): boolean {
    const text = this.text(name)?.toLowerCase();
    if (text === undefined) return fallback;
    if (text === "on" || text === "true" || text === "1") return true;
    if (text === "off" || text === "false" || text === "0") return false;
    throw new TelemetryConfigError(`${name} is ${JSON.stringify(text)}, expected on or off`);
  }

  /**
   * Headers as `name=value` pairs, percent-encoded. A bad one would mean that nothing is ever delivered, so it
   * is an error; which one it is, is told by its position.
   *
   * @throws TelemetryConfigError
   */
  headers(variable: string): Record<string, string> {
    return toHeaders(variable, this.#pairs(variable));
  }

  /** `OTEL_RESOURCE_ATTRIBUTES`; the whole value is dropped if a part is malformed, as the specification asks. */
  resource(): Record<string, string> {
    const pairs = this.#pairs("OTEL_RESOURCE_ATTRIBUTES");
    if (pairs.includes(undefined)) {
      this.warn("OTEL_RESOURCE_ATTRIBUTES is malformed, ignored");
      return {};
    }
    return Object.fromEntries(pairs.flatMap((pair) => pair === undefined ? [] : [[pair.name, pair.value]]));
  }

  #pairs(variable: string): (Pair | undefined)[] {
    return splitHeaderList(this.text(variable) ?? "").map(parsePair);
  }
}

/**
 * Headers of a file: one `name=value` a line, percent-encoded as in the variables; empty lines and those that
 * begin with `#` are left out.
 *
 * @throws TelemetryConfigError
 */
export function parseHeaderLines(path: string, text: string): Record<string, string> {
  const lines = text.split("\n").map((line) => line.trim()).filter((line) =>
    line !== "" && !line.startsWith("#")
  );
  return toHeaders(path, lines.map(parsePair));
}

interface Pair {
  readonly name: string;
  readonly value: string;
}

function parsePair(pair: string): Pair | undefined {
  const equals = pair.indexOf("=");
  if (equals <= 0) return undefined;
  try {
    return {
      name: decodeURIComponent(pair.slice(0, equals).trim()),
      value: decodeURIComponent(pair.slice(equals + 1).trim()),
    };
  } catch {
    return undefined;
  }
}

function toHeaders(source: string, pairs: readonly (Pair | undefined)[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [index, pair] of pairs.entries()) {
    if (pair === undefined || !HEADER_NAME.test(pair.name) || !HEADER_VALUE.test(pair.value)) {
      throw new TelemetryConfigError(
        `${source} is malformed: pair ${index + 1} is not a header as name=value`,
      );
    }
    headers[pair.name.toLowerCase()] = pair.value;
  }
  return headers;
}
