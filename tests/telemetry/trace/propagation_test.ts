import assert from "node:assert/strict";
import {
  extractRemote,
  injectContext,
  NO_REMOTE,
  type Propagators,
  writeResponseHeaders,
} from "../../../telemetry/trace/propagation.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";
const TRACEPARENT = `00-${TRACE}-${SPAN}-01`;

Deno.test("extractRemote() reads parent, state and baggage", () => {
  const headers = new Headers({ TraceParent: TRACEPARENT, tracestate: "v=1", baggage: "a=1" });
  const { parent, baggage, traceparent } = extractRemote(headers);
  assert.equal(parent?.traceId, TRACE);
  assert.equal(parent?.spanId, SPAN);
  assert.equal(parent?.traceFlags, 1);
  assert.equal(parent?.isRemote, true);
  assert.equal(parent?.traceState?.serialize(), "v=1");
  assert.equal(parent?.baggage, "a=1");
  assert.equal(baggage, "a=1");
  assert.equal(traceparent, TRACEPARENT);
});

Deno.test("extractRemote() makes a fresh root of no headers", () => {
  assert.deepEqual(extractRemote(new Headers()), {
    parent: null,
    baggage: undefined,
    traceparent: "unknown",
  });
});

Deno.test("extractRemote() makes a fresh root of a malformed traceparent and does not repeat it", () => {
  const remote = extractRemote(new Headers({ traceparent: "evil", tracestate: "v=1" }));
  assert.deepEqual(remote, { parent: null, baggage: undefined, traceparent: "unknown" });
});

Deno.test("extractRemote() makes a fresh root of two traceparent headers", () => {
  const headers = new Headers();
  headers.append("traceparent", TRACEPARENT);
  headers.append("traceparent", TRACEPARENT);
  assert.equal(extractRemote(headers).parent, null);
});

Deno.test("extractRemote() joins several tracestate headers", () => {
  const headers = new Headers({ traceparent: TRACEPARENT });
  headers.append("tracestate", "a=1");
  headers.append("tracestate", "b=2");
  assert.equal(extractRemote(headers).parent?.traceState?.serialize(), "a=1,b=2");
});

Deno.test("extractRemote() keeps the parent when only tracestate is malformed", () => {
  const remote = extractRemote(new Headers({ traceparent: TRACEPARENT, tracestate: "a" }));
  assert.equal(remote.parent?.traceId, TRACE);
  assert.equal(remote.parent?.traceState, undefined);
});

Deno.test("extractRemote() keeps baggage of a caller without a trace", () => {
  const remote = extractRemote(new Headers({ baggage: "a=1" }));
  assert.deepEqual(remote, { parent: null, baggage: "a=1", traceparent: "unknown" });
});

Deno.test("injectContext() writes what extractRemote() reads", () => {
  const first = new Headers({ traceparent: TRACEPARENT, tracestate: "v=1,w=2", baggage: "a=1;p" });
  const { parent } = extractRemote(first);
  assert.ok(parent !== null);
  const second = new Headers();
  injectContext(second, parent);
  assert.deepEqual([...second].toSorted(), [...first].toSorted());
});

Deno.test("injectContext() writes no empty headers", () => {
  const headers = new Headers();
  injectContext(headers, { traceId: TRACE, spanId: SPAN, traceFlags: 0 });
  assert.deepEqual([...headers], [["traceparent", `00-${TRACE}-${SPAN}-00`]]);
});

Deno.test("writeResponseHeaders() names the trace", () => {
  const headers = new Headers();
  writeResponseHeaders(headers, { traceId: TRACE, spanId: SPAN, traceFlags: 1 });
  assert.equal(headers.get("x-trace-id"), TRACE);
  assert.equal(headers.get("traceresponse"), TRACEPARENT);
});

Deno.test("extractRemote() and injectContext() leave alone what is not wanted", () => {
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const sent = new Headers({ traceparent, tracestate: "a=1", baggage: "b=2" });
  const write = (wanted: Propagators): Record<string, string> => {
    const headers = new Headers();
    const { parent } = extractRemote(sent);
    assert.ok(parent !== null);
    injectContext(headers, parent, wanted);
    return Object.fromEntries(headers);
  };
  const traceOnly = { traceContext: true, baggage: false };
  assert.equal(extractRemote(sent, traceOnly).baggage, undefined);
  assert.equal(extractRemote(sent, traceOnly).parent?.traceId, "4bf92f3577b34da6a3ce929d0e0e4736");
  assert.deepEqual(write(traceOnly), { traceparent, tracestate: "a=1" });
  const baggageOnly = { traceContext: false, baggage: true };
  assert.deepEqual(extractRemote(sent, baggageOnly), {
    parent: null,
    baggage: "b=2",
    traceparent: "unknown",
  });
  assert.deepEqual(write(baggageOnly), { baggage: "b=2" });
  const none = { traceContext: false, baggage: false };
  assert.equal(extractRemote(sent, none), NO_REMOTE);
  assert.deepEqual(write(none), {});
});
