/**
 * Responses to invocations: from an Execution to HTTP.
 *
 * Owns the choice between the JSON envelope and the guest's raw output. Which fault a failed outcome is,
 * model/outcome_fault.ts says. Invariant: a guest's failure never looks like a success, and its bytes never become response headers
 * except the media type it set.
 */
import { ClientGone } from "../executor/admission.ts";
import { fault } from "../model/fault.ts";
import type { Execution } from "../model/invocation.ts";
import { limitMessage } from "../model/limits.ts";
import type { TypedValue } from "../model/module_facts.ts";
import type { Outcome } from "../model/outcome.ts";
import { outcomeFault } from "../model/outcome_fault.ts";
import { resultToJson } from "./arguments.ts";
import { guestHeaders } from "./guest_output.ts";
import { findMediaRange } from "./media_ranges.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The head of an answer in JSON. */
export const JSON_HEADERS: Readonly<Record<string, string>> = { "content-type": "application/json" };

/** How the answer is to look. */
export interface AnswerForm {
  readonly functionId: string;
  readonly hasInput: boolean;
  readonly accept: string | undefined;
  /** Most output that is put into JSON: base64 and escaping happen on the event loop. */
  readonly jsonBytesMax: number;
}

/** The JSON envelope of a call that succeeded. */
export function callEnvelope(
  functionId: string,
  values: readonly TypedValue[],
  output: Uint8Array,
): { function_id: string; result: unknown; output?: string; output_b64?: string } {
  return { function_id: functionId, result: resultToJson(values), ...outputMember(output) };
}

/** The body of an answer, and what its head says of it. */
export interface AnswerBody {
  readonly body: string | Uint8Array<ArrayBuffer>;
  readonly headers: Readonly<Record<string, string>>;
  /** 200 without it. */
  readonly status?: number;
}

/** The answer to an execution that succeeded; throws the fault of one that did not. */
export function respond(execution: Execution, form: AnswerForm): AnswerBody {
  const values = valuesOf(execution.outcome);
  if (wantsRawOutput(execution, values, form)) {
    return {
      body: execution.output as Uint8Array<ArrayBuffer>,
      headers: guestHeaders(execution.contentType),
    };
  }
  const answer = callEnvelope(form.functionId, values, execution.output);
  return { body: JSON.stringify(answer), headers: JSON_HEADERS };
}

/** Raw output answers raw input, unless the caller asks for JSON or there is only a result to tell. */
function wantsRawOutput(execution: Execution, values: readonly TypedValue[], form: AnswerForm): boolean {
  const { length } = execution.output;
  const isTooLong = length > form.jsonBytesMax;
  if (form.accept !== undefined && findMediaRange(form.accept, "application/json") !== undefined) {
    if (!isTooLong) return false;
    const what = "Output is too large for a JSON answer, ask for it raw";
    throw fault("guest_limit_exceeded", limitMessage(what, "jsonBodyBytesMax", form.jsonBytesMax, length));
  }
  if (length === 0 && values.length > 0) return false;
  return form.hasInput || execution.contentType !== undefined || isTooLong;
}

function outputMember(output: Uint8Array): { output?: string; output_b64?: string } {
  if (output.length === 0) return {};
  try {
    return { output: decoder.decode(output) };
  } catch {
    return { output_b64: output.toBase64() };
  }
}

/** What a call that succeeded returned; throws the fault of one that did not, ClientGone if its client left. */
export function valuesOf(outcome: Outcome): readonly TypedValue[] {
  if (outcome.type === "returned") return outcome.values;
  if (outcome.type === "exited" && outcome.exitCode === 0) return [];
  // Nobody is there to read it; the status is for metrics and logs.
  throw outcomeFault(outcome) ?? new ClientGone();
}
