/**
 * Arena: a hostile guest's call beside an honest one of another tenant in the same cell, and everything that has to
 * be true of both afterwards.
 *
 * Owns the gateway with its single cell, the order of the two calls and the checks of answer, trace, log lines, bill
 * and cell. Which attacks there are is said by the tests. Invariant: an attack that passes has left a whole trace
 * and a cell that serves.
 */
import assert from "node:assert/strict";
import { awaitTrace } from "../support/await_trace.ts";
import { Collector } from "../support/collector.ts";
import type { DecodedSpan } from "../support/collector.ts";
import { type Deployed, type GatewayOptions, TestGateway } from "../support/gateway.ts";
import { buildSpanTree, walkSpans } from "../support/span_tree.ts";
import { type Attack, DEADLINE_MS, type Expected, timeout } from "./attack.ts";
import { assertNested, CALL_SPANS } from "./call_trace.ts";
import { assertProblem } from "./problem.ts";

/** How many times longer it may take while the machine is busy with something else. */
const PATIENCE = [1, 4, 16];
/** Most spans of `wasi_cuda.*` of one call (observability contract). */
const GPU_SPANS_MAX = 64;
const HONEST = { "x-tensorwasm-tenant": "1" };
const ATTACKER = { "x-tensorwasm-tenant": "666" };
const [SPAWN, CALL, TERMINATE] = [
  "tensor_wasm_exec::executor::spawn_instance",
  "tensor_wasm_exec::executor::call_export_with_args",
  "tensor_wasm_exec::executor::terminate",
] as const;

/** What a call has cost: headers of its answer, and attributes of its span. */
const USAGE = [
  ["x-tensorwasm-fuel", "fuel"],
  ["x-tensorwasm-yields", "yields"],
  ["x-tensorwasm-cpu-us", "cpu_us"],
  ["x-tensorwasm-memory-bytes", "memory_bytes"],
] as const;
const STATUS_ERROR = 2;

/** A gateway of one cell, where an attacker and an honest tenant meet. */
export class Arena implements AsyncDisposable {
  readonly gateway: TestGateway;
  readonly #collector: Collector;
  readonly #deployed = new Map<string, Promise<Deployed>>();

