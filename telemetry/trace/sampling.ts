/**
 * Sampling: which traces are recorded.
 *
 * Owns the choice of the SDK's sampler by its OpenTelemetry name. It decides nothing itself. Invariant: every
 * sampler here answers alike for all spans of a trace that have the same parent flag, which is why the tracer
 * asks only where a trace enters the process.
 */
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace-base";

/** The values of `OTEL_TRACES_SAMPLER` that are understood. */
export const SAMPLER_TYPES = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;

/** See SAMPLER_TYPES. */
export type SamplerType = (typeof SAMPLER_TYPES)[number];

/** A sampler by name; `ratio` is 0 to 1 and counts for the traceidratio types. */
export interface SamplerConfig {
  readonly type: SamplerType;
  readonly ratio: number;
}

/** Makes the sampler that the configuration names. */
export function makeSampler(config: SamplerConfig): Sampler {
  const parentBased = config.type.startsWith("parentbased_");
  const root = makeRootSampler(config.type.replace("parentbased_", ""), config.ratio);
  return parentBased ? new ParentBasedSampler({ root }) : root;
}

function makeRootSampler(type: string, ratio: number): Sampler {
  if (type === "always_off") return new AlwaysOffSampler();
  return type === "traceidratio" ? new TraceIdRatioBasedSampler(ratio) : new AlwaysOnSampler();
}
