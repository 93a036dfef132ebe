/**
 * Modules in text form, assembled for tests.
 *
 * Owns the choice of proposals that the assembler takes; it knows no garbage collection, for which there is
 * instructions.ts. Invariant: the same text gives the same bytes.
 */
import wabt from "wabt";

const ASSEMBLER = await wabt();

const PROPOSALS = {
  exceptions: true,
  memory64: true,
  multi_memory: true,
  threads: true,
  tail_call: true,
  bulk_memory: true,
  reference_types: true,
  simd: true,
} as const;

/** The bytes of a module in text form. */
export function assemble(text: string): Uint8Array<ArrayBuffer> {
  const module = ASSEMBLER.parseWat("test.wat", text, PROPOSALS);
  try {
    return Uint8Array.from(module.toBinary({}).buffer);
  } finally {
    module.destroy();
  }
}
