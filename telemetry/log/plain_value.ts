/**
 * Plain values: any value of an event as plain JSON data, redacted and bounded.
 *
 * Owns how values of every kind look in a log and what each may cost: depth, elements, text, and the sum over
 * one event. What is denied by name redact.ts says, what is taken out of texts scrub.ts; redactor.ts goes through
 * the fields of an event. Invariant: the result holds no denied field at any depth and no reference to what it was
 * made of; making it never throws, whatever getters and proxies do.
 */
import { mayLog, type Verdict } from "./redact.ts";
import { scrubText } from "./scrub.ts";

/** JSON data. */
export type PlainValue = string | number | boolean | null | readonly PlainValue[] | PlainFields;

/** Named JSON data: an event's fields once redacted. */
export interface PlainFields {
  readonly [name: string]: PlainValue;
}

/** Longest text of a value, in UTF-16 units. */
export const TEXT_LENGTH_MAX = 16 * 1024;
/** Longest message or stack of an error; both are often made by code that is not ours. */
const ERROR_TEXT_LENGTH_MAX = 4 * 1024;
const DEPTH_MAX = 8;
/** Most elements of a list or fields of an object. */
export const ELEMENTS_MAX = 100;
/** Most values in one event, so that bounds on depth and elements do not multiply. */
const VALUES_MAX = 1000;
/** Most text in the nested values of one event. */
const NESTED_TEXT_LENGTH_MAX = 64 * 1024;
/** Longest name of a field; what has a longer one is left out. */
export const NAME_LENGTH_MAX = 256;

/**
 * A text within its bound and without credentials; what is cut off is counted. Halves of surrogate pairs become
 * U+FFFD: there are readers that throw a line away for one, and callers could hide theirs so.
 */
export function safeText(text: string, lengthMax: number): string {
  if (text.length <= lengthMax) return scrubText(text).toWellFormed();
  return `${scrubText(text.slice(0, lengthMax)).toWellFormed()}… (${text.length - lengthMax} more)`;
}

/** The way through the nested values of one event. */
export class Walk {
  readonly #judge: (name: string) => Verdict;
  readonly #outer: object[] = [];
  #valuesLeft = VALUES_MAX;
  #textLeft = NESTED_TEXT_LENGTH_MAX;

  constructor(judge: (name: string) => Verdict) {
    this.#judge = judge;
  }

  /** Undefined where there is nothing to show: functions, symbols, undefined. */
  toPlain(value: unknown): PlainValue | undefined {
    if (this.#valuesLeft === 0) return "[too much]";
    this.#valuesLeft -= 1;
    switch (typeof value) {
      case "string":
        return this.#text(value, TEXT_LENGTH_MAX);
      case "number":
        return Number.isFinite(value) ? value : String(value);
      case "bigint":
        // A number of a million digits takes seconds to print.
        return value > -(2n ** 256n) && value < 2n ** 256n ? String(value) : "[large integer]";
      case "boolean":
        return value;
      case "object":
        return value === null ? null : this.#guarded(value);
      default:
        return undefined;
    }
  }

  /** A proxy or getter that throws is not the log's to feel. */
  #guarded(value: object): PlainValue {
    if (this.#outer.includes(value)) return "[circular]";
    if (this.#outer.length >= DEPTH_MAX) return "[too deep]";
    this.#outer.push(value);
    try {
      return this.#object(value);
    } catch {
      return "[unreadable]";
    } finally {
      this.#outer.pop();
    }
  }

  #object(value: object): PlainValue {
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? "invalid" : value.toISOString();
    if (value instanceof URL) return this.#text(value.href, TEXT_LENGTH_MAX);
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
    if (Array.isArray(value)) return this.#list(value, value.length);
    if (value instanceof Set) return this.#list(value, value.size);
    if (value instanceof Map) return this.#record(mapMembers(value));
    return this.#record(value instanceof Error ? errorMembers(value) : objectMembers(value));
  }

  #list(values: Iterable<unknown>, count: number): PlainValue {
    const list: PlainValue[] = [];
    for (const value of values) {
      if (list.length === ELEMENTS_MAX) {
        list.push(`… (${count - ELEMENTS_MAX} more)`);
        break;
      }
      list.push(this.toPlain(value) ?? null);
    }
    return list;
  }

  #record(members: Iterable<readonly [string, unknown]>): PlainValue {
    const record: Record<string, PlainValue> = {};
    let count = 0;
    for (const [name, value] of members) {
      if ((count += 1) > ELEMENTS_MAX) break;
      if (!mayLog(this.#judge(name), value)) continue;
      const plain = this.toPlain(value);
      if (plain !== undefined) setMember(record, this.#text(name, NAME_LENGTH_MAX), plain);
    }
    return record;
  }

  #text(text: string, lengthMax: number): string {
    const cut = safeText(text, Math.min(lengthMax, this.#textLeft));
    this.#textLeft -= Math.min(this.#textLeft, cut.length);
    return cut;
  }
}

function* objectMembers(value: object): Iterable<readonly [string, unknown]> {
  for (const name of Object.keys(value)) yield [name, readMember(value, name)];
}

/** A map's entries under the text of their keys, so that names are judged there too. */
function* mapMembers(map: ReadonlyMap<unknown, unknown>): Iterable<readonly [string, unknown]> {
  for (const [key, value] of map) yield [typeof key === "object" ? "[object]" : String(key), value];
}

/** An error's own fields are not enumerable; those that were added to it are kept. */
function* errorMembers(error: Error): Iterable<readonly [string, unknown]> {
  const shown = new Set(["name", "message", "stack", "cause", "errors"]);
  for (const name of ["name", "message"]) yield [name, cutMember(readMember(error, name))];
  for (const [name, value] of objectMembers(error)) if (!shown.has(name)) yield [name, value];
  for (const name of ["stack", "cause", "errors"]) yield [name, cutMember(readMember(error, name))];
}

function cutMember(value: unknown): unknown {
  return typeof value === "string" ? safeText(value, ERROR_TEXT_LENGTH_MAX) : value;
}

/** A member; a getter or proxy that throws is not the log's to feel. */
export function readMember(value: object, name: string): unknown {
  try {
    return (value as Record<string, unknown>)[name];
  } catch {
    return "[unreadable]";
  }
}

/** `__proto__` is a name like any other here. */
export function setMember(record: Record<string, PlainValue>, name: string, value: PlainValue): void {
  if (name !== "__proto__") record[name] = value;
  else Object.defineProperty(record, name, { value, enumerable: true, configurable: true, writable: true });
}
