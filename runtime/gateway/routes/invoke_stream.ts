/**
 * `POST /functions/{id}/invoke-stream`: one call whose output leaves while it runs.
 *
 * Owns the `http.invoke_function_stream` span, which lasts as long as the stream, and the choice between an answer
 * like that of any other route, before the first chunk, and a streamed one. Framing and back-pressure are in stream/.
 * Invariants: the head leaves with the first chunk or at the end; a place among the streams, the request's body and
 * the call are given back on every way out.
 */
import { createRoute, z } from "@hono/zod-openapi";
import type { Span } from "../../../telemetry/mod.ts";
import { ClientGone } from "../../executor/admission.ts";
import type { FunctionRecord } from "../../model/function_record.ts";
import type { Cancellation, Execution } from "../../model/invocation.ts";
import type { Outcome } from "../../model/outcome.ts";
import { NO_USAGE } from "../../model/usage.ts";
import { windowBytesFor } from "../../model/stream_window.ts";
import { resultToJson } from "../arguments.ts";
import { reportEnd, toBodyEnd } from "../body_end.ts";
import { applyDeadlineHeader, CALL_REQUEST, holdBody, namedFunction, readCall } from "../call_request.ts";
import { cancellationOf } from "../client_cancellation.ts";
import type { BodyEnd, Dependencies, GatewayApp, GatewayContext } from "../environment.ts";
import { toProblem } from "../problem.ts";
import { valuesOf } from "../respond.ts";
import { errorResponses } from "../schemas.ts";
import { negotiateFraming } from "../stream/framing.ts";
import type { Framing, StreamEnd } from "../stream/framing.ts";
import { Outbox } from "../stream/outbox.ts";
import { StreamBody } from "../stream/stream_body.ts";

const route = createRoute({
  method: "post",
  path: "/functions/{id}/invoke-stream",
  summary: "Invoke a function and read its output while it runs",
  request: CALL_REQUEST,
  responses: {
    200: {
      description: "The guest's bytes as they come, broken off if the call fails; or, if Accept asks for " +
        "text/event-stream, events: chunk (text), chunk_b64 (base64), and at the end done or error",
      content: {
        "application/octet-stream": { schema: z.string().openapi({ format: "binary" }) },
        "text/event-stream": { schema: z.string() },
      },
    },
    ...errorResponses(400, 403, 404, 408, 413, 429, 500, 502, 503, 504),
  },
});

type StreamSpan = Span<"http.invoke_function_stream">;

/** Adds the route. It is registered by hand: its body is not always JSON. */
export function addInvokeStreamRoute(app: GatewayApp, dependencies: Dependencies): void {
  app.openAPIRegistry.registerPath(route);
  app.post("/functions/:id/invoke-stream", (c) => invokeStream(c, dependencies));
}

async function invokeStream(c: GatewayContext, dependencies: Dependencies): Promise<Response> {
  const { telemetry, lifecycle } = dependencies;
  using starting = new DisposableStack();
  starting.defer(lifecycle.enter());
  const span = telemetry.tracer.startSpan("http.invoke_function_stream", {
    function_id: c.req.param("id") ?? "unknown",
    tenant: c.get("tenant"),
  });
  starting.use(span);
  try {
    return await telemetry.tracer.withSpan(
      span,
      () => new StreamedCall(c, span, dependencies).answer(starting),
    );
  } catch (error) {
    span.fail(error instanceof Error ? error.message : "error");
    throw error;
  }
}

/** One streamed call on its way. */
class StreamedCall {
  readonly #c: GatewayContext;
  readonly #span: StreamSpan;
  readonly #dependencies: Dependencies;
  readonly #outbox: Outbox;
  readonly #framing: Framing;
  readonly #left = new AbortController();

  constructor(c: GatewayContext, span: StreamSpan, dependencies: Dependencies) {
    const { limits, streams } = dependencies;
    this.#c = c;
    this.#span = span;
    this.#dependencies = dependencies;
    this.#framing = negotiateFraming(c.req.header("accept"));
    this.#outbox = new Outbox(windowBytesFor(limits.streamWindowBytes, limits.chunkBytesMax), streams);
  }

