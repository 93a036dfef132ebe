import assert from "node:assert/strict";
import fc from "fast-check";
import { formatTraceparent, parseTraceparent } from "../../../telemetry/trace/traceparent.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

const ACCEPTED: readonly (readonly [value: string, flags: number])[] = [
  [`00-${TRACE}-${SPAN}-01`, 1],
  [`00-${TRACE}-${SPAN}-00`, 0],
  // Flags that have no meaning yet are taken, and not handed on.
  [`00-${TRACE}-${SPAN}-ff`, 1],
  [`00-${TRACE}-${SPAN}-fe`, 0],
  [`00-${TRACE}-${SPAN}-02`, 0],
  // Versions to come, by their first four fields.
  [`01-${TRACE}-${SPAN}-01`, 1],
  [`cc-${TRACE}-${SPAN}-01`, 1],
  [`cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`, 1],
  [`cc-${TRACE}-${SPAN}-01-`, 1],
  [`fe-${TRACE}-${SPAN}-00`, 0],
];

const IGNORED: readonly (readonly [why: string, value: string])[] = [
  ["empty", ""],
  ["version ff", `ff-${TRACE}-${SPAN}-01`],
  ["version ff with more", `ff-${TRACE}-${SPAN}-01-more`],
  ["version of one digit", `0-${TRACE}-${SPAN}-01`],
  ["version of three digits", `000-${TRACE}-${SPAN}-01`],
  ["version not hex", `.0-${TRACE}-${SPAN}-01`],
  ["upper-case version", `CC-${TRACE}-${SPAN}-01`],
  ["version 00 with more", `00-${TRACE}-${SPAN}-01-what`],
  ["version 00 with an end dash", `00-${TRACE}-${SPAN}-01-`],
  ["future version with a dot", `cc-${TRACE}-${SPAN}-01.what-the-future-will-be-like`],
  ["trace id all zeros", `00-${"0".repeat(32)}-${SPAN}-01`],
  ["span id all zeros", `00-${TRACE}-${"0".repeat(16)}-01`],
  ["trace id too short", `00-${TRACE.slice(1)}-${SPAN}-01`],
  ["trace id too long", `00-0${TRACE}-${SPAN}-01`],
  ["span id too short", `00-${TRACE}-${SPAN.slice(1)}-01`],
  ["span id too long", `00-${TRACE}-0${SPAN}-01`],
  ["upper-case trace id", `00-${TRACE.toUpperCase()}-${SPAN}-01`],
  ["upper-case span id", `00-${TRACE}-${SPAN.toUpperCase()}-01`],
  ["upper-case flags", `00-${TRACE}-${SPAN}-0A`],
  ["illegal character in the trace id", `00-.${TRACE.slice(1)}-${SPAN}-01`],
  ["flags of one digit", `00-${TRACE}-${SPAN}-1`],
  ["flags of three digits", `00-${TRACE}-${SPAN}-001`],
  ["no flags", `00-${TRACE}-${SPAN}`],
  ["underscores", `00_${TRACE}_${SPAN}_01`],
  ["blanks around", ` 00-${TRACE}-${SPAN}-01 `],
  ["line end", `00-${TRACE}-${SPAN}-01\n`],
  ["two of them", `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`],
  ["two of a version to come", `cc-${TRACE}-${SPAN}-01-x, cc-${TRACE}-${SPAN}-01`],
  ["far too long", `cc-${TRACE}-${SPAN}-01-${"x".repeat(1000)}`],
];

for (const [value, flags] of ACCEPTED) {
  Deno.test(`parseTraceparent() takes ${value}`, () => {
    assert.deepEqual(parseTraceparent(value), {
      traceId: TRACE,
      spanId: SPAN,
      traceFlags: flags,
      isRemote: true,
    });
  });
}

for (const [why, value] of IGNORED) {
  Deno.test(`parseTraceparent() ignores: ${why}`, () => {
    assert.equal(parseTraceparent(value), undefined);
  });
}

Deno.test("formatTraceparent() is what parseTraceparent() reads", () => {
  const hex = (length: number): fc.Arbitrary<string> =>
    fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: length, maxLength: length })
      .filter((digits) => !/^0+$/.test(digits));
  fc.assert(fc.property(hex(32), hex(16), fc.constantFrom(0, 1), (traceId, spanId, traceFlags) => {
    const ids = { traceId, spanId, traceFlags, isRemote: true };
    assert.deepEqual(parseTraceparent(formatTraceparent(ids)), ids);
  }));
});

Deno.test("formatTraceparent() writes version 00 and no flag but the sampled one", () => {
  assert.equal(
    formatTraceparent({ traceId: TRACE, spanId: SPAN, traceFlags: 0xff }),
    `00-${TRACE}-${SPAN}-01`,
  );
});
