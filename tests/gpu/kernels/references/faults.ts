/**
 * References of faults.cu and output.cu: what goes wrong with which status, and what is printed.
 *
 * Owns statuses and lines. Invariant: a kernel that may do wrong also has a case in which it does not.
 */
import { blocksFor, buffer, CaseTable, exactly, i32, i64, type KernelCase } from "./kernel_case.ts";

export function faultsCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  const ones = (): Int32Array<ArrayBuffer> => new Int32Array(100).fill(1);
  for (const kernel of ["assert_positive", "trap_on"]) {
    table.add(kernel, "nothing wrong", () => ({ grid: 2, block: 64, args: [buffer(ones()), i32(100)] }));
  }
  table.add("assert_positive", "one is zero", () => ({
    grid: 2,
    block: 64,
    args: [buffer(ones().with(77, 0)), i32(100)],
    fails: ["CUDA_ERROR_ASSERT"],
  }));
  table.add("trap_on", "one is 42", () => ({
    grid: 2,
    block: 64,
    args: [buffer(ones().with(3, 42)), i32(100)],
    fails: ["CUDA_ERROR_LAUNCH_FAILED"],
  }));
  table.add("store_at", "inside", () => {
    const to = new Int32Array(4);
    return {
      grid: 1,
      block: 1,
      args: [buffer(to), i64(2), i32(9)],
      expected: () => [exactly(to, Int32Array.of(0, 0, 9, 0))],
    };
  });
  for (
    const [shape, offset] of [["far above", 2n ** 40n], ["far below", -(2n ** 45n)], [
      "wraps around",
      2n ** 61n,
    ]] as const
  ) {
    table.add("store_at", shape, () => ({
      grid: 1,
      block: 1,
      args: [buffer(new Int32Array(4)), i64(offset), i32(9)],
      fails: ["CUDA_ERROR_ILLEGAL_ADDRESS"],
    }));
  }
  table.add("load_null", "null", () => ({
    grid: 1,
    block: 32,
    args: [i64(0), buffer(new Int32Array(1))],
    fails: ["CUDA_ERROR_ILLEGAL_ADDRESS"],
  }));
  table.add("load_misaligned", "one off", () => ({
    grid: 1,
    block: 4,
    args: [buffer(new Uint8Array(64)), buffer(new Int32Array(1))],
    fails: ["CUDA_ERROR_MISALIGNED_ADDRESS"],
  }));
  table.add("shared_overrun", "inside", (random) => {
    const to = random.i32s(32);
    return { grid: 1, block: 32, args: [buffer(to), i32(7)], expected: () => [exactly(to, to.map(() => 7))] };
  });
  table.add("shared_overrun", "beyond all shared memory", () => ({
    grid: 1,
    block: 32,
    args: [buffer(new Int32Array(32)), i32(2 ** 24)],
    // cuda.h names shared memory out of bounds among the causes of the second.
    fails: ["CUDA_ERROR_ILLEGAL_ADDRESS", "CUDA_ERROR_LAUNCH_FAILED"],
  }));
  table.add("recurse", "without end", () => ({
    grid: 1,
    block: 1,
    args: [buffer(new Int32Array(1))],
    fails: ["CUDA_ERROR_LAUNCH_FAILED", "CUDA_ERROR_ILLEGAL_ADDRESS", "CUDA_ERROR_HARDWARE_STACK_ERROR"],
    refusedBy: ["cpu"],
  }));
  table.add("exit_early", "40 threads", (random) => {
    const to = random.i32s(40);
    return { grid: 1, block: 40, args: [buffer(to)], expected: () => [exactly(to, to.map(() => 1))] };
  });
  return table.cases;
}

export function outputCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  table.add("print_thread", "2 blocks of 3", () => ({
    grid: 2,
    block: 3,
    args: [i32(-1)],
    prints: [0, 1].flatMap((b) => [0, 1, 2].map((t) => `block ${b} thread ${t} value ${t - 1}`)),
  }));
  table.add("print_kinds", "once", () => ({
    grid: 1,
    block: 1,
    args: [],
    prints: [
      "-5 7 4000000000 beef BEEF 10 z %",
      "-9000000000 18000000000000000000 123456789abc",
      "1.500000 3.142 1.234568e+04 0.0001     2.50|2.50    |+3|00042|   ab|cd   |",
      "no arguments",
    ],
  }));
  for (const n of [0, 100]) {
    table.add("print_some", `n=${n}`, (random) => {
      const from = random.i32s(n, -30, 100);
      const lines = Array.from(
        from,
        (value, i) => `negative: in[${i}] = ${value}, half ${(value / 2).toFixed(1)}`,
      );
      return {
        grid: blocksFor(n, 64),
        block: 64,
        args: [buffer(from), i32(n)],
        prints: lines.filter((_, i) => (from[i] ?? 0) < 0),
      };
    });
  }
  return table.cases;
}
