/**
 * A child process that runs endless modules and stops each: a check that is missing hangs it, not the tests.
 *
 * Arguments are the first seed and the seed behind the last. It prints one line of JSON for each seed before and
 * after its run. Invariant: it uses no clock; whoever started it sets the limit.
 */
import { instrumentModule } from "../../../../runtime/wasm/instrument.ts";
import { instantiateInstrumented } from "../../../support/instrumented.ts";
import { makeModule } from "./module.ts";
import { argumentsFor, describeError, makeHost, setWork } from "./observe.ts";

const STOP_AT_TICK = 20;
const REFILL = 2000;
const LIMITS = { memoryPagesMax: 64, tableElementsMax: 200_000 };

/** How the calls of one module ended. */
interface EndlessReport {
  readonly seed: number;
  /** Calls that were stopped, and how each of those ended. */
  readonly stopped: number;
  readonly endings: string[];
  /** What went on after a stop although it must not; empty if all is well. */
  readonly wrong: string[];
}

function runEndless(seed: number): EndlessReport {
  const generated = makeModule(seed, { endless: true });
  const module = new WebAssembly.Module(instrumentModule(generated.bytes, LIMITS));
  const endings: string[] = [];
  const wrong: string[] = [];
  let stopped = 0;
  for (const key of ["start", ...generated.functions.keys()]) {
    const host = makeHost();
    let linesAtStop = -1;
    const instance = instantiateInstrumented(module, host.imports, {
      refill: REFILL,
      stopAtTick: STOP_AT_TICK,
      onTick: (tick) => {
        if (tick === STOP_AT_TICK) linesAtStop = host.lines.length;
      },
    });
    setWork(instance.exports, 0x7fff_ffff);
    const run = instance.exports[key];
    const signature = generated.functions.get(key);
    let ending = "returned";
    try {
      if (key === "start") instance.start();
      else if (typeof run === "function") run(...argumentsFor(signature ?? { params: [], results: [] }, 0));
    } catch (error) {
      ending = describeError(error, instance.exports);
    }
    if (linesAtStop < 0) continue;
    stopped++;
    endings.push(ending);
    if (ending !== "RuntimeError unreachable") wrong.push(`${key}: a stopped call ended with ${ending}`);
    if (instance.tickCount() !== STOP_AT_TICK) wrong.push(`${key}: it ticked after the stop`);
    if (host.lines.length !== linesAtStop) wrong.push(`${key}: it called the host after the stop`);
    if (instance.fuelLeft() >= 0) wrong.push(`${key}: it had fuel left after the stop`);
  }
  return { seed, stopped, endings, wrong };
}

if (import.meta.main) {
  const print = (value: unknown): void => {
    Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(value) + "\n"));
  };
  for (let seed = Number(Deno.args[0]); seed < Number(Deno.args[1]); seed++) {
    print({ seed, begins: true });
    print(runEndless(seed));
  }
}
