/**
 * Convergent block: the driver of a block whose threads always go together (convergence.ts).
 *
 * Owns the loop over phases without any account of single threads: whatever one does all do. Invariant: as
 * block.ts, which serves all other kernels.
 */
import { emitSwitch, groupSize } from "./driver.ts";
import type { DriverParts } from "./driver.ts";
import { EXITED } from "./region_context.ts";
import type { Code } from "../wasm/code.ts";

/** The whole of a block: () -> (). */
export function emitConvergentBlock(
  { writer, context }: DriverParts,
  runRegion: number,
  exchanges: readonly number[],
): number {
  const { index, code } = writer.begin([], []);
  const threads = code.local("i32");
  const [state, first, end, next] = [
    code.local("i32"),
    code.local("i32"),
    code.local("i32"),
    code.local("i32"),
  ];
  code.i32(context.facts.threads);
  code.set(threads);
  const phases = code.loop();
  code.i32(0);
  code.set(first);
  const groups = code.loop();
  code.get(first);
  code.i32(groupSize(context));
  code.op("i32Add");
  code.tee(end);
  code.get(threads);
  code.get(end);
  code.get(threads);
  code.op("i32LtU", "select");
  code.set(end);
  code.get(state);
  code.set(next);
  const run = code.loop();
  code.get(next);
  code.get(first);
  code.get(end);
  code.call(runRegion);
  code.set(next);
  if (exchanges.length > 0) emitExchange(code, { next, first, end }, exchanges, () => code.br(run));
  code.end();
  code.get(end);
  code.tee(first);
  code.get(threads);
  code.op("i32LtU");
  code.brIf(groups);
  code.end();
  code.get(next);
  code.tee(state);
  code.i32(EXITED);
  code.op("i32Ne");
  code.brIf(phases);
  code.end();
  return index;
}

/** If the warp is at a warp-wide operation: does it for all its lanes, and goes on. */
function emitExchange(
  code: Code,
  { next, first, end }: { readonly next: number; readonly first: number; readonly end: number },
  exchanges: readonly number[],
  goOn: () => void,
): void {
  const [which, lanes] = [code.local("i32"), code.local("i32")];
  code.get(next);
  code.i32(1);
  code.op("i32Sub");
  code.tee(which);
  code.i32(exchanges.length);
  code.op("i32LtU");
  code.if();
  // All ones, less those above the last lane of a ragged warp.
  code.i32(-1);
  code.i32(32);
  code.get(end);
  code.get(first);
  code.op("i32Sub", "i32Sub", "i32ShrU");
  code.set(lanes);
  const done = code.block();
  emitSwitch(code, which, exchanges.length, (exchange) => {
    code.get(first);
    code.get(lanes);
    code.call(exchanges[exchange] ?? 0);
    code.br(done);
  });
  code.end();
  goOn();
  code.end();
}
