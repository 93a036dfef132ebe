// Mutated modules through reader and instrumenter: an answer or a refusal. The long run is tests/fuzz/mutate.ts.
import assert from "node:assert/strict";
import { checkMutant, FUZZ_LIMITS } from "../../fuzz/mutant_check.ts";
import { mutate } from "../../fuzz/mutations.ts";
import { readSeeds } from "../../fuzz/seeds.ts";
import { RuntimeFault } from "../../../runtime/model/fault.ts";
import { instrumentModule } from "../../../runtime/wasm/instrument.ts";
import { Choices } from "./generate/choices.ts";
import { makeModule } from "./generate/module.ts";

const SEED = 20_261_122;
const MUTANT_COUNT = 3000;

Deno.test("instrumentModule() answers mutated modules with a valid module or a refusal", () => {
  const seeds = readSeeds({ bytesMax: 12_000, withHostile: true });
  const ends = new Map<string, number>();
  for (let number = 0; number < MUTANT_COUNT; number++) {
    const choices = new Choices(Math.imul(SEED, 0x01000193) ^ number);
    const mutant = mutate(choices.pick(seeds), choices, choices.pick(seeds));
    const result = checkMutant(mutant);
    const finding = "finding" in result ? result.finding : "";
    assert.equal(finding, "", `seed ${SEED}, mutant ${number}`);
    if ("end" in result) ends.set(result.end, (ends.get(result.end) ?? 0) + 1);
  }
  const instrumented = ends.get("instrumented") ?? 0;
  assert.ok(instrumented > MUTANT_COUNT / 20, `${instrumented} of ${MUTANT_COUNT} were valid`);
});

Deno.test("instrumentModule() refuses a module whose last section is cut anywhere", () => {
  const { bytes } = makeModule(SEED, { length: 300 });
  let refused = 0;
  for (let length = 0; length < bytes.length; length += 7) {
    try {
      const output = instrumentModule(bytes.slice(0, length), FUZZ_LIMITS);
      if (WebAssembly.validate(bytes.slice(0, length))) assert.ok(WebAssembly.validate(output));
    } catch (error) {
      assert.ok(error instanceof RuntimeFault, String(error));
      refused++;
    }
  }
  assert.ok(refused > 10);
});

Deno.test("instrumentModule() leaves its input as it is and gives the same bytes twice", () => {
  for (let seed = SEED; seed < SEED + 20; seed++) {
    const { bytes } = makeModule(seed, { length: 500 });
    const copy = bytes.slice();
    const first = instrumentModule(bytes, FUZZ_LIMITS);
    assert.deepEqual(bytes, copy);
    assert.deepEqual(instrumentModule(bytes, FUZZ_LIMITS), first);
  }
});
