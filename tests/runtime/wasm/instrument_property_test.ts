// Instrumented modules against their originals, on generated modules; and what a stop must do.
import assert from "node:assert/strict";
import fc from "fast-check";
import { instrumentModule } from "../../../runtime/wasm/instrument.ts";
import { instantiateInstrumented, type InstrumentedInstance } from "../../support/instrumented.ts";
import { type GeneratedModule, makeModule } from "./generate/module.ts";
import { argumentsFor, makeHost, type Observation, observe } from "./generate/observe.ts";

const SEED = 20_261_121;
const RUNS = 120;
const UNLIMITED = { memoryPagesMax: 65_536, tableElementsMax: 10_000_000 };
/** Fuel of a slice: every check ticks; some do; none does but the first. */
const REFILLS = [0, 1, 500, 2_000_000_000];

/** A seed, which does not shrink, and a number of choices, which does. */
const modules = fc.record({
  seed: fc.noShrink(fc.nat({ max: 0x7fff_ffff })),
  length: fc.noBias(fc.integer({ min: 1, max: 4000 })),
}).map(({ seed, length }) => ({ seed, length, generated: makeModule(seed, { length }) }));

/** What the original does, or undefined where its start function fails, so that there is no instance. */
function observeOriginal(generated: GeneratedModule): Observation | undefined {
  const host = makeHost();
  const module = new WebAssembly.Module(generated.bytes);
  let instance: WebAssembly.Instance;
  try {
    instance = new WebAssembly.Instance(module, host.imports);
  } catch {
    return undefined;
  }
  return observe(generated, host, instance.exports, () => {});
}

function instrument(generated: GeneratedModule): WebAssembly.Module {
  return new WebAssembly.Module(instrumentModule(generated.bytes, UNLIMITED));
}

function assertSame(actual: Observation, expected: Observation): void {
  const at = actual.lines.findIndex((line, index) => line !== expected.lines[index]);
  assert.equal(actual.lines[at], expected.lines[at], `line ${at}`);
  assert.equal(actual.lines.length, expected.lines.length, "as many lines");
  assert.equal(actual.memories.length, expected.memories.length);
  for (const [index, bytes] of actual.memories.entries()) {
    const same = expected.memories[index];
    assert.ok(same !== undefined && Buffer.compare(bytes, same) === 0, `memory ${index}`);
  }
}

Deno.test("makeModule() gives modules that the engine takes, the same for the same seed", () => {
  fc.assert(
    fc.property(modules, ({ seed, length, generated }) => {
      assert.ok(WebAssembly.validate(generated.bytes));
      assert.deepEqual(makeModule(seed, { length }).bytes, generated.bytes);
    }),
    { seed: SEED, numRuns: RUNS },
  );
});

Deno.test("instrumentModule() changes nothing that can be seen, however often the guest is interrupted", () => {
  let compared = 0;
  fc.assert(
    fc.property(modules, ({ generated }) => {
      const original = observeOriginal(generated);
      if (original === undefined) return;
      compared++;
      const module = instrument(generated);
      for (const refill of REFILLS) {
        const host = makeHost();
        const instance = instantiateInstrumented(module, host.imports, { refill });
        assertSame(observe(generated, host, instance.exports, instance.start), original);
      }
    }),
    { seed: SEED, numRuns: RUNS },
  );
  assert.ok(compared > RUNS / 2, `${compared} of ${RUNS} were compared`);
});

/** Fuel used after each call, up to the first that trapped: a trap may lose part of a slice. */
function fuelOfCalls(generated: GeneratedModule, module: WebAssembly.Module, refill: number): number[] {
  const host = makeHost();
  const instance = instantiateInstrumented(module, host.imports, { refill });
  const used: number[] = [];
  let lost = false;
  observe(generated, host, instance.exports, instance.start, (trapped) => {
    lost ||= trapped;
    if (!lost) used.push(instance.fuelUsed());
  });
  return used;
}

Deno.test("instrumentModule() charges the same fuel for every refill", () => {
  let compared = 0;
  fc.assert(
    fc.property(modules, ({ generated }) => {
      const module = instrument(generated);
      const used = REFILLS.map((refill) => fuelOfCalls(generated, module, refill));
      compared += used[0]?.length ?? 0;
      for (const fuels of used) assert.deepEqual(fuels, used[0]);
    }),
    { seed: SEED, numRuns: RUNS },
  );
  assert.ok(compared > 3 * RUNS, `${compared} calls of ${RUNS} modules were compared`);
});

