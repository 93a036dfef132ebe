/**
 * The special registers of PTX (PTX ISA chapter 10): which names exist, and which have components.
 *
 * Owns the closed list; what each holds is the device's. Invariant: names here are without the percent sign,
 * and a declared register of the same name comes first, as ptxas has it.
 */

const VECTORS: ReadonlySet<string> = new Set([
  "tid",
  "ntid",
  "ctaid",
  "nctaid",
  "clusterid",
  "nclusterid",
  "cluster_ctaid",
  "cluster_nctaid",
]);

const SCALARS: ReadonlySet<string> = new Set([
  "laneid",
  "warpid",
  "nwarpid",
  "smid",
  "nsmid",
  "gridid",
  "is_explicit_cluster",
  "cluster_ctarank",
  "cluster_nctarank",
  "lanemask_eq",
  "lanemask_le",
  "lanemask_lt",
  "lanemask_ge",
  "lanemask_gt",
  "clock",
  "clock_hi",
  "clock64",
  ...numbered("pm", 8, ""),
  ...numbered("pm", 8, "_64"),
  ...numbered("envreg", 32, ""),
  "globaltimer",
  "globaltimer_lo",
  "globaltimer_hi",
  "reserved_smem_offset_begin",
  "reserved_smem_offset_end",
  "reserved_smem_offset_cap",
  "reserved_smem_offset_0",
  "reserved_smem_offset_1",
  "total_smem_size",
  "aggr_smem_size",
  "dynamic_smem_size",
  "current_graph_exec",
]);

function numbered(prefix: string, count: number, suffix: string): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}${suffix}`);
}

/** Whether `word`, such as `%tid` or `%laneid`, names a special register; "vector" if it has components. */
export function specialRegisterForm(word: string): "vector" | "scalar" | undefined {
  if (!word.startsWith("%")) return undefined;
  const name = word.slice(1);
  if (VECTORS.has(name)) return "vector";
  return SCALARS.has(name) ? "scalar" : undefined;
}
