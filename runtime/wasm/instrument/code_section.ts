/**
 * The code section: every body analysed, rewritten and put behind its size, with the hints for branches.
 *
 * Owns the order of the bodies and the reading of local declarations. Invariant: bodies come out in the order
 * they went in, followed by those of the helpers.
 */
import type { UsedOpcodes } from "../features.ts";
import type { IndexSpaces } from "../index_spaces.ts";
import { DEFINITIONS_MAX } from "../inspect.ts";
import { type ByteReader, malformed } from "../reader.ts";
import { FunctionAnalysis } from "./analysis.ts";
import { type Body, readLocals } from "./body.ts";
import { BranchHints } from "./branch_hints.ts";
import { BulkChoice } from "./bulk_choice.ts";
import { ByteWriter } from "./byte_writer.ts";
import { checkBodyBytes, checkComplexity } from "./complexity.ts";
import type { AppendedFunctions } from "./appended_functions.ts";
import { CodeRewriter } from "./rewrite.ts";
import { isShortRecursion, unrollRecursion } from "./unrolled_recursion.ts";

/** The rewritten bodies, each behind its size, and the hints for them. */
export interface RewrittenCode {
  readonly bodyCount: number;
  readonly bodies: ByteWriter;
  readonly hints: BranchHints;
}

/** What else the rewriting of code depends on. */
export interface CodeOptions {
  /** What tables are limited to. */
  readonly elementsMax: number;
  /** Where the opcodes that occur are noted. */
  readonly used: UsedOpcodes;
}

/** Rewrites a code section. @throws RuntimeFault `invalid_wasm` */
export function rewriteCode(
  bytes: Uint8Array,
  reader: ByteReader | undefined,
  spaces: IndexSpaces,
  helpers: AppendedFunctions,
  options: CodeOptions,
): RewrittenCode {
  const bodyCount = reader?.count("function bodies", DEFINITIONS_MAX, 2) ?? 0;
  const expected = spaces.functions.length - spaces.importedFunctionCount;
  if (bodyCount !== expected) throw malformed("functions and bodies differ in number", reader?.offset ?? 0);
  const bodies = new ByteWriter(Math.ceil((reader?.remaining ?? 0) * 1.4) + 1024);
  const hints = new BranchHints();
  const code = new CodeWriter(bytes, spaces, helpers, options);
  for (let number = 0; number < bodyCount && reader !== undefined; number++) {
    code.write(spaces.importedFunctionCount + number, reader, bodies, hints);
  }
  reader?.finish();
  return { bodyCount, bodies, hints };
}

/** Takes one body after the other through analysis and rewriting. */
class CodeWriter {
  readonly #spaces: IndexSpaces;
  readonly #helpers: AppendedFunctions;
  readonly #analysis: FunctionAnalysis;
  readonly #rewriter: CodeRewriter;
  readonly #body = new ByteWriter(4096);

  constructor(bytes: Uint8Array, spaces: IndexSpaces, helpers: AppendedFunctions, options: CodeOptions) {
    const { used, elementsMax } = options;
    this.#spaces = spaces;
    this.#helpers = helpers;
    this.#analysis = new FunctionAnalysis(spaces, used);
    const bulk = new BulkChoice(spaces, helpers, elementsMax);
    this.#rewriter = new CodeRewriter({ indices: helpers, bulk }, bytes);
  }

  write(functionIndex: number, reader: ByteReader, bodies: ByteWriter, hints: BranchHints): void {
    const body = this.#analyse(functionIndex, reader);
    const out = this.#body;
    out.clear();
    if (isShortRecursion(this.#analysis, body.locals.start)) {
      const recursion = unrollRecursion(body, this.#rewriter, this.#helpers);
      this.#rewriter.write({ ...body, recursion }, out);
    } else this.#rewriter.write(body, out);
    checkBodyBytes(out.length);
    hints.add(functionIndex, this.#rewriter.hints);
    bodies.sized(out.bytes());
  }

  #analyse(functionIndex: number, reader: ByteReader): Body {
    const bodyBytes = reader.u32();
    checkBodyBytes(bodyBytes);
    const content = reader.part(bodyBytes);
    const locals = readLocals(content);
    this.#analysis.run(functionIndex, locals.start, content);
    const typeIndex = this.#spaces.functions[functionIndex] ?? 0;
    const localCount = this.#spaces.types.parameterCount(typeIndex) + locals.count;
    checkComplexity(localCount, this.#analysis.controlCount, this.#analysis.depthMax);
    return { functionIndex, typeIndex, locals, localCount, analysis: this.#analysis, reader: content };
  }
}
