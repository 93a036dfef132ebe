/**
 * Compile: a kernel of a linked module into the bytes of a WebAssembly module, for one block shape.
 *
 * Owns the order of the passes. Loading a module runs those that can refuse (`prepareKernel`); the first launch
 * of a block shape runs the rest. It instantiates nothing. Invariant: whatever `prepareKernel` took, compiles.
 */
import { RUN_EXPORT } from "./kernel_interface.ts";
import { buildCfg } from "./analysis/cfg.ts";
import type { Cfg } from "./analysis/cfg.ts";
import { findThreadConstants } from "./analysis/thread_constants.ts";
import type { ThreadConstant } from "./analysis/thread_constants.ts";
import { commonRegisters, isConvergent } from "./analysis/convergence.ts";
import { emitDriver } from "./emit/driver.ts";
import { KernelFacts } from "./analysis/facts.ts";
import type { BlockShape } from "./analysis/facts.ts";
import { Flattener } from "./kernel/flatten.ts";
import { foldConstants } from "./kernel/fold_constants.ts";
import type { Kernel } from "./kernel/ir.ts";
import type { LinkedModule } from "./kernel/link.ts";
import { analyzeLattice, registerAlignments, registerBounds } from "./analysis/lattice.ts";
import { analyzeLiveness } from "./analysis/liveness.ts";
import type { Liveness } from "./analysis/liveness.ts";
import { ModuleParts } from "./emit/module_parts.ts";
import type { PtxFunction } from "./ast.ts";
import { choosePointers } from "./analysis/pointers.ts";
import { PtxError } from "./ptx_error.ts";
import { emitRegion } from "./emit/region_emitter.ts";
import { planRegions } from "./analysis/regions.ts";
import type { RegionPlan } from "./analysis/regions.ts";
import { SavedLayout } from "./emit/saved.ts";
import { yieldInSpins } from "./kernel/spins.ts";
import { buildSsa } from "./analysis/ssa.ts";
import type { Ssa } from "./analysis/ssa.ts";
import { finish } from "./turns.ts";
import type { Turns } from "./turns.ts";
import { Code } from "./wasm/code.ts";
import { WasmLimitError } from "./wasm/limit_error.ts";
import { ModuleWriter } from "./wasm/module_writer.ts";
import type { FinishedModule } from "./wasm/module_writer.ts";

/** A kernel that passed every check, analysed. */
export interface PreparedKernel {
  readonly kernel: Kernel;
  readonly cfg: Cfg;
  readonly liveness: Liveness;
  readonly plan: RegionPlan;
  readonly constants: ReadonlyMap<number, ThreadConstant>;
  readonly ssa: Ssa;
  readonly pointers: ReadonlySet<number>;
  readonly linked: LinkedModule;
}

/** What a body is compiled for. */
export interface CompileOptions {
  readonly block: BlockShape;
  /** Whether other threads share the memory. */
  readonly isShared: boolean;
  /** Whether relaxed multiply-add is fused on this host. */
  readonly isFused: boolean;
  /** Whether every parameter that may be an address is a multiple of 16. */
  readonly areParamsAligned: boolean;
}

/** A compiled kernel. */
export interface CompiledKernel extends FinishedModule {
  /** Bytes of a block's save area, and of its threads' local memory. */
  readonly saveBytes: number;
  readonly localBytes: number;
  /** Instructions that a block executes if nothing loops, and whether it may print. */
  readonly instructionsPerBlock: number;
  readonly prints: boolean;
}

/** @throws PtxError naming what is not supported, and the line */
export function* prepareInTurns(linked: LinkedModule, source: PtxFunction): Turns<PreparedKernel> {
  const kernel = foldConstants(yieldInSpins(new Flattener(linked, source).flatten()));
  yield;
  const cfg = buildCfg(kernel);
  yield;
  const liveness = analyzeLiveness(cfg, kernel.registers.length, source.line);
  yield;
  const plan = planRegions(cfg, source.line);
  yield;
  const constants = findThreadConstants(kernel, cfg);
  yield;
  const ssa = buildSsa(cfg, liveness, kernel.registers.length);
  yield;
  return { kernel, cfg, liveness, plan, constants, ssa, pointers: choosePointers(kernel, cfg), linked };
}

/** As prepareInTurns, at once. */
export function prepareKernel(linked: LinkedModule, source: PtxFunction): PreparedKernel {
  return finish(prepareInTurns(linked, source));
}

/** Emits the module. @throws PtxError for what is supported in some shapes or sizes only */
export function* compileInTurns(prepared: PreparedKernel, options: CompileOptions): Turns<CompiledKernel> {
  try {
    return yield* emitKernel(prepared, options);
  } catch (error) {
    if (!(error instanceof WasmLimitError)) throw error;
    const { name, source } = prepared.kernel;
    throw new PtxError(source.line, "limit", `${name} is too large: ${error.message}`);
  }
}

function* emitKernel(prepared: PreparedKernel, options: CompileOptions): Turns<CompiledKernel> {
  const { kernel, cfg, liveness, plan, constants, linked, ssa, pointers } = prepared;
  const { block, areParamsAligned } = options;
  const lattice = analyzeLattice({ kernel, cfg, ssa, block, areParamsAligned });
  yield;
  const writer = new ModuleWriter();
  const parts = new ModuleParts(writer, options);
  const facts = new KernelFacts(
    kernel,
    block,
    linked.functionIds,
    pointers,
    registerAlignments(ssa, lattice, kernel.registers.length),
    registerBounds(ssa, lattice, kernel.registers.length),
  );
  const saved = new SavedLayout(kernel, facts.threads);
  const together = isConvergent(cfg, plan, ssa, lattice);
  const common = together ? commonRegisters(plan, ssa, lattice, constants) : new Set<number>();
  const context = { cfg, facts, parts, saved, plan, liveness, constants, isConvergent: together, common };
  const params = ["i32", "i32"] as const;
  const results = ["i32"] as const;
  const regionFunctions = plan.regions.map(() => writer.declare(params, results));
  for (const [index, region] of plan.regions.entries()) {
    const code = new Code(params, results);
    emitRegion(code, region, context);
    writer.define(regionFunctions[index] ?? 0, code);
    yield;
  }
  writer.export(RUN_EXPORT, "function", emitDriver({ writer, context, regionFunctions }));
  return {
    ...writer.finish(),
    saveBytes: saved.byteLength,
    localBytes: kernel.localBytes * facts.threads,
    instructionsPerBlock: kernel.instructions.length * facts.threads,
    prints: kernel.instructions.some(({ row }) => row.name === "$vprintf"),
  };
}
