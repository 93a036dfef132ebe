/**
 * W3C Trace Context (Recommendation of 23 November 2021) and Baggage from end to end: raw header lines into a service
 * that calls another, and what arrives there. The parsers' own tables are in traceparent_test.ts and its neighbours.
 *
 * Deno's Headers hands several lines of a name over as one, joined by ", ": two `traceparent` lines are then no
 * traceparent, because none has a comma, and several `tracestate` lines are the one list that they are meant to be.
 */
import assert from "node:assert/strict";
import { RawConnection } from "../../flow/raw_http.ts";
import { TestTelemetry } from "../../support/telemetry.ts";
import { makeW3cService } from "../../tools/w3c_service.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";
const PARENT = `00-${TRACE}-${SPAN}-01`;
const OTHER = `00-${"1".repeat(32)}-${"2".repeat(16)}-01`;

let started: TestTelemetry;
let service: Deno.HttpServer<Deno.NetAddr>;
let callee: Deno.HttpServer<Deno.NetAddr>;
let arrived: Headers[] = [];

Deno.test.beforeAll(() => {
  started = new TestTelemetry();
  service = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    makeW3cService(started.telemetry.tracer),
  );
  callee = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    arrived.push(request.headers);
    return new Response();
  });
});
Deno.test.afterAll(async () => {
  await service.shutdown();
  await callee.shutdown();
  await started[Symbol.asyncDispose]();
});

/** Sends header lines as they are, has the service call `count` times, and returns what arrived. */
async function send(lines: readonly string[], count = 1): Promise<Headers[]> {
  arrived = [];
  const order = { url: `http://127.0.0.1:${callee.addr.port}/`, arguments: [] };
  const body = JSON.stringify(Array(count).fill(order));
  using connection = await RawConnection.open(`http://127.0.0.1:${service.addr.port}`);
  await connection.sendHead("POST /test", [...lines, `content-length: ${body.length}`]);
  await connection.send(body);
  assert.equal((await connection.read())?.status, 200);
  assert.equal(arrived.length, count);
  return arrived;
}

/** The parts of the `traceparent` that arrived; it is well-formed, whatever came in. */
function traceparentOf(headers: Headers | undefined): { traceId: string; spanId: string; flags: string } {
  const value = headers?.get("traceparent") ?? "";
  const match = /^00-([0-9a-f]{32})-([0-9a-f]{16})-(0[01])$/.exec(value);
  assert.ok(match !== null, `traceparent: ${value}`);
  const [, traceId = "", spanId = "", flags = ""] = match;
  assert.doesNotMatch(traceId, /^0+$/);
  assert.doesNotMatch(spanId, /^0+$/);
  return { traceId, spanId, flags };
}

async function stateOf(...lines: readonly string[]): Promise<string | null | undefined> {
  const [headers] = await send([`traceparent: ${PARENT}`, ...lines]);
  assert.equal(traceparentOf(headers).traceId, TRACE, "a tracestate never costs the trace");
  return headers?.get("tracestate");
}

// traceparent (§3.2, §4.3).

const JOINED: readonly (readonly [what: string, lines: readonly string[], flags: string])[] = [
  ["as it should be", [`traceparent: ${PARENT}`], "01"],
  ["not sampled", [`traceparent: 00-${TRACE}-${SPAN}-00`], "00"],
  ["unknown flags, of which none is handed on", [`traceparent: 00-${TRACE}-${SPAN}-fe`], "00"],
  ["upper case in the name", [`TRACEPARENT: ${PARENT}`], "01"],
  ["mixed case in the name", [`TrAcEpArEnT: ${PARENT}`], "01"],
  ["white space around", [`traceparent:  \t ${PARENT}\t `], "01"],
  ["a version to come", [`traceparent: cc-${TRACE}-${SPAN}-01`], "01"],
  ["a version to come with more", [`traceparent: cc-${TRACE}-${SPAN}-01-what-the-future-holds`], "01"],
];
for (const [what, lines, flags] of JOINED) {
  Deno.test(`the trace goes on: ${what}`, async () => {
    const [headers] = await send(lines);
    const got = traceparentOf(headers);
    assert.equal(got.traceId, TRACE);
    assert.notEqual(got.spanId, SPAN);
    assert.equal(got.flags, flags);
  });
}

