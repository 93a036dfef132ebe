/**
 * Jobs on the wire: their schema and their JSON.
 *
 * Owns the shape, which keeps the members and the three values of `status` of the system that the contract comes
 * from, and tells more in members of its own. Invariant: `result` is what a call that is waited for would have
 * been answered: its envelope, or kind and message of its error.
 */
import { z } from "@hono/zod-openapi";
import { fault, fromFaultRecord } from "../model/fault.ts";
import type { RuntimeFault } from "../model/fault.ts";
import { invariant } from "../model/invariant.ts";
import { isFinal, JOB_STATES } from "../model/job.ts";
import type { JobEnd, JobSummary } from "../model/job.ts";
import type { TypedValue } from "../model/module_facts.ts";
import { outcomeFault } from "../model/outcome_fault.ts";
import { rawJson } from "./arguments.ts";
import { toProblem } from "./problem.ts";
import { callEnvelope } from "./respond.ts";

/** A job. */
export const JobBody = z.object({
  id: z.string(),
  function_id: z.string(),
  tenant_id: z.number().int().openapi({ description: "Unsigned, 64 bits" }),
  status: z.enum(["pending", "completed", "failed"]).openapi({
    description: "Coarser than state: pending until the job has ended, failed for every end but completed",
  }),
  state: z.enum(JOB_STATES),
  attempt: z.number().int().openapi({ description: "Runs begun" }),
  result: z.union([
    z.object({ function_id: z.string() }).loose(),
    z.object({ kind: z.string(), message: z.string() }),
  ]).optional().openapi({
    description:
      "Once it has ended: the answer of a call that completed, or the kind and message of its error",
  }),
  output_bytes: z.number().int().optional().openapi({
    description: "Bytes that the guest wrote; more than jsonBodyBytesMax are in /jobs/{id}/output alone",
  }),
  created_unix_ms: z.number(),
  started_unix_ms: z.number().optional(),
  finished_unix_ms: z.number().optional(),
  cancel_requested: z.literal(true).optional(),
  usage: z.object({
    fuel: z.number(),
    yields: z.number(),
    cpu_us: z.number(),
    memory_bytes: z.number(),
  }).optional(),
  trace_id: z.string().optional().openapi({ description: "The trace of the request that it came by" }),
}).openapi("Job");

const NO_BYTES = new Uint8Array(0);

/** The JSON text of a job. `output` is of one that completed; undefined leaves it out of the result. */
export function jobJson(job: JobSummary, output: Uint8Array | undefined): string {
  return JSON.stringify(toJobBody(job, output));
}

/** A job as JSON.stringify takes it. */
export function toJobBody(job: JobSummary, output: Uint8Array | undefined): z.infer<typeof JobBody> {
  const traceId = job.trace["traceparent"]?.split("-")[1];
  const usage = job.end?.type === "ran" ? job.end.usage : undefined;
  return {
    id: job.id,
    function_id: job.functionId,
    // All of its digits, also where a double does not hold them.
    tenant_id: rawJson(job.tenant) as number,
    status: !isFinal(job.state) ? "pending" : job.state === "completed" ? "completed" : "failed",
    state: job.state,
    attempt: job.attempt,
    ...resultMember(job, output),
    ...(job.state === "completed" ? { output_bytes: job.outputBytes } : {}),
    created_unix_ms: job.createdUnixMs,
    ...(job.startedUnixMs === undefined ? {} : { started_unix_ms: Math.floor(job.startedUnixMs) }),
    ...(job.finishedUnixMs === undefined ? {} : { finished_unix_ms: Math.floor(job.finishedUnixMs) }),
    ...(job.cancelRequested === undefined ? {} : { cancel_requested: true as const }),
    ...(usage === undefined ? {} : {
      usage: {
        fuel: usage.fuel,
        yields: usage.yields,
        cpu_us: usage.cpuUs,
        memory_bytes: usage.memoryBytes,
      },
    }),
    ...(traceId === undefined ? {} : { trace_id: traceId }),
  };
}

/** The fault that a job's end is; undefined for one that completed. */
export function endFault(end: JobEnd): RuntimeFault | undefined {
  if (end.type === "fault") return fromFaultRecord(end.fault);
  const { outcome } = end;
  if (outcome.type === "returned" || (outcome.type === "exited" && outcome.exitCode === 0)) return undefined;
  return outcomeFault(outcome) ?? fault("job_cancelled", "Job was cancelled");
}

function resultMember(
  job: JobSummary,
  output: Uint8Array | undefined,
): Pick<z.infer<typeof JobBody>, "result"> {
  if (job.end === undefined) return {};
  const error = endFault(job.end);
  if (error !== undefined) {
    const { kind, message } = toProblem(error);
    return { result: { kind, message } };
  }
  return { result: callEnvelope(job.functionId, valuesOf(job.end), output ?? NO_BYTES) };
}

function valuesOf(end: JobEnd): readonly TypedValue[] {
  invariant(end.type === "ran", "A job completed without a run");
  return end.outcome.type === "returned" ? end.outcome.values : [];
}