  /** The response; `starting` is disposed when it leaves, or taken over by the stream until that ends. */
  async answer(starting: DisposableStack): Promise<Response> {
    const { streams } = this.#dependencies;
    applyDeadlineHeader(this.#c, this.#dependencies);
    const record = namedFunction(this.#span, this.#c, this.#dependencies);
    this.#c.set("stage", "queue");
    const place = starting.use(streams.enter(this.#c.get("tenant")));
    const running = this.#run(record);
    const execution = await Promise.race([this.#outbox.begun, running]);
    if (execution !== undefined && !this.#outbox.hasBegun) return this.#answerWhole(execution);
    const body = this.#stream(running);
    place.onAbort = () => body.abort("gateway_closed");
    const ending = this.#finish(body, running, starting.move());
    this.#c.set("bodyEnd", ending);
    return this.#respond(body.readable, this.#outbox.contentType);
  }

  /** Runs the call. The request's body is held until it has ended: it is the guest's input. */
  async #run(record: FunctionRecord): Promise<Execution> {
    const { executor, streams } = this.#dependencies;
    try {
      using hold = holdBody(this.#c, this.#dependencies);
      const { parts } = await readCall(this.#c, record, hold, this.#dependencies);
      this.#c.set("stage", "queue");
      using client = cancellationOf(this.#c, this.#dependencies);
      const execution = await executor.run({
        ...parts,
        deadlineMs: this.#c.get("deadlineMs"),
        deadlineAtMs: this.#c.get("deadlineAtMs"),
        cancellation: this.#cancellation(client),
        stream: this.#outbox,
      });
      this.#c.set("stage", "run");
      streams.rejected(execution.chunksRejected ?? 0);
      return execution;
    } finally {
      this.#outbox.end();
    }
  }

  /** The client leaves before the head was sent, or while it reads. */
  #cancellation(client: Cancellation): Cancellation {
    const { signal } = this.#left;
    return {
      onCancel: (callback) => {
        client.onCancel(callback);
        if (signal.aborted) callback();
        else signal.addEventListener("abort", callback, { once: true });
      },
    };
  }

  /** The call ended without a chunk: its outcome is the answer's status. */
  #answerWhole(execution: Execution): Response {
    this.#c.set("usage", execution.usage);
    const end = { ...this.#account(execution.usage), result: resultToJson(valuesOf(execution.outcome)) };
    const body = this.#framing.end(end) ?? new Uint8Array(0);
    return this.#respond(body, execution.contentType);
  }

  #respond(body: BodyInit, contentType: string | undefined): Response {
    return new Response(body, {
      headers: {
        ...this.#framing.headers(contentType),
        // Nobody on the way may keep, pack or gather it.
        "cache-control": "no-store, no-transform",
        "x-accel-buffering": "no",
      },
    });
  }

  #stream(running: Promise<Execution>): StreamBody {
    const { clock, limits, telemetry } = this.#dependencies;
    return new StreamBody({
      outbox: this.#outbox,
      framing: this.#framing,
      ended: running.then((execution) => this.#endOf(execution), (error) => this.#endOfError(error)),
      onLeave: () => this.#left.abort(),
      drainMs: limits.streamDrainMs,
      clock,
      tracer: telemetry.tracer,
    });
  }

  #endOf({ outcome, usage }: Execution): StreamEnd {
    try {
      return { ...this.#account(usage), result: resultToJson(valuesOf(outcome)) };
    } catch (error) {
      return { ...this.#account(usage), problem: toProblem(error) };
    }
  }

  #endOfError(error: unknown): StreamEnd {
    return { ...this.#account(NO_USAGE), problem: toProblem(error) };
  }

  #account(usage: Execution["usage"]): Omit<StreamEnd, "problem" | "result"> {
    const { chunks, bytes } = this.#outbox;
    return { usage, chunks, bytes, traceId: this.#span.ids?.traceId };
  }

  /** Waits for both ends of the stream, says how it went, and gives everything back. */
  async #finish(body: StreamBody, running: Promise<Execution>, held: DisposableStack): Promise<BodyEnd> {
    using _ = held;
    const failure = await running.then(({ outcome }) => failureOf(outcome), (error: unknown) => error);
    if (failure instanceof ClientGone) body.abort("client_gone");
    const ending = await body.done;
    const { chunks, bytes } = this.#outbox;
    const sent = { ending, failure, chunks, bytes };
    const end = toBodyEnd(sent);
    this.#span.setAttributes({ chunks, bytes, ending });
    if (end.failure !== undefined) this.#span.fail(end.failure);
    reportEnd(this.#c, this.#dependencies.telemetry, sent);
    return end;
  }
}

/** What a client is told of a failed outcome; undefined for a success. */
function failureOf(outcome: Outcome): unknown {
  try {
    valuesOf(outcome);
    return undefined;
  } catch (error) {
    return error;
  }
}