const FRESH: readonly (readonly [what: string, ...lines: string[]])[] = [
  ["none at all"],
  ["version ff", `traceparent: ff-${TRACE}-${SPAN}-01`],
  ["version 00 with more", `traceparent: 00-${TRACE}-${SPAN}-01-more`],
  ["version 00 with a dot", `traceparent: 00-${TRACE}-${SPAN}-01.`],
  ["a version to come with more that no dash begins", `traceparent: cc-${TRACE}-${SPAN}-01.more`],
  ["upper-case digits", `traceparent: 00-${TRACE.toUpperCase()}-${SPAN}-01`],
  ["trace id of zeros", `traceparent: 00-${"0".repeat(32)}-${SPAN}-01`],
  ["span id of zeros", `traceparent: 00-${TRACE}-${"0".repeat(16)}-01`],
  ["trace id too short", `traceparent: 00-${TRACE.slice(1)}-${SPAN}-01`],
  ["trace id too long", `traceparent: 00-${TRACE}1-${SPAN}-01`],
  ["span id too short", `traceparent: 00-${TRACE}-${SPAN.slice(1)}-01`],
  ["span id too long", `traceparent: 00-${TRACE}-${SPAN}1-01`],
  ["flags too short", `traceparent: 00-${TRACE}-${SPAN}-1`],
  ["flags too long", `traceparent: 00-${TRACE}-${SPAN}-001`],
  ["flags that are no digits", `traceparent: 00-${TRACE}-${SPAN}-.0`],
  ["version of one digit", `traceparent: 0-${TRACE}-${SPAN}-01`],
  ["version that is no digits", `traceparent: .0-${TRACE}-${SPAN}-01`],
  ["another name", `trace-parent: ${PARENT}`, `trace.parent: ${PARENT}`],
  ["two of them", `traceparent: ${OTHER}`, `traceparent: ${PARENT}`],
  ["the same twice", `traceparent: ${PARENT}`, `traceparent: ${PARENT}`],
  ["one that is good and one that is not", `traceparent: ${PARENT}`, "traceparent: bad"],
  ["two in one line", `traceparent: ${OTHER},${PARENT}`],
  ["an empty one", "traceparent:"],
];
for (const [what, ...lines] of FRESH) {
  Deno.test(`a fresh trace: ${what}`, async () => {
    const [headers] = await send([...lines, "tracestate: a=1"]);
    const { traceId } = traceparentOf(headers);
    assert.notEqual(traceId, TRACE);
    assert.notEqual(traceId, "1".repeat(32));
    assert.equal(headers?.get("tracestate"), null, "the state of a trace that is not joined goes with it");
  });
}

Deno.test("every call has a span of its own in one trace", async () => {
  const ids = (await send([`traceparent: ${PARENT}`], 3)).map(traceparentOf);
  assert.deepEqual(ids.map(({ traceId }) => traceId), [TRACE, TRACE, TRACE]);
  assert.equal(new Set([SPAN, ...ids.map(({ spanId }) => spanId)]).size, 4);
});

// tracestate (§3.3).

Deno.test("tracestate: several lines are one list, in their order, empty ones among them", async () => {
  assert.equal(await stateOf("tracestate: foo=1", "tracestate: bar=2"), "foo=1,bar=2");
  assert.equal(await stateOf("tracestate: foo=1", "tracestate:", "tracestate: bar=2"), "foo=1,bar=2");
  assert.equal(await stateOf("TraceState: foo=1,bar=2", "tracestate: baz=3,"), "foo=1,bar=2,baz=3");
});

Deno.test("tracestate: white space and empty members between commas count for nothing", async () => {
  assert.equal(await stateOf("tracestate: \t foo=1 \t , \t bar=2,,\t, baz=3 \t"), "foo=1,bar=2,baz=3");
});

Deno.test("tracestate: another name is none", async () => {
  assert.equal(await stateOf("trace-state: foo=1", "trace.state: foo=1"), null);
});

