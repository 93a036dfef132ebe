/**
 * Redactor: the fields of an event without what must not be logged, as data and as text, in one pass.
 *
 * Owns the way that nearly all fields go: a known name, a number or a text that is clean. Everything else about
 * values is plain_value.ts's, about names redact.ts's. Invariant: the text is that of the data, character by
 * character; both hold no denied field, and nothing refers to what the event was made of.
 */
import { fieldPrefix, valueText } from "./field_text.ts";
import {
  ELEMENTS_MAX,
  NAME_LENGTH_MAX,
  type PlainFields,
  type PlainValue,
  readMember,
  safeText,
  setMember,
  TEXT_LENGTH_MAX,
  Walk,
} from "./plain_value.ts";
import { judgeField, mayLog, type Verdict } from "./redact.ts";
import { CLEAN, scanText } from "./text_scan.ts";

/** An event's fields once redacted. */
export interface RedactedFields {
  readonly plain: PlainFields;
  /** `,"name":value` for each of them. */
  readonly json: string;
}

/** Of an event without fields. */
export const NO_FIELDS: RedactedFields = Object.freeze({ plain: Object.freeze({}), json: "" });

/** Most names that are remembered; names come from our code, but an object in a field may bring any. */
const NAMES_MAX = 2048;

/** What is known of a name. */
interface FieldName {
  readonly verdict: Verdict;
  /** `,"name":` */
  readonly prefix: string;
}

/** For what has an endless name. */
const DROPPED: FieldName = { verdict: "drop", prefix: "" };

/** Redacts events. One per process; it remembers what names were judged to be. */
export class Redactor {
  readonly #names = new Map<string, FieldName>();
  readonly #judge = (name: string): Verdict => this.#nameOf(name).verdict;

  /** The fields of an event. Never throws, whatever is in them. */
  redact(fields: Readonly<Record<string, unknown>>): RedactedFields {
    const plain: Record<string, PlainValue> = {};
    let json = "";
    let walk: Walk | undefined;
    let count = 0;
    for (const name of Object.keys(fields)) {
      const value = readMember(fields, name);
      if (value === undefined || (count += 1) > ELEMENTS_MAX) continue;
      const { verdict, prefix } = this.#nameOf(name);
      if (verdict !== "keep" && !mayLog(verdict, value)) continue;
      const text = textAsIs(value);
      if (text !== undefined) {
        setMember(plain, name, value as PlainValue);
        json += prefix + text;
        continue;
      }
      const made = typeof value === "string"
        ? safeText(value, TEXT_LENGTH_MAX)
        : (walk ??= new Walk(this.#judge)).toPlain(value);
      if (made === undefined) continue;
      setMember(plain, name, made);
      json += prefix + valueText(made);
    }
    return { plain, json };
  }

  #nameOf(name: string): FieldName {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    if (name.length > NAME_LENGTH_MAX) return DROPPED;
    // A name that is not as it should be, or has a credential in it, was made of somebody's text.
    const verdict = safeText(name, NAME_LENGTH_MAX) === name ? judgeField(name) : "drop";
    const made = { verdict, prefix: fieldPrefix(name) };
    if (this.#names.size < NAMES_MAX) this.#names.set(name, made);
    return made;
  }
}

/** The JSON of a value that is logged as it is; undefined for everything else. */
function textAsIs(value: unknown): string | undefined {
  if (typeof value === "string") {
    return value.length <= TEXT_LENGTH_MAX && scanText(value) === CLEAN ? `"${value}"` : undefined;
  }
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : undefined;
  return typeof value === "boolean" || value === null ? String(value) : undefined;
}
