/**
 * Structured control flow: every graph, nested or dispatched, visits the blocks that it says.
 *
 * Owns a small machine: each node leaves its number in memory and chooses its way by the next random bit, until
 * its steps are used up. Invariant: the trace that a graph must give is walked here, without WebAssembly.
 */
import assert from "node:assert/strict";
import { emitStructured, loopBodies, orderGraph } from "../../../../gpu/ptx/emit/structure.ts";
import { Code } from "../../../../gpu/ptx/wasm/code.ts";
import { ModuleWriter } from "../../../../gpu/ptx/wasm/module_writer.ts";
import { Random } from "../generate/random.ts";

const STEPS_MAX = 200;

/** Up to two ways out of every node; the entry is 0, and every node can be reached. */
function randomGraph(random: Random, isReducible: boolean): number[][] {
  const size = random.between(1, 14);
  const successors = Array.from({ length: size }, (): number[] => []);
  for (let node = 1; node < size; node++) {
    const from = random.below(node);
    const free = [from, ...Array.from({ length: node }, (_, each) => each)].find((each) =>
      (successors[each]?.length ?? 2) < 2
    );
    successors[free ?? 0]?.push(node);
  }
  for (let edge = random.below(2 * size); edge > 0; edge--) {
    const [from, to] = [random.below(size), random.below(size)];
    if ((successors[from]?.length ?? 2) < 2 && !(isReducible && to <= from && to !== 0)) {
      successors[from]?.push(to);
    }
  }
  return successors;
}

/** What a run visits: nodes in order, choosing by the bits. */
function walk(successors: readonly (readonly number[])[], bits: readonly number[]): number[] {
  const visited: number[] = [];
  for (let node: number | undefined = 0; node !== undefined && visited.length < STEPS_MAX;) {
    visited.push(node);
    const ways: readonly number[] = successors[node] ?? [];
    node = ways.length === 2 ? ways[bits[visited.length - 1] ?? 0] : ways[0];
  }
  return visited;
}

/** The graph as a function that leaves its trace in memory, run with the bits. */
function run(successors: readonly (readonly number[])[], bits: readonly number[]): number[] {
  const graph = orderGraph({ successors });
  const writer = new ModuleWriter();
  writer.importMemory("memory", { pagesMin: 1, pagesMax: 16, isShared: false });
  const index = writer.declare([], ["i32"]);
  const code = new Code([], ["i32"]);
  const step = code.local("i32");
  const end = code.block();
  const pushPlace = (): void => {
    code.get(step);
    code.op("i64ExtendI32U");
  };
  emitStructured(code, graph, {
    loopHead: () => {},
    node: (place, go) => {
      code.get(step);
      code.i32(STEPS_MAX);
      code.op("i32GeU");
      code.brIf(end);
      pushPlace();
      code.i32(graph.order[place] ?? -1);
      code.memory("i32Store8", 0);
      code.get(step);
      code.i32(1);
      code.op("i32Add");
      code.set(step);
      const ways = (successors[graph.order[place] ?? 0] ?? []).map((to) => graph.placeOf[to] ?? -1);
      const [first, second] = ways;
      if (first === undefined) return code.br(end);
      if (second === undefined) return go(first);
      pushPlace();
      code.memory("i32Load8U", STEPS_MAX - 1);
      code.if();
      go(second);
      code.else();
      go(first);
      code.end();
    },
  });
  code.end();
  code.get(step);
  writer.define(index, code);
  writer.export("run", "function", index);
  const memory = new WebAssembly.Memory(
    { address: "i64", initial: 1n, maximum: 16n } as unknown as WebAssembly.MemoryDescriptor,
  );
  const bytes = new Uint8Array(memory.buffer);
  bytes.set(bits, STEPS_MAX);
  const module = new WebAssembly.Module(writer.finish().bytes);
  const { exports } = new WebAssembly.Instance(module, { k: { memory } });
  const steps = (exports["run"] as () => number)();
  return [...bytes.subarray(0, steps)];
}