Deno.test("instrumentModule() charges fuel that only grows", () => {
  fc.assert(
    fc.property(modules, ({ generated }) => {
      const host = makeHost();
      let usedLast = 0;
      const instance: InstrumentedInstance = instantiateInstrumented(instrument(generated), host.imports, {
        refill: 100,
        onTick: (_, used) => {
          assert.ok(used >= usedLast, `${used} after ${usedLast}`);
          usedLast = used;
        },
      });
      observe(generated, host, instance.exports, instance.start);
    }),
    { seed: SEED, numRuns: RUNS },
  );
});

/** Numeric globals and copies of memories at one moment. */
function snapshot(exports: WebAssembly.Exports): { globals: unknown[]; memories: Uint8Array[] } {
  const kept = Object.entries(exports).filter(([key]) => !key.startsWith("tensor_wasm:"));
  return {
    globals: kept.flatMap(([, value]) => value instanceof WebAssembly.Global ? [value.value] : []),
    memories: kept.flatMap(([, value]) =>
      value instanceof WebAssembly.Memory ? [new Uint8Array(value.buffer).slice()] : []
    ),
  };
}

Deno.test("instrumentModule() lets a stopped guest do nothing more, whatever it catches", () => {
  let stopped = 0;
  const withStop = fc.tuple(modules, fc.integer({ min: 1, max: 400 }));
  fc.assert(
    fc.property(withStop, ([{ generated }, stopAtTick]) => {
      const host = makeHost();
      let atStop: ReturnType<typeof snapshot> | undefined;
      let linesAtStop = 0;
      const instance: InstrumentedInstance = instantiateInstrumented(instrument(generated), host.imports, {
        refill: 5,
        stopAtTick,
        onTick: (tick) => {
          if (tick !== stopAtTick) return;
          atStop = snapshot(instance.exports);
          linesAtStop = host.lines.length;
        },
      });
      const empty = { params: [], results: [] };
      for (const [key, signature] of [["tensor_wasm:start", empty] as const, ...generated.functions]) {
        const call = instance.exports[key];
        if (typeof call !== "function" || atStop !== undefined) continue;
        let error: unknown;
        try {
          call(...argumentsFor(signature, 0));
        } catch (caught) {
          error = caught;
        }
        if (atStop === undefined) continue;
        stopped++;
        assert.ok(error instanceof WebAssembly.RuntimeError, `it ended with ${error}`);
        assert.equal(error.message, "unreachable");
        assert.equal(instance.tickCount(), stopAtTick, "no tick after the stop");
        assert.equal(host.lines.length, linesAtStop, "no call of the host after the stop");
        assert.ok(instance.fuelLeft() < 0, "the fuel stays negative");
        assert.deepEqual(snapshot(instance.exports), atStop);
      }
    }),
    { seed: SEED, numRuns: RUNS },
  );
  assert.ok(stopped > RUNS / 3, `${stopped} of ${RUNS} were stopped`);
});

/** What run_endless.ts prints. */
interface EndlessLine {
  readonly seed: number;
  readonly stopped?: number;
  readonly wrong?: readonly string[];
}

Deno.test("instrumentModule() leaves no cycle without a check", async () => {
  const count = 150;
  // The limit is far above what it takes; it only keeps a cycle without a check from hanging the tests.
  const limit = AbortSignal.timeout(180_000);
  const script = new URL("generate/run_endless.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "--allow-read", script, String(SEED), String(SEED + count)],
    env: { NO_COLOR: "1" },
    signal: limit,
  }).output();
  const text = new TextDecoder().decode(stdout).trimEnd();
  const lines = text.split("\n").map((line): EndlessLine => JSON.parse(line));
  const last = lines.at(-1)?.seed;
  assert.ok(!limit.aborted, `makeModule(${last}, { endless: true }) was not stopped`);
  assert.equal(code, 0, `seed ${last}: ${new TextDecoder().decode(stderr)}`);
  const wrong = lines.filter((line) => (line.wrong ?? []).length > 0);
  assert.deepEqual(wrong, []);
  const stopped = lines.reduce((sum, line) => sum + (line.stopped ?? 0), 0);
  assert.ok(stopped > count, `${stopped} calls of ${count} modules were stopped`);
});
