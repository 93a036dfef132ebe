/**
 * Region fuel: what the threads of a region are charged, and when they ask for more.
 *
 * Owns the local that counts, the cost of loops and of what is outside of them: about one unit an instruction.
 * Whether a kernel may go on is answered elsewhere (`refuel`). Invariant: between two checks lie a bounded number
 * of instructions.
 */
import type { Block } from "../analysis/cfg.ts";
import type { RegionContext } from "./region_context.ts";
import type { Region } from "../analysis/regions.ts";
import { loopBodies } from "./structure.ts";
import type { Code } from "../wasm/code.ts";

/** Fuel that one call may use before it asks; more is charged thread by thread. */
const CHARGE_AT_ONCE_MAX = 200_000;

/** Emits the charges of one region. */
export class RegionFuel {
  readonly #code: Code;
  readonly #region: Region;
  readonly #context: RegionContext;
  readonly #blocks: readonly Block[];
  readonly #local: number;
  /** By the place of the header. */
  readonly #loopCosts = new Map<number, number>();

  /** @param blocks by place in the region's graph */
  constructor(code: Code, region: Region, context: RegionContext, blocks: readonly Block[]) {
    this.#code = code;
    this.#region = region;
    this.#context = context;
    this.#blocks = blocks;
    this.#local = code.local("i32");
  }

  /** At the function's start. */
  enter(): void {
    this.#code.globalGet(this.#context.parts.globals.fuel);
    this.#code.set(this.#local);
  }

  /** At its end. */
  leave(): void {
    this.#code.get(this.#local);
    this.#code.globalSet(this.#context.parts.globals.fuel);
  }

  /** At the head of a loop, for one time through it. */
  chargeLoop(header: number): void {
    this.charge(this.#loopCosts.get(header) ?? 1);
  }

  /** Charges all threads before they run if that is little. @returns what each must be charged otherwise */
  chargeAtOnce(): number | undefined {
    const { plan, facts } = this.#context;
    const cost = Math.max(1, this.#threadCost());
    const all = cost * (plan.warpCutCount > 0 ? 32 : facts.threads);
    if (this.#region.graph.headers.size > 0 || all > CHARGE_AT_ONCE_MAX) return cost;
    this.charge(all);
    return undefined;
  }

  /** Instructions outside of loops; notes those of each loop. */
  #threadCost(): number {
    const inLoop = new Set<number>();
    const costOf = (place: number): number => (this.#blocks[place]?.instructions.length ?? 0) + 1;
    for (const [header, places] of loopBodies(this.#region.graph)) {
      for (const place of places) inLoop.add(place);
      this.#loopCosts.set(header, places.reduce((sum, place) => sum + costOf(place), 0));
    }
    return this.#blocks.reduce((sum, _, place) => inLoop.has(place) ? sum : sum + costOf(place), 0);
  }

  charge(cost: number): void {
    const code = this.#code;
    code.get(this.#local);
    code.i32(cost);
    code.op("i32Sub");
    code.tee(this.#local);
    code.i32(0);
    code.op("i32LtS");
    code.if();
    code.get(this.#local);
    code.call(this.#context.parts.functions.refuel);
    code.set(this.#local);
    code.end();
  }
}