function randomBits(random: Random): number[] {
  return Array.from({ length: STEPS_MAX }, () => random.below(2));
}

for (const isReducible of [true, false]) {
  Deno.test(`random ${isReducible ? "graphs without ways into loops" : "graphs"} visit what they say`, () => {
    let reducible = 0;
    for (let seed = 0; seed < 150; seed++) {
      const random = new Random(seed);
      const successors = randomGraph(random, isReducible);
      if (orderGraph({ successors }).isReducible) reducible++;
      for (let turn = 0; turn < 3; turn++) {
        const bits = randomBits(random);
        assert.deepEqual(
          run(successors, bits),
          walk(successors, bits),
          `seed ${seed}: ${JSON.stringify(successors)}`,
        );
      }
    }
    // Both ways of emitting must have been tried.
    assert.ok(isReducible ? reducible === 150 : reducible > 10 && reducible < 145, `${reducible}`);
  });
}

Deno.test("a graph too deep to nest visits what it says", () => {
  const depth = 700;
  // Node n goes on to n + 1, or to the way back, which is one node for each.
  const successors = [
    ...Array.from({ length: depth }, (_, node) => [node + 1, 2 * depth - node]),
    ...Array.from({ length: depth }, (_, node) => [depth + node + 1]),
    [],
  ].map((ways) => ways.map((to) => Math.min(to, 2 * depth)));
  const bits = Array.from({ length: STEPS_MAX }, (_, step) => step === 150 ? 1 : 0);
  assert.deepEqual(
    run(successors, bits).map((byte) => byte),
    walk(successors, bits).map((node) => node & 0xff),
  );
});

Deno.test("a long row of ifs nests no deeper than one", () => {
  const successors = Array.from({ length: 3 * 60 }, (_, node) => {
    if (node % 3 === 0) return [node + 1, node + 2];
    return node % 3 === 1 ? [node + 2] : node + 1 < 3 * 60 ? [node + 1] : [];
  }).map((ways) => ways.filter((to) => to < 3 * 60));
  const bits = randomBits(new Random(7));
  assert.deepEqual(run(successors, bits), walk(successors, bits));
});

Deno.test("orderGraph() knows a way into a loop from one that goes round it", () => {
  assert.equal(orderGraph({ successors: [[1], [2, 3], [1], []] }).isReducible, true);
  assert.equal(orderGraph({ successors: [[1, 2], [2], [1]] }).isReducible, false);
  assert.deepEqual([...orderGraph({ successors: [[0]] }).headers], [0]);
});

Deno.test("loopBodies() gives each node to its innermost loop", () => {
  // 0 -> 1 (outer) -> 2 (inner) -> 3 -> 2; 3 -> 4 -> 1; 4 -> 5.
  const graph = orderGraph({ successors: [[1], [2], [3], [2, 4], [1, 5], []] });
  const bodies = new Map(
    [...loopBodies(graph)].map(([header, nodes]) => [header, nodes.toSorted((a, b) => a - b)]),
  );
  assert.deepEqual(bodies, new Map([[2, [2, 3]], [1, [1, 4]]]));
});

Deno.test("loopBodies() of random graphs leaves out no node that lies on a way back to a header", () => {
  for (let seed = 0; seed < 100; seed++) {
    const successors = randomGraph(new Random(seed), false);
    const graph = orderGraph({ successors });
    const inLoop = new Set([...loopBodies(graph).values()].flat());
    const ways = graph.order.map((node) => (successors[node] ?? []).map((to) => graph.placeOf[to] ?? -1));
    for (const header of graph.headers) assert.ok(inLoop.has(header), `seed ${seed}`);
    if (!graph.isReducible) continue;
    ways.forEach((list, place) => {
      const seen = new Set<number>();
      const pending = [...list];
      for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
        if (seen.has(at)) continue;
        seen.add(at);
        pending.push(...ways[at] ?? []);
      }
      assert.equal(
        inLoop.has(place),
        seen.has(place),
        `seed ${seed}: place ${place} of ${JSON.stringify(ways)}`,
      );
    });
  }
});
