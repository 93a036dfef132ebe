/**
 * References of graphs.cu: sparse matrices and graphs in compressed rows.
 *
 * Owns how such are made, with empty and with long rows. Invariant: sums run over a row from left to right, by
 * lanes where a warp does it.
 */
import { fma, fmaf } from "./arithmetic.ts";
import {
  at,
  blocksFor,
  buffer,
  CaseTable,
  exactly,
  f64,
  i32,
  inAnyOrder,
  type KernelCase,
} from "./kernel_case.ts";
import type { Random } from "./random.ts";
import { shuffleDownSum } from "./reduce.ts";

type Ints = Int32Array<ArrayBuffer>;

interface Graph {
  readonly n: number;
  readonly rows: Ints;
  readonly columns: Ints;
}

function makeGraph(random: Random, n: number): Graph {
  const rows = new Int32Array(n + 1);
  for (let i = 0; i < n; i++) {
    rows[i + 1] = at(rows, i) + (i % 11 === 5 ? 0 : i % 17 === 3 ? 70 : random.below(6));
  }
  return { n, rows, columns: random.i32s(at(rows, n), 0, n) };
}

function edgesOf({ rows }: Graph, node: number): number[] {
  return Array.from({ length: at(rows, node + 1) - at(rows, node) }, (_, i) => at(rows, node) + i);
}

const UNREACHED = 2 ** 31 - 1;

export function graphsCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  for (const [n, block] of [[1, 32], [200, 64], [500, 128]] as const) {
    const shape = `n=${n} block=${block}`;
    for (const kernel of ["spmv_scalar", "spmv_vector"]) {
      table.add(kernel, shape, (random) => {
        const graph = makeGraph(random, n);
        const [values, x, y] = [random.f32s(graph.columns.length), random.f32s(n), random.f32s(n)];
        const add = (sum: number, edge: number): number =>
          fmaf(at(values, edge), at(x, at(graph.columns, edge)), sum);
        const byLane = (edges: number[]): number =>
          shuffleDownSum(
            Array.from({ length: 32 }, (_, lane) => edges.filter((_, i) => i % 32 === lane).reduce(add, 0)),
          );
        const of = (row: number): number => {
          const edges = edgesOf(graph, row);
          return kernel === "spmv_scalar" ? edges.reduce(add, 0) : byLane(edges);
        };
        return {
          grid: blocksFor(kernel === "spmv_scalar" ? n : 32 * n, block),
          block,
          args: [...[graph.rows, graph.columns, values, x, y].map((data) => buffer(data)), i32(n)],
          expected: () => [exactly(y, y.map((_, row) => of(row)))],
        };
      });
    }
    table.add("bfs_step", shape, (random) => {
      const graph = makeGraph(random, n);
      const [depth, changed] = [random.i32s(n, -2, 3).map((d) => Math.max(d, -1)), Int32Array.of(0)];
      const values = depth.slice();
      for (let node = 0; node < n; node++) {
        if (at(depth, node) !== 1) continue;
        for (const edge of edgesOf(graph, node)) {
          if (at(depth, at(graph.columns, edge)) === -1) values[at(graph.columns, edge)] = 2;
        }
      }
      return {
        grid: blocksFor(n, block),
        block,
        args: [...[graph.rows, graph.columns, depth, changed].map((data) => buffer(data)), i32(n), i32(1)],
        expected: () => [
          exactly(depth, values),
          exactly(changed, Int32Array.of(values.some((value, i) => value !== at(depth, i)) ? 1 : 0)),
        ],
      };
    });
    table.add("bfs_queue", shape, (random) => {
      const graph = makeGraph(random, n);
      const depth = random.i32s(n, -2, 2).map((d) => Math.max(d, -1));
      const queue = Int32Array.from(depth.keys()).filter((node) => at(depth, node) === 1);
      const found = new Set(
        Array.from(queue).flatMap((node) => edgesOf(graph, node).map((edge) => at(graph.columns, edge)))
          .filter((node) => at(depth, node) === -1),
      );
      const [next, count] = [new Int32Array(n).fill(-1), Int32Array.of(0)];
      const nodes = next.slice();
      nodes.set([...found]);
      return {
        grid: blocksFor(queue.length, block),
        block,
        args: [
          ...[graph.rows, graph.columns, depth, queue].map((data) => buffer(data)),
          i32(queue.length),
          buffer(next),
          buffer(count),
          i32(1),
        ],
        expected: () => [
          exactly(depth, depth.map((old, node) => found.has(node) ? 2 : old)),
          inAnyOrder(next, nodes),
          exactly(count, Int32Array.of(found.size)),
        ],
      };
    });
    table.add("relax", shape, (random) => {
      const graph = makeGraph(random, n);
      const weights = random.i32s(graph.columns.length, 1, 100);
      const distance = random.i32s(n, 0, 900).map((d) => d > 600 ? UNREACHED : d);
      const next = distance.slice();
      const values = distance.slice();
      for (let node = 0; node < n; node++) {
        if (at(distance, node) === UNREACHED) continue;
        for (const edge of edgesOf(graph, node)) {
          const target = at(graph.columns, edge);
          values[target] = Math.min(at(values, target), at(distance, node) + at(weights, edge));
        }
      }
      return {
        grid: blocksFor(n, block),
        block,
        args: [...[graph.rows, graph.columns, weights, distance, next].map((data) => buffer(data)), i32(n)],
        expected: () => [exactly(next, values)],
      };
    });
    table.add("page_rank", shape, (random) => {
      const graph = makeGraph(random, n);
      const [rank, degrees, next] = [random.f64s(n, 0, 1), random.i32s(n, 1, 9), random.f64s(n)];
      const sumOf = (node: number): number =>
        edgesOf(graph, node).reduce((sum, edge) => {
          const source = at(graph.columns, edge);
          return sum + at(rank, source) / at(degrees, source);
        }, 0);
      return {
        grid: blocksFor(n, block),
        block,
        args: [
          ...[graph.rows, graph.columns, rank, degrees, next].map((data) => buffer(data)),
          i32(n),
          f64(0.85),
        ],
        expected: () => [exactly(next, next.map((_, node) => fma(0.85, sumOf(node), (1 - 0.85) / n)))],
      };
    });
  }
  return table.cases;
}
