/**
 * Field text: an event's own fields as they stand in a line.
 *
 * Owns how a field's name and its value are written, and which names are the line's. It neither redacts nor puts a
 * line together (log_line.ts). Invariant: no field can be taken for one of the line's own.
 */
import { escapeJson, quoteJson } from "./json_text.ts";
import type { PlainValue } from "./plain_value.ts";

/** Names that only the line itself may use. */
const OWN_FIELDS: ReadonlySet<string> = new Set([
  "timestamp",
  "level",
  "target",
  "message",
  "service",
  "trace_id",
  "span_id",
  "trace_flags",
]);

/** `,"name":` of an event's field, in one piece. */
export function fieldPrefix(name: string): string {
  return [",", quoteJson(OWN_FIELDS.has(name) ? `field.${name}` : name), ":"].join("");
}

/** A value as JSON. */
export function valueText(value: PlainValue): string {
  if (typeof value === "string") return quoteJson(value);
  return typeof value === "object" && value !== null ? escapeJson(JSON.stringify(value)) : String(value);
}
