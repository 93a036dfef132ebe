/**
 * What reader and instrumenter owe to any bytes: an answer or one kind of refusal, soon, and in bounds.
 *
 * Owns the property and the reasons for which a module that the engine takes may be refused. It runs nothing.
 * Invariant: a finding names what was broken, in words that do not depend on the bytes.
 */
import { RuntimeFault } from "../../runtime/model/fault.ts";
import { inspectModule } from "../../runtime/wasm/inspect.ts";
import { instrumentModule } from "../../runtime/wasm/instrument.ts";

/** How one mutant ended. `madeValid`: the engine refuses the original and takes the instrumented bytes. */
export type MutantEnd = "instrumented" | "refusedInvalid" | "refusedValid" | "keptInvalid" | "madeValid";

/** An end, or a broken promise. */
export type MutantResult =
  | { readonly end: MutantEnd; readonly reason: string; readonly output?: Uint8Array<ArrayBuffer> }
  | { readonly finding: string };

export const FUZZ_LIMITS = { memoryPagesMax: 65_536, tableElementsMax: 10_000_000 };

/** Of the instrumented bytes: a factor over the original, and a constant for what is appended. */
const GROWTH_MAX = 12;
const APPENDED_BYTES_MAX = 64 * 1024;

/** Reasons for refusing what the engine takes. */
const DOCUMENTED = [
  /a memory is shared/,
  /memory\.atomic\.wait is not supported/,
  /which is reserved$/,
  /limit is \d+, got \d+/,
  /memoryPagesMax is \d+/,
  /tableElementsMax is \d+/,
];

/**
 * Why the engine refuses a module at times only: it validates functions on several threads, and whether they mix
 * old and new exception instructions depends on which is first. Empty if it is refused once and then taken.
 */
const UNDECIDED = /mix of legacy and new exception handling|^$/;

function attempt<T>(work: () => T): { readonly value: T } | { readonly refusal: string } {
  try {
    return { value: work() };
  } catch (error) {
    if (!(error instanceof RuntimeFault)) throw error;
    if (error.code !== "invalid_wasm" && !error.code.startsWith("module_")) throw error;
    return { refusal: error.message };
  }
}

/** Checks one mutant. */
export function checkMutant(bytes: Uint8Array<ArrayBuffer>): MutantResult {
  const copy = bytes.slice();
  try {
    const isValid = WebAssembly.validate(bytes);
    const inspected = attempt(() => inspectModule(bytes));
    const instrumented = attempt(() => instrumentModule(bytes, FUZZ_LIMITS));
    if (Buffer.compare(bytes, copy) !== 0) return { finding: "the input was changed" };
    if ("refusal" in instrumented) return refused(isValid, instrumented.refusal);
    if (isValid && "refusal" in inspected) return refused(isValid, `inspect: ${inspected.refusal}`);
    const output = instrumented.value;
    if (output.length > bytes.length * GROWTH_MAX + APPENDED_BYTES_MAX) {
      return { finding: "the instrumented module is too large" };
    }
    const isOutputValid = WebAssembly.validate(output);
    const why = isOutputValid ? "" : whyNot(output);
    if (isValid && !isOutputValid && !UNDECIDED.test(why)) {
      return { finding: `the instrumented module is invalid: ${why}` };
    }
    if (isValid && isOutputValid) return { end: "instrumented", reason: "", output };
    return { end: isOutputValid ? "madeValid" : "keptInvalid", reason: isOutputValid ? whyNot(bytes) : "" };
  } catch (error) {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return { finding: `it threw ${text}` };
  }
}

function refused(isValid: boolean, message: string): MutantResult {
  const reason = message.replace(/ at byte \d+/, "");
  if (!isValid) return { end: "refusedInvalid", reason };
  if (DOCUMENTED.some((pattern) => pattern.test(message))) return { end: "refusedValid", reason };
  return { finding: `the engine takes a module that is refused: ${reason}` };
}

function whyNot(bytes: Uint8Array<ArrayBuffer>): string {
  try {
    new WebAssembly.Module(bytes);
    return "";
  } catch (error) {
    return error instanceof Error ? error.message.replace(/\d+/g, "N") : String(error);
  }
}
