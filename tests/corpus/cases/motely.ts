/** motely-wasm: a seed search in C#, compiled by NativeAOT through LLVM and emscripten, with SIMD; 8 MB. */
import motely, { MotelyWasm } from "motely-wasm";
import { makeSequence } from "../inputs.ts";

const FILTER = `
name: Corpus
deck: Red
stake: White
must:
  - voucher: Hieroglyph
    antes: [1, 2, 3, 4]
should:
  - joker: Blueprint
    score: 80
`;
const RARE = FILTER.replace("voucher: Hieroglyph", "tarotCard: TheFool");

export async function run(): Promise<unknown> {
  await motely.boot();
  const next = makeSequence(3);
  const seeds = Array.from(
    { length: 3_000 },
    () => (next() % 36 ** 5).toString(36).toUpperCase().replaceAll("0", "A"),
  );
  return {
    version: MotelyWasm.getVersion(),
    problems: [MotelyWasm.validateJaml(FILTER), MotelyWasm.validateJaml("must: [1")],
    meta: MotelyWasm.getJamlMeta(FILTER),
    few: stringify(MotelyWasm.analyzeJamlSeeds(FILTER, seeds.slice(0, 25))),
    many: stringify(MotelyWasm.analyzeJamlSeeds(RARE, seeds)),
  };
}

function stringify(value: unknown): string {
  return JSON.stringify(value, (_key, member) => typeof member === "bigint" ? `${member}n` : member);
}
