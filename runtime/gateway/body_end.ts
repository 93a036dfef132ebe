/**
 * The end of a body that leaves after its head: how it went, for the request's last line, its span and the metrics.
 *
 * Owns the words for ends, the status that each would have been, and the line `request.failed` of one that was not
 * meant. It sends nothing. Invariant: whoever has left or does not read is not told of what else went wrong.
 */
import type { Telemetry } from "../../telemetry/mod.ts";
import { fault } from "../model/fault.ts";
import type { BodyEnd, GatewayContext } from "./environment.ts";
import { reportDeparture, reportFailure } from "./failure_report.ts";
import { toProblem } from "./problem.ts";

/** The status that metrics have of a body that was broken off, whatever its head said. */
const STATUS_OF_ENDING = {
  client_gone: 499,
  client_slow: 499,
  client_stalled: 499,
  gateway_closed: 503,
} as const;
/** For the log: the client of such an answer does not read, so nobody else is told. */
const CUT_OFF = "Answer was cut off: the gateway is shutting down";

/** How a body was broken off. */
export type BrokenOff = keyof typeof STATUS_OF_ENDING;
/** How a body ended; `drained` is one that said itself that the gateway ends. */
export type Ending = "finished" | "drained" | "failed" | BrokenOff;

/** A body of which no more will be sent. */
export interface SentBody {
  readonly ending: Ending;
  /** What went wrong, of one that `failed`. */
  readonly failure?: unknown;
  /** What was handed to the server, in so many pieces. */
  readonly chunks: number;
  readonly bytes: number;
}

/** What the request's line, span and metrics have of it. */
export function toBodyEnd({ ending, failure, chunks, bytes }: SentBody): BodyEnd {
  if (ending === "finished" || ending === "drained") return { ending, chunks, bytes };
  if (ending === "failed") {
    const { status, kind } = toProblem(failure);
    return { ending, status, failure: kind, chunks, bytes };
  }
  return { ending, status: STATUS_OF_ENDING[ending], failure: ending, chunks, bytes };
}

/** Says why a body did not end as it was meant to, if it did not; under the active span. */
export function reportEnd(c: GatewayContext, telemetry: Telemetry, { ending, failure }: SentBody): void {
  if (ending === "finished" || ending === "drained") return;
  const stage = c.get("stage");
  if (ending === "failed" || ending === "gateway_closed") {
    const error = ending === "failed" ? failure : fault("capacity_exhausted", CUT_OFF);
    return reportFailure(telemetry, toProblem(error), { stage, error, ids: c.get("span").ids });
  }
  reportDeparture(telemetry, ending, STATUS_OF_ENDING[ending], stage);
}

/** Has a request last until its body has left, or none of it will any more. */
export function endWithBody(c: GatewayContext, telemetry: Telemetry, sent: Promise<SentBody>): void {
  // The server takes the body of an answer to HEAD away, which is no departure.
  if (c.req.method === "HEAD") return;
  c.set("stage", "answer");
  c.set(
    "bodyEnd",
    sent.then((body) => {
      telemetry.tracer.withSpan(c.get("span"), () => reportEnd(c, telemetry, body));
      return toBodyEnd(body);
    }),
  );
}
