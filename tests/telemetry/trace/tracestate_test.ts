import assert from "node:assert/strict";
import { parseTracestate } from "../../../telemetry/trace/tracestate.ts";

function carried(header: string): string | undefined {
  return parseTracestate(header)?.serialize();
}

function members(count: number, size = 2): string {
  return Array.from({ length: count }, (_, index) => `k${index}=${"v".repeat(size)}`).join(",");
}

Deno.test("parseTracestate() carries members in their order", () => {
  assert.equal(carried("foo=1,bar=2,0tenant@system=3"), "foo=1,bar=2,0tenant@system=3");
});

Deno.test("parseTracestate() takes blanks and empty members between commas", () => {
  assert.equal(carried("foo=1 \t , \t bar=2,\t,,"), "foo=1,bar=2");
});

Deno.test("parseTracestate() keeps blanks and equals signs apart", () => {
  assert.equal(carried("foo= 1"), "foo= 1");
  assert.equal(carried("foo=1=2"), undefined);
});

for (
  const header of [
    "",
    ",",
    " ,\t",
    "foo",
    "=1",
    "foo=",
    "foo =1",
    "FOO=1",
    "foo.bar=1",
    "foo=b\u00e4r",
    "foo=\u007f",
  ]
) {
  Deno.test(`parseTracestate() drops ${JSON.stringify(header)}`, () =>
    assert.equal(carried(header), undefined));
}

for (const key of ["foo@=1", "@foo=1", "foo@@bar=1", "foo@bar@baz=1", "foo@1=1"]) {
  Deno.test(`parseTracestate() drops the vendor key ${key}`, () => assert.equal(carried(key), undefined));
}

Deno.test("parseTracestate() drops all for one malformed member", () => {
  assert.equal(carried("foo=1,b@d@=2"), undefined);
});

Deno.test("parseTracestate() takes 32 members and drops all of 33", () => {
  assert.equal(carried(members(32)), members(32));
  assert.equal(carried(members(33)), undefined);
});

Deno.test("parseTracestate() bounds the length of keys and values", () => {
  assert.notEqual(carried(`${"z".repeat(256)}=1`), undefined);
  assert.equal(carried(`${"z".repeat(257)}=1`), undefined);
  assert.notEqual(carried(`${"t".repeat(241)}@${"v".repeat(14)}=1`), undefined);
  assert.equal(carried(`${"t".repeat(242)}@${"v".repeat(14)}=1`), undefined);
  assert.equal(carried(`t@${"v".repeat(15)}=1`), undefined);
  assert.notEqual(carried(`a=${"v".repeat(256)}`), undefined);
  assert.equal(carried(`a=${"v".repeat(257)}`), undefined);
});

Deno.test("parseTracestate() keeps the first of a doubled key", () => {
  assert.equal(carried("foo=1,bar=2,foo=3"), "foo=1,bar=2");
});

Deno.test("parseTracestate() carries 512 characters and sheds the oldest member of 513", () => {
  const fits = `${members(4, 120)},last=${"v".repeat(11)}`;
  assert.equal(fits.length, 512);
  assert.equal(carried(fits), fits);
  assert.equal(carried(`${fits}v`), members(4, 120));
});

Deno.test("parseTracestate() sheds members over 128 characters first", () => {
  const long = `long=${"v".repeat(200)}`;
  assert.equal(carried(`${long},${members(4, 100)}`), members(4, 100));
});

Deno.test("TraceState.set() puts the member first, unset() removes it", () => {
  const state = parseTracestate("a=1,b=2");
  assert.equal(state?.set("b", "3").serialize(), "b=3,a=1");
  assert.equal(state?.set("B", "3").serialize(), "a=1,b=2");
  assert.equal(state?.unset("a").serialize(), "b=2");
  assert.equal(state?.get("a"), "1");
});