Deno.test("tracestate: keys of tenants, and every character that keys and values may have", async () => {
  const key = "abcdefghijklmnopqrstuvwxyz0123456789_-*/";
  const value = Array.from({ length: 0x7e - 0x20 }, (_, index) => String.fromCharCode(0x21 + index))
    .filter((character) => character !== "," && character !== "=").join("");
  for (const member of [`${key}=1`, `0${key.slice(1)}@a-z0-9_-*/=1`, `a=${value}`, `a= ${value}`]) {
    assert.equal(await stateOf(`tracestate: ${member}`), member);
  }
});

Deno.test("tracestate: with a member that is malformed it is dropped whole", async () => {
  const members = [
    "foo",
    "foo=",
    "=1",
    "FOO=1",
    "foo =1",
    "foo.bar=1",
    "foo@=1",
    "@foo=1",
    "a@b@c=1",
    "foo=1=2",
  ];
  for (const member of [...members, "foo@1bar=1", `${"z".repeat(257)}=1`, `a=${"v".repeat(257)}`]) {
    assert.equal(await stateOf(`tracestate: ok=1,${member}`), null, member);
  }
});

Deno.test("tracestate: the lengths of keys", async () => {
  for (
    const [key, isTaken] of [
      ["z".repeat(256), true],
      ["z".repeat(257), false],
      [`${"t".repeat(241)}@${"v".repeat(14)}`, true],
      [`${"t".repeat(242)}@v`, false],
      [`t@${"v".repeat(15)}`, false],
    ] as const
  ) {
    assert.equal(await stateOf(`tracestate: ${key}=1`), isTaken ? `${key}=1` : null, key);
  }
});

Deno.test("tracestate: 32 members are carried, 33 are not, over several lines as well", async () => {
  const members = Array.from({ length: 32 }, (_, index) => `k${index}=${index}`);
  assert.equal(await stateOf(`tracestate: ${members.join(",")}`), members.join(","));
  assert.equal(await stateOf(...members.map((member) => `tracestate: ${member}`)), members.join(","));
  assert.equal(await stateOf(`tracestate: ${members.join(",")}`, "tracestate: one=more"), null);
});

Deno.test("tracestate: of a doubled key one is kept, and the trace with it", async () => {
  assert.equal(await stateOf("tracestate: foo=1,bar=2,foo=3"), "foo=1,bar=2");
  assert.equal(await stateOf("tracestate: foo=1", "tracestate: foo=1"), "foo=1");
});

Deno.test("tracestate: 512 characters are carried whole; of more the long and the old members go", async () => {
  const fits = Array.from({ length: 4 }, (_, index) => `k${index}=${"v".repeat(124)}`).join(",");
  assert.equal(fits.length, 511);
  assert.equal(await stateOf(`tracestate: ${fits}`), fits);
  assert.equal(await stateOf(`tracestate: ${fits},x=1`), fits);
  assert.equal(await stateOf(`tracestate: long=${"v".repeat(200)},${fits}`), fits);
});

// Baggage (§3.3).

Deno.test("baggage is carried on, also without a trace; what is malformed is left out", async () => {
  const [joined] = await send([`traceparent: ${PARENT}`, "baggage: a=1;p=2, b=%20", "baggage: c = 3"]);
  assert.equal(joined?.get("baggage"), "a=1;p=2,b=%20,c = 3");
  const [fresh] = await send(["baggage: a=1,=2,b c=3,d=4"]);
  assert.equal(fresh?.get("baggage"), "a=1,d=4");
});

Deno.test("baggage: 64 members and 8192 bytes are carried, and no more", async () => {
  const members = Array.from({ length: 65 }, (_, index) => `k${index}=v`);
  const [headers] = await send([`baggage: ${members.join(",")}`]);
  assert.equal(headers?.get("baggage"), members.slice(0, 64).join(","));
  const large = Array.from({ length: 4 }, (_, index) => `k${index}=${"v".repeat(2500)}`);
  const [cut] = await send([`baggage: ${large.join(",")}`]);
  assert.equal(cut?.get("baggage"), large.slice(0, 3).join(","));
});
