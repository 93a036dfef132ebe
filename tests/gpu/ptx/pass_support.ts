/**
 * Support for tests of the compiler's passes: a kernel's text as far as the pass needs it.
 *
 * Owns the frame round a body and the passes in order. Invariant: the kernel is the one called `k`, or the only
 * one that there is.
 */
import { buildCfg } from "../../../gpu/ptx/analysis/cfg.ts";
import type { Cfg } from "../../../gpu/ptx/analysis/cfg.ts";
import { Flattener } from "../../../gpu/ptx/kernel/flatten.ts";
import type { Kernel } from "../../../gpu/ptx/kernel/ir.ts";
import { linkModule } from "../../../gpu/ptx/kernel/link.ts";
import { analyzeLiveness } from "../../../gpu/ptx/analysis/liveness.ts";
import type { Liveness } from "../../../gpu/ptx/analysis/liveness.ts";
import { parsePtx } from "../../../gpu/ptx/syntax/parser.ts";
import { buildSsa } from "../../../gpu/ptx/analysis/ssa.ts";
import type { Ssa } from "../../../gpu/ptx/analysis/ssa.ts";
import { generateKernel } from "./generate/kernel.ts";

export const HEADER = ".version 8.3\n.target sm_90\n.address_size 64\n";

/** A kernel after the passes that every test may look at. */
export interface Passed {
  readonly kernel: Kernel;
  readonly cfg: Cfg;
  readonly liveness: Liveness;
  readonly ssa: Ssa;
  /** The number of a register of the kernel's own by its name. */
  register(name: string): number;
}

/** The kernel of a whole module. */
export function passText(text: string): Passed {
  const linked = linkModule(parsePtx(text));
  const entries = linked.source.functions.filter(({ kind, body }) => kind === "entry" && body !== undefined);
  const source = entries.find(({ name }) => name === "k") ?? entries[0];
  if (source === undefined) throw new RangeError("The text has no kernel");
  const kernel = new Flattener(linked, source).flatten();
  const cfg = buildCfg(kernel);
  const liveness = analyzeLiveness(cfg, kernel.registers.length, source.line);
  const ssa = buildSsa(cfg, liveness, kernel.registers.length);
  return {
    kernel,
    cfg,
    liveness,
    ssa,
    register: (name) => {
      const found = source.body?.registers.findIndex((register) => register.name === name) ?? -1;
      if (found < 0) throw new RangeError(`No register ${name}`);
      return found;
    },
  };
}

/** A kernel of one body; parameters `memory` (u64) and `number` (u32), registers %p, %h, %r, %d, %f. */
export function passBody(body: string, module = ""): Passed {
  return passText(
    `${HEADER}${module}\n.visible .entry k(.param .u64 memory, .param .u32 number) {
  .reg .pred %p<20>; .reg .b16 %h<20>; .reg .b32 %r<40>; .reg .b64 %d<40>; .reg .f32 %f<20>;
${body}\n}`,
  );
}

/** The kernel of a seed. */
export function passGenerated(seed: number): Passed {
  return passText(generateKernel(seed).ptx);
}

/** Seeds for properties that hold for every kernel. */
export const GENERATED_SEEDS: readonly number[] = Array.from({ length: 25 }, (_, index) => 500 + index);
