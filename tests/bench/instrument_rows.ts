/**
 * The rows of the bench of instrumentation: which exports of which guests are timed.
 *
 * A row is one export of one module, or one use of a real module, called with a number that scales its work. Only `mixed` rows count for the
 * geometric mean and the worst; `loops` are single constructs that no program consists of, the upper bound.
 */

/** One timed export. */
export interface CostRow {
  readonly name: string;
  readonly group: "mixed" | "loops";
  /** A guest of tests/guests/build, without ending; or a real module's name, when there is no export. */
  readonly guest: string;
  readonly exportName: string | undefined;
  /** Whether one more as the argument is some factor of work (fib), not an equal part more. */
  readonly exponential: boolean;
}

function row(name: string, guest: string, exportName = "run", group: CostRow["group"] = "mixed"): CostRow {
  return { name, group, guest, exportName, exponential: guest === "fib" };
}

function realRow(name: string, module: string): CostRow {
  return { name, group: "mixed", guest: module, exportName: undefined, exponential: false };
}

/** Every row, in the order of the table. */
export const COST_ROWS: readonly CostRow[] = [
  row("fib", "fib", "fib"),
  row("sieve", "bench_sieve"),
  row("matmul f32", "bench_matmul_f32"),
  row("matmul f32 -Os", "bench_matmul_f32_os"),
  row("matmul f64", "bench_matmul_f64"),
  row("matmul SIMD", "bench_matmul_simd"),
  row("sha256", "bench_sha256"),
  row("json", "bench_json"),
  row("image filter 3x3", "bench_convolve"),
  row("quicksort, indirect compare", "bench_qsort"),
  row("qsort of the C library", "bench_qsort", "run_libc"),
  row("nbody", "bench_nbody"),
  row("copies, 1-32 bytes", "bench_copies"),
  row("copies and fills, 64 KiB", "bench_copies", "run_large"),
  row("bytecode interpreter", "bench_interpreter"),
  row("hash map", "bench_hash_map"),
  row("binary trees", "bench_trees"),
  row("AssemblyScript, collected", "bench_assembly"),
  realRow("SQLite (emscripten)", "sqlite"),
  realRow("QuickJS (emscripten)", "quickjs"),
  realRow("dprint (Rust)", "dprint"),
  row("loop: two operations", "bench_loops", "tight", "loops"),
  row("loop: byte scan", "bench_loops", "scan", "loops"),
  row("loop: four iterations", "bench_loops", "short", "loops"),
  row("loop: direct call", "bench_loops", "calls", "loops"),
  row("loop: indirect call", "bench_loops", "indirect", "loops"),
];
