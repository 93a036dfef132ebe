/**
 * PrintRewrite: a PTX text whose kernels print into a buffer of their module.
 *
 * Owns the one change that is made to a text before the driver sees it: vprintf, which is the driver's and prints
 * to the process, becomes our function (print.cu). The text keeps its lines, so that the compiler's log names
 * those of the guest. Invariant: a text that declares no vprintf, or defines its own, is not touched.
 */
import type { PtxModule } from "../ptx/ast.ts";
import { PRINT_PTX } from "./print_ptx.ts";

/** What kernels print to: bytes used, then records. */
export const PRINT_BUFFER = "tensor_wasm_print_buffer";

const NAME = "vprintf";
/** As nvcc and clang declare it: one parameter list for the result, one for format and arguments. */
const DECLARATION = /\.extern\s+\.func\s*\([^()]*\)\s*vprintf\s*\([^()]*\)\s*;/;
const WORD = /(?<![\w$%.])vprintf(?![\w$])/g;

/** Whether kernels of a module print by way of the driver. */
export function usesDriverPrint({ functions }: PtxModule): boolean {
  return functions.some(({ name, body }) => name === NAME && body === undefined);
}

/** The text with our function in its place; unchanged where it is not declared as compilers do. */
export function rewritePrint(text: string): string {
  const [declaration] = DECLARATION.exec(text) ?? [];
  if (declaration === undefined) return text;
  const definition = PRINT_PTX.replaceAll("\n", " ") + declaration.replace(/[^\n]/g, "");
  return text.replace(declaration, () => definition).replace(WORD, "tensor_wasm_print");
}
