/**
 * Tolerances: how far results of two devices may be from each other, and the table of all of them for people.
 *
 * Owns the rule: each device may be as far from the reference as the case allows, so two of them may be twice as
 * far from each other; what is exact is the same bits. Invariant: the table is made from the cases themselves.
 */
import { allCases } from "./references.ts";
import type { KernelCase, Tolerance } from "./references/kernel_case.ts";

/** Cases of one kernel that are looked at: what they allow depends on the kernel, and on few of their inputs. */
const CASES_OF_KERNEL_MAX = 2;

/** The tolerance between two devices that both have this one to the reference. */
export function twice(tolerance: Tolerance): Tolerance {
  switch (tolerance.kind) {
    case "ulp":
      return { kind: "ulp", ulps: 2 * tolerance.ulps };
    case "relative":
      return { kind: "relative", bound: 2 * tolerance.bound, floor: 2 * tolerance.floor };
    case "absolute":
      return { kind: "absolute", bound: 2 * tolerance.bound };
    default:
      return tolerance;
  }
}

/** Rows of [kernels, what a device may differ from the reference by, what two devices may differ by]. */
export function toleranceRows(): readonly (readonly [string, string, string])[] {
  const byTolerance = new Map<string, { readonly tolerance: Tolerance; readonly kernels: Set<string> }>();
  for (const kernelCase of someCases()) {
    for (const { tolerance } of kernelCase.expected()) {
      const text = textOf(tolerance);
      const row = byTolerance.get(text) ?? { tolerance, kernels: new Set() };
      byTolerance.set(text, row);
      row.kernels.add(`${sourceOf(kernelCase)} \`${kernelCase.kernel}\``);
    }
  }
  const rows = [...byTolerance].filter(([, { tolerance }]) => tolerance.kind !== "exact");
  return [
    ...rows.map(([text, { tolerance, kernels }]) =>
      [[...kernels].sort().join(", "), text, textOf(twice(tolerance))] as const
    ).sort(([a], [b]) => a < b ? -1 : 1),
    ["all others", "same bits", "same bits"],
  ];
}

/** A few small cases of each kernel; texts that were compiled in other ways have the same kernels. */
function someCases(): readonly KernelCase[] {
  const counts = new Map<string, number>();
  return allCases().filter((kernelCase) => {
    const key = `${sourceOf(kernelCase)} ${kernelCase.kernel}`;
    const count = counts.get(key) ?? 0;
    if (kernelCase.fails !== undefined || count >= CASES_OF_KERNEL_MAX || elementsOf(kernelCase) > 10_000) {
      return false;
    }
    counts.set(key, count + 1);
    return true;
  });
}

function sourceOf({ ptx }: KernelCase): string {
  return ptx.split(".")[0] ?? ptx;
}

function elementsOf({ args }: KernelCase): number {
  return args.reduce((sum, arg) => sum + (arg.type === "buffer" ? arg.data.length : 0), 0);
}

function textOf(tolerance: Tolerance): string {
  switch (tolerance.kind) {
    case "ulp":
      return `${tolerance.ulps} ulp`;
    case "relative": {
      const floor = tolerance.floor === 0 ? "" : `, or ${short(tolerance.floor)}`;
      return `${short(tolerance.bound)} of the value${floor}`;
    }
    case "absolute":
      return short(tolerance.bound);
    case "multiset":
      return "same numbers, any order";
    case "exact":
      return "same bits";
  }
}

function short(value: number): string {
  return Number(value.toPrecision(3)).toExponential().replace("e", "·10^").replace("+", "");
}
