/**
 * Cell: answers a gateway's frames, one at a time, in the order they come.
 *
 * Owns the modules that the gateway has sent (the gateway alone decides when one goes) and the answer to
 * each frame. It does not connect or give up permissions (main.ts does). Invariant: every `call` and every
 * `prepare` is answered by exactly one frame, unless the process dies.
 */
import { toFaultRecord } from "../model/fault.ts";
import { RuntimeFault } from "../model/fault.ts";
import { invariant, InvariantError } from "../model/invariant.ts";
import { DEFAULT_LIMITS } from "../model/limits.ts";
import type { Limits } from "../model/limits.ts";
import type { Frame, FrameReader } from "../wire/frame.ts";
import type { FrameWriter } from "../wire/frame_writer.ts";
import { FRAME } from "../wire/messages.ts";
import type { CallMeta, ConfigureMeta, PreparedMeta, PrepareMeta, ResultMeta } from "../wire/messages.ts";
import { compileModule, runCall } from "./instance.ts";
import type { CompiledModule } from "./instance.ts";
import { prepareBody } from "./prepare.ts";

/** Serves one gateway until it closes the connection. */
export class Cell {
  readonly #reader: FrameReader;
  readonly #writer: FrameWriter;
  readonly #writeLines: (bytes: Uint8Array) => void;
  readonly #modules = new Map<number, CompiledModule>();
  #limits: Limits = DEFAULT_LIMITS;

  /** `writeLines` writes log lines to the cell's stdout before it returns. */
  constructor(reader: FrameReader, writer: FrameWriter, writeLines: (bytes: Uint8Array) => void) {
    this.#reader = reader;
    this.#writer = writer;
    this.#writeLines = writeLines;
  }

  /** Answers frames until the connection ends. */
  async serve(): Promise<void> {
    for (;;) {
      const frame = await this.#reader.next();
      if (frame === undefined) return;
      this.#answer(frame);
      // The answer has left before the next request begins: the gateway relies on that order.
      await this.#writer.flushed();
    }
  }

  #answer(frame: Frame): void {
    switch (frame.type) {
      case FRAME.configure:
        this.#limits = (frame.meta as ConfigureMeta).limits;
        break;
      case FRAME.module:
        this.#modules.set(frame.id, compileModule(frame.blob));
        break;
      case FRAME.forget:
        this.#modules.delete(frame.id);
        break;
      case FRAME.call:
        this.#call(frame.id, frame.meta as CallMeta, frame.blob);
        break;
      case FRAME.prepare:
        this.#prepare(frame.id, frame.meta as PrepareMeta, frame.blob);
        break;
      default:
        throw new InvariantError(`Frame type ${frame.type} is not for a cell`);
    }
  }

  #call(id: number, meta: CallMeta, input: Uint8Array): void {
    if (isTooLate(meta.startBy)) return this.#writer.send(FRAME.not_started, id, undefined);
    try {
      const compiled = this.#modules.get(meta.module);
      invariant(compiled !== undefined, "The gateway sends a module before it calls it");
      const result = runCall(compiled, id, meta, input, this.#limits, this.#writeLines);
      this.#writer.send(FRAME.result, id, result.meta, result.output);
    } catch (error) {
      const result: ResultMeta = {
        startedAtMs: performance.now(),
        outcome: { type: "lost", reason: "cell_fault" },
        spans: [],
        logLines: 0,
        fault: { code: "internal", message: describe(error) },
      };
      this.#writer.send(FRAME.result, id, result);
    }
  }

  #prepare(id: number, meta: PrepareMeta, body: Uint8Array<ArrayBuffer>): void {
    if (isTooLate(meta.startBy)) return this.#writer.send(FRAME.not_started, id, undefined);
    try {
      const prepared = prepareBody(meta.form, body, this.#limits);
      const answer: PreparedMeta = prepared.name === undefined
        ? { facts: prepared.facts }
        : { name: prepared.name, facts: prepared.facts };
      this.#writer.send(FRAME.prepared, id, answer, meta.form === "json" ? prepared.bytes : undefined);
    } catch (error) {
      const answer: PreparedMeta = error instanceof RuntimeFault
        ? { fault: toFaultRecord(error) }
        : { fault: { code: "internal", message: describe(error) } };
      this.#writer.send(FRAME.prepared, id, answer);
    }
  }
}

function isTooLate(startBy: number | undefined): boolean {
  return startBy !== undefined && performance.now() > startBy;
}

/** For the gateway's log alone: the gateway never shows the message of an `internal` fault to a caller. */
function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}`.slice(0, 500) : "Unknown error";
}
