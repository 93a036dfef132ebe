/**
 * Region context: what all functions of a kernel are emitted from, and the states that they speak of.
 *
 * Owns the record that region emitter, driver and the slow ways share. It is made once a kernel and block shape.
 * Invariant: states of threads that live are numbers of regions; the others are negative.
 */
import type { Cfg } from "../analysis/cfg.ts";
import type { KernelFacts } from "../analysis/facts.ts";
import type { Liveness } from "../analysis/liveness.ts";
import type { ModuleParts } from "./module_parts.ts";
import type { RegionPlan } from "../analysis/regions.ts";
import type { SavedLayout } from "./saved.ts";
import type { ThreadConstant } from "../analysis/thread_constants.ts";

/** State of a thread that has ended, and answer of a region whose threads all have. */
export const EXITED = -1;
/** Answer of a region whose threads are in different states. */
export const MIXED = -2;

/** What all regions of a kernel share. */
export interface RegionContext {
  readonly cfg: Cfg;
  readonly facts: KernelFacts;
  readonly parts: ModuleParts;
  readonly saved: SavedLayout;
  readonly plan: RegionPlan;
  readonly liveness: Liveness;
  readonly constants: ReadonlyMap<number, ThreadConstant>;
  /** Whether all threads of a block always go together: then no thread's state is kept. */
  readonly isConvergent: boolean;
  /** In such kernels: registers that are the same for all threads wherever they wait, and are saved once. */
  readonly common: ReadonlySet<number>;
}