  static async start(flags: readonly string[] = [], env: GatewayOptions["env"] = {}): Promise<Arena> {
    const collector = new Collector();
    const gateway = await TestGateway.start({
      // Attacks that are to meet another limit have the time for it, on a slow machine too.
      flags: ["--cells-min", "1", "--cells-max", "1", "--deadline-ms", "300000", ...flags],
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, OTEL_BSP_SCHEDULE_DELAY: "50", ...env },
    });
    await gateway.deploy("add", undefined, HONEST);
    return new Arena(gateway, collector);
  }

  private constructor(gateway: TestGateway, collector: Collector) {
    this.gateway = gateway;
    this.#collector = collector;
  }

  /** The processes that have ended so far. */
  get endedCells(): readonly unknown[] {
    return this.gateway.lines.filter((line) => line.message === "cell.ended");
  }

  /** Deploys a module of the attacker under a name of its own, once. */
  deploy(name: string, bytes?: Uint8Array<ArrayBuffer>): Promise<Deployed> {
    const known = this.#deployed.get(name);
    if (known !== undefined) return known;
    const deployed = bytes === undefined
      ? this.gateway.deploy(`hostile_${name}`, undefined, ATTACKER)
      : this.gateway.deploy(name, bytes, ATTACKER);
    this.#deployed.set(name, deployed);
    return deployed;
  }

  /** Sends a module that is to be refused, and returns the response. */
  async refuse(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<Response> {
    return await fetch(`${this.gateway.url}/functions?name=${encodeURIComponent(name)}`, {
      method: "POST",
      headers: { "content-type": "application/wasm", ...ATTACKER },
      body: bytes,
    });
  }

  /**
   * Runs an attack beside an honest call, and checks all there is to check. An honest call that comes too late may
   * do so for a busy machine: then both have longer, and only who is late however long it takes was held up.
   */
  async attack(attack: Attack): Promise<void> {
    if (attack.expected !== "timeout") {
      await this.#attackOnce(attack, attack.deadlineMs, attack.expected);
      return;
    }
    const shortestMs = attack.deadlineMs ?? DEADLINE_MS;
    for (const factor of PATIENCE) {
      const deadlineMs = shortestMs * factor;
      const { isHonestFirst } = await this.#attackOnce(attack, deadlineMs, timeout(deadlineMs));
      if (isHonestFirst) return;
    }
    assert.fail("the honest call was answered after the attacker's deadline");
  }

  async #attackOnce(
    attack: Attack,
    deadlineMs: number | undefined,
    expected: Expected,
  ): Promise<{ isHonestFirst: boolean }> {
    const { id } = await this.deploy(attack.guest);
    const endedBefore = this.endedCells.length;
    const traceId = newTraceId();
    let isOver = false;
    const response = this.#send(id, attack, deadlineMs, traceId).finally(() => isOver = true);
    response.catch(() => {});
    await this.#received(traceId);
    await this.assertHonest();
    const isHonestFirst = !isOver;
    const { headers } = await response;
    await assertAnswer(await response, expected);
    assertUsage(headers, await this.#assertTrace(traceId, expected));
    await this.#assertLines(traceId, expected);
    assert.deepEqual(this.endedCells.slice(endedBefore), []);
    return { isHonestFirst };
  }

  /** Sends an attacker's call and leaves before it is answered, once it runs beside an honest one. */
  async attackAndLeave(attack: Attack): Promise<void> {
    const { id } = await this.deploy(attack.guest);
    const endedBefore = this.endedCells.length;
    const traceId = newTraceId();
    const client = new AbortController();
    const response = this.#send(id, attack, attack.deadlineMs, traceId, client.signal);
    await this.#received(traceId);
    // When the honest call is answered, the attacker's is in the cell: it was there first.
    await this.assertHonest();
    client.abort();
    await assert.rejects(response, { name: "AbortError" });
    const spans = await awaitTrace(this.#collector, traceId);
    assertWhole(spans);
    const calls = spans.filter((span) => span.name === CALL);
    assert.ok(calls.every((span) => span.attributes["outcome"] === "cancelled"));
    await this.assertHonest();
    assert.deepEqual(this.endedCells.slice(endedBefore), []);
  }

  /** No process ended, nothing was a bug of ours, and nothing but log lines was printed. */
  assertUnharmed(): void {
    assert.deepEqual(this.endedCells, []);
    assert.deepEqual(this.gateway.lines.filter((line) => line["kind"] === "internal"), []);
    assert.deepEqual(this.gateway.strayLines, []);
  }

  /** An honest tenant's call answers what it should. */
  async assertHonest(): Promise<void> {
    const response = await this.gateway.invoke("add", { export: "add", args: [20, 22] }, HONEST);
    const text = await response.text();
    assert.equal(response.status, 200, text);
    assert.deepEqual(JSON.parse(text).result, [42]);
  }

  /** The trace is whole, and its call ended as expected; returns the span of the call. */
  async #assertTrace(traceId: string, expected: Expected): Promise<DecodedSpan> {
    const spans = await awaitTrace(this.#collector, traceId);
    assertWhole(spans);
    const call = spans.findLast((span) => span.name === CALL && span.attributes["export"] !== "_initialize");
    assert.ok(call !== undefined);
    const failed = expected.type === "failed";
    assert.equal(call.attributes["outcome"], failed ? expected.outcome : "returned");
    if (failed && expected.reason !== undefined) {
      assert.match(String(call.attributes["reason"]), expected.reason);
    }
    const spawn = spans.find((span) => span.name === SPAWN);
    assert.equal(spawn?.status.code, failed ? STATUS_ERROR : 0);
    return call;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway[Symbol.asyncDispose]();
    await this.#collector[Symbol.asyncDispose]();
  }

  #send(
    id: string,
    attack: Attack,
    deadlineMs: number | undefined,
    traceId: string,
    signal?: AbortSignal,
  ): Promise<Response> {
    const { input } = attack;
    const query = new URLSearchParams();
    if (input !== undefined && attack.export !== undefined) query.set("export", attack.export);
    return fetch(`${this.gateway.url}/functions/${id}/invoke?${query}`, {
      method: "POST",
      headers: {
        "content-type": input === undefined ? "application/json" : "application/octet-stream",
        accept: "application/json",
        traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
        ...ATTACKER,
        ...(deadlineMs === undefined ? {} : { "x-tensorwasm-deadline-ms": String(deadlineMs) }),
      },
      body: input ?? JSON.stringify({ export: attack.export, args: attack.args }),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  async #received(traceId: string): Promise<void> {
    await this.gateway.line((line) => line.message === "request.received" && line.trace_id === traceId);
  }

  /** The lines of a call: received first, completed last, and one that says how it failed. */
  async #assertLines(traceId: string, expected: Expected): Promise<void> {
    await this.gateway.line((line) => line.message === "request.completed" && line.trace_id === traceId);
    const lines = this.gateway.lines.filter((line) => line.trace_id === traceId);
    assert.equal(lines[0]?.message, "request.received");
    assert.equal(lines.at(-1)?.message, "request.completed");
    const failed = lines.filter((line) => line.message === "request.failed");
    assert.deepEqual(failed.map((line) => line["kind"]), expected.type === "failed" ? [expected.kind] : []);
  }
}

/**
 * Asserts that no span is missing, twice there or without its parent, and that each lies within its parent. Calls of
 * exports are one, or two with `_initialize`.
 */
function assertWhole(spans: readonly DecodedSpan[]): void {
  const tree = buildSpanTree(spans);
  assertNested(tree);
  const all = [...walkSpans(tree)];
  const every = all.map((span) => span.name).filter((name) => name !== CALL).sort();
  const names = every.filter((name) => !name.startsWith("wasi_cuda."));
  assert.ok(every.length - names.length <= GPU_SPANS_MAX, `${every.length - names.length} GPU spans`);
  assert.deepEqual(names, CALL_SPANS.filter((name) => name !== CALL));
  const exports = all.filter((span) => span.name === CALL).map((span) => span.attributes["export"]);
  assert.ok(
    exports.length === 1 || (exports.length === 2 && exports.includes("_initialize")),
    String(exports),
  );
  const terminate = all.find((span) => span.name === TERMINATE);
  assert.notEqual(String(terminate?.attributes["reason"] ?? ""), "");
}

async function assertAnswer(response: Response, expected: Expected): Promise<void> {
  if (expected.type === "failed") {
    await assertProblem(response, expected);
    return;
  }
  const text = await response.text();
  assert.equal(response.status, 200, text);
  if (expected.resultText === undefined) assert.deepEqual(JSON.parse(text).result, expected.result);
  else assert.equal(/"result":(\[[^\]]*\])/.exec(text)?.[1], expected.resultText);
}

/** A guest that was stopped has its bill like any other, the same in the answer and in the trace. */
function assertUsage(headers: Headers, call: DecodedSpan): void {
  for (const [header, attribute] of USAGE) {
    assert.match(headers.get(header) ?? "", /^[0-9]+$/, header);
    assert.equal(headers.get(header), String(call.attributes[attribute]), header);
  }
}

function newTraceId(): string {
  return crypto.getRandomValues(new Uint8Array(16)).toHex();
}
