/**
 * Structure: a region's control-flow graph as WebAssembly's nested blocks and loops.
 *
 * Owns the shape: from the dominator tree (Ramsey, "Beyond Relooper", ICFP 2022) where the graph is reducible,
 * and a loop round a table of blocks where it is not, or where it is too deep to nest. What is in a block and
 * how control leaves the region is the caller's. Invariant: every edge of the region is emitted once.
 */
import { dominates, dominatorsOf, predecessorsOf, reversePostorder } from "../analysis/cfg.ts";
import type { Code, Label } from "../wasm/code.ts";

/** A graph whose nodes are numbered from 0, the entry. */
export interface RegionGraph {
  readonly successors: readonly (readonly number[])[];
}

/** What the caller emits. */
export interface StructureEmitter {
  /** The instructions of a node, and what ends it; `go` emits the way to a successor. */
  node(node: number, go: (to: number) => void): void;
  /** At the head of a loop, before its first node. */
  loopHead(header: number): void;
}

/** The nodes of a graph in order, its loops and whether it is reducible. */
export interface GraphOrder {
  /** Nodes in reverse postorder, and the place of each. */
  readonly order: readonly number[];
  readonly placeOf: readonly number[];
  /** By place. */
  readonly idom: Int32Array;
  readonly isReducible: boolean;
  /** Places that some edge goes back to. */
  readonly headers: ReadonlySet<number>;
  readonly predecessors: readonly (readonly number[])[];
}

/** Nodes over which a graph is not nested, and how deep it may be: nesting is recursion. */
const NESTED_NODES_MAX = 20_000;
const NESTING_MAX = 200;

export function orderGraph({ successors }: RegionGraph): GraphOrder {
  const order = reversePostorder(successors);
  const placeOf: number[] = successors.map(() => -1);
  order.forEach((node, place) => (placeOf[node] = place));
  const byPlace = order.map((node) => (successors[node] ?? []).map((to) => placeOf[to] ?? -1));
  const predecessors = predecessorsOf(byPlace);
  const idom = dominatorsOf(predecessors);
  const headers = new Set<number>();
  let isReducible = true;
  byPlace.forEach((list, from) => {
    for (const to of list) {
      if (to > from) continue;
      headers.add(to);
      if (!dominates(idom, to, from)) isReducible = false;
    }
  });
  return { order, placeOf, idom, isReducible, headers, predecessors };
}

/**
 * The places of each natural loop's body by its header, without those of loops inside it.
 */
export function loopBodies(graph: GraphOrder): Map<number, number[]> {
  const { predecessors, headers } = graph;
  const innermost = new Int32Array(predecessors.length).fill(-1);
  // Inner headers come last in reverse postorder, and so first here; a loop that is done is its header alone.
  const outermost = Int32Array.from(predecessors, (_, node) => node);
  const headOf = (node: number): number => {
    let at = node;
    for (let next = outermost[at] ?? at; next !== at; next = outermost[at] ?? at) {
      outermost[at] = outermost[next] ?? next;
      at = next;
    }
    return at;
  };
  for (const header of [...headers].sort((a, b) => b - a)) {
    const pending = [header];
    for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
      if ((innermost[node] ?? -1) < 0) innermost[node] = header;
      outermost[node] = header;
      for (const from of predecessors[node] ?? []) {
        const head = from >= header ? headOf(from) : header;
        if (head !== header) pending.push(head);
      }
    }
  }
  const bodies = new Map<number, number[]>();
  innermost.forEach((header, node) => {
    if (header < 0) return;
    const list = bodies.get(header);
    if (list === undefined) bodies.set(header, [node]);
    else list.push(node);
  });
  return bodies;
}

/** Emits a graph. Control falls out at the end only where the caller's nodes let it. */
export function emitStructured(code: Code, graph: GraphOrder, emitter: StructureEmitter): void {
  const isNested = graph.isReducible && graph.order.length <= NESTED_NODES_MAX;
  const nested = isNested ? new Nested(code, graph, emitter) : undefined;
  if (nested !== undefined && nested.depth <= NESTING_MAX) nested.emit();
  else emitDispatched(code, graph, emitter);
}

class Nested {
  readonly #code: Code;
  readonly #graph: GraphOrder;
  readonly #emitter: StructureEmitter;
  readonly #labels = new Map<number, Label>();
  readonly #children: number[][];
  readonly #isMerge: boolean[];

  constructor(code: Code, graph: GraphOrder, emitter: StructureEmitter) {
    this.#code = code;
    this.#graph = graph;
    this.#emitter = emitter;
    this.#children = graph.order.map(() => []);
    this.#isMerge = graph.predecessors.map((list, place) => list.filter((from) => from < place).length > 1);
    graph.idom.forEach((dominator, place) => {
      if (place > 0) this.#children[dominator]?.push(place);
    });
  }

  /** How deep emitting it recurs. The last merge node of each node is no deeper than the node itself. */
  get depth(): number {
    const depths = new Int32Array(this.#children.length);
    let deepest = 0;
    this.#children.forEach((children, place) => {
      const last = children.findLast((child) => this.#isMerge[child]);
      for (const child of children) depths[child] = (depths[place] ?? 0) + (child === last ? 0 : 1);
      deepest = Math.max(deepest, depths[place] ?? 0);
    });
    return deepest;
  }

  emit(): void {
    this.#tree(0);
  }

  #tree(root: number): void {
    let loops = 0;
    for (let place: number | undefined = root; place !== undefined;) {
      if (this.#graph.headers.has(place)) {
        this.#labels.set(place, this.#code.loop());
        this.#emitter.loopHead(place);
        loops++;
      }
      place = this.#within(place);
    }
    for (; loops > 0; loops--) this.#code.end();
  }

  /** Blocks whose ends are the merge nodes, the last in order outermost. @returns the last, still to be emitted */
  #within(place: number): number | undefined {
    const merges = (this.#children[place] ?? []).filter((child) => this.#isMerge[child]);
    for (const merge of merges.toReversed()) this.#labels.set(merge, this.#code.block());
    this.#emitter.node(place, (to) => this.#go(place, to));
    const last = merges.pop();
    for (const merge of merges) {
      this.#code.end();
      this.#tree(merge);
    }
    if (last !== undefined) this.#code.end();
    return last;
  }

  #go(from: number, to: number): void {
    if (to > from && !this.#isMerge[to]) return this.#tree(to);
    const label = this.#labels.get(to);
    if (label === undefined) throw new Error("Invariant: a merge node or header that is jumped to is open");
    this.#code.br(label);
  }
}

/** A loop round `br_table`: the number of the next node is in a local. */
function emitDispatched(code: Code, graph: GraphOrder, emitter: StructureEmitter): void {
  const next = code.temp("i32");
  code.i32(0);
  code.set(next);
  const loop = code.loop();
  const labels = graph.order.map(() => code.block()).reverse();
  const first = labels[0];
  if (first === undefined) throw new Error("Invariant: a graph has a node");
  code.get(next);
  code.brTable(labels, first);
  graph.order.forEach((_, place) => {
    code.end();
    if (graph.headers.has(place)) emitter.loopHead(place);
    emitter.node(place, (to) => {
      code.i32(to);
      code.set(next);
      code.br(loop);
    });
  });
  code.end();
  code.release("i32", next);
}
