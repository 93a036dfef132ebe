import assert from "node:assert/strict";
import fc from "fast-check";
import { fieldPrefix, valueText } from "../../../telemetry/log/field_text.ts";
import { type PlainValue, setMember, Walk } from "../../../telemetry/log/plain_value.ts";
import { judgeField, mayLog, type Verdict } from "../../../telemetry/log/redact.ts";
import { type RedactedFields, Redactor } from "../../../telemetry/log/redactor.ts";
import { takeOut } from "../../../telemetry/log/scrub.ts";
import { suspectText } from "./suspect_texts.ts";

/** The same as Redactor.redact() without a shortcut: nothing is remembered and every text is searched. */
function redactSlowly(fields: Readonly<Record<string, unknown>>): RedactedFields {
  const plain: Record<string, PlainValue> = {};
  let json = "";
  const judge = (name: string): Verdict =>
    name.length > 256 || takeOut(name).toWellFormed() !== name ? "drop" : judgeField(name);
  const walk = new Walk(judge);
  const present = Object.entries(fields).filter(([, value]) => value !== undefined);
  for (const [name, value] of present.slice(0, 100)) {
    if (!mayLog(judge(name), value)) continue;
    const made = typeof value === "string" ? shorten(value) : scalar(value) ?? walk.toPlain(value);
    if (made === undefined) continue;
    setMember(plain, name, made);
    json += fieldPrefix(name) + valueText(made);
  }
  return { plain, json };
}

function shorten(text: string): string {
  const over = text.length - 16_384;
  if (over <= 0) return takeOut(text).toWellFormed();
  return `${takeOut(text.slice(0, 16_384)).toWellFormed()}… (${over} more)`;
}

function scalar(value: unknown): PlainValue | undefined {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  return typeof value === "boolean" || value === null ? value : undefined;
}

const name = fc.oneof(
  fc.constantFrom(
    "method",
    "route",
    "status",
    "duration_ms",
    "tenant",
    "line",
    "error",
    "tokens_in",
    "trace_id",
  ),
  fc.constantFrom("token", "x-api-key", "args_len", "__proto__", "0", "password=hush", "n".repeat(300)),
  suspectText,
);
const anything = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withTypedArray: true,
});
const value = fc.oneof(
  { weight: 4, arbitrary: suspectText },
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constantFrom<unknown>(null, undefined, -0, 1e300, "x".repeat(16_384), `${"x".repeat(16_384)}?a=hush`),
  anything,
  suspectText.map((text) => new Error(text)),
);
const fields = fc.array(fc.tuple(name, value), { maxLength: 8 }).map((entries) => {
  const made: Record<string, unknown> = {};
  for (const [key, member] of entries) {
    setMember(made as Record<string, PlainValue>, key, member as PlainValue);
  }
  return made;
});

Deno.test("Redactor.redact() gives what it would give without its shortcuts", () => {
  const redactor = new Redactor();
  fc.assert(
    fc.property(fields, (given) => {
      const expected = redactSlowly(given);
      // Twice: the second time the names are known.
      for (const redacted of [redactor.redact(given), redactor.redact(given)]) {
        assert.deepEqual(redacted.plain, expected.plain);
        assert.equal(redacted.json, expected.json);
      }
    }),
    { numRuns: 1000 },
  );
});

Deno.test("Redactor.redact(): the text is that of the data", () => {
  const redactor = new Redactor();
  fc.assert(
    fc.property(fields, (given) => {
      const { plain, json } = redactor.redact(given);
      const text = Object.entries(plain).map(([key, member]) => fieldPrefix(key) + valueText(member)).join(
        "",
      );
      assert.equal(json, text);
    }),
    { numRuns: 300 },
  );
});

Deno.test("Redactor.redact() remembers a bounded number of names, and judges the others all the same", () => {
  const redactor = new Redactor();
  for (let index = 0; index < 5000; index++) redactor.redact({ [`name${index}`]: 1 });
  assert.deepEqual(redactor.redact({ late_token: "hush", late_name: "x" }).plain, { late_name: "x" });
});

Deno.test("Redactor.redact() leaves no half of a surrogate pair, in a value, in a name or where it cuts", () => {
  const half = "\ud83d";
  const given = { a: `x${half}`, b: [{ c: half }], cut: `${"x".repeat(16_383)}😀`, [`n${half}`]: 1 };
  const { plain, json } = new Redactor().redact(given);
  assert.equal(json.isWellFormed(), true);
  assert.equal(/\\ud83d/.test(json), false);
  assert.deepEqual(plain, {
    a: "x\ufffd",
    b: [{ c: "\ufffd" }],
    cut: `${"x".repeat(16_383)}\ufffd… (1 more)`,
  });
});
