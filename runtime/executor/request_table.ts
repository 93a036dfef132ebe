/**
 * RequestTable: the requests that one cell was given and has not answered.
 *
 * Owns the meeting of a request's answer, which comes by the socket, with its log lines, which come by stdout,
 * and who is inside when a cell dies. It sends nothing (cell_process.ts does). Invariant: each request is
 * settled exactly once, answered or died, and never before its last log line was handed on.
 */
import { IdTable } from "../model/id_table.ts";
import type { Frame } from "../wire/frame.ts";
import type { CellLogLine, ChunkMeta } from "../wire/messages.ts";

/** How a cell answered: with its frame, or not at all because it died. */
export type CellAnswer<Meta> =
  | { readonly type: "answered"; readonly meta: Meta; readonly blob: Uint8Array<ArrayBuffer> }
  | { readonly type: "died"; readonly reason: string };

/** What the table keeps of a request. */
export interface RequestFacts {
  /** What is to blame if the cell crashes: the digest of a module. */
  readonly digest: string;
  readonly deadlineAtMs: number;
  readonly onLine: (line: CellLogLine) => void;
  /** Takes the chunks of a streamed call; false if it has no room for one. */
  readonly onChunk?: (bytes: Uint8Array<ArrayBuffer>, meta: ChunkMeta | undefined) => boolean;
}

interface Request {
  readonly facts: RequestFacts;
  readonly resolve: (answer: CellAnswer<unknown>) => void;
  linesSeen: number;
  /** How often it was seen overdue. */
  overdueLooks: number;
  /** The answer, while log lines that precede it are still on their way. */
  answer: { readonly frame: Frame; readonly logLines: number } | undefined;
}

const OVERDUE_LOOKS = 3;

/** The requests of one cell. */
export class RequestTable {
  readonly #requests = new IdTable<Request>();

  /** Adds a request. */
  add(id: number, facts: RequestFacts): Promise<CellAnswer<unknown>> {
    return new Promise((resolve) => {
      this.#requests.set(id, { facts, resolve, linesSeen: 0, overdueLooks: 0, answer: undefined });
    });
  }

  /** Takes an answer; false if it is to nothing that was asked. */
  answer(frame: Frame, logLines: number): boolean {
    const request = this.#requests.get(frame.id);
    if (request === undefined || request.answer !== undefined) return false;
    request.answer = { frame, logLines };
    this.#settle(frame.id, request);
    return true;
  }

  /** Takes a chunk of a call's output; false if it is of no streamed call under way, or more than it takes. */
  takeChunk(frame: Frame): boolean {
    const request = this.#requests.get(frame.id);
    if (request === undefined || request.answer !== undefined) return false;
    return request.facts.onChunk?.(frame.blob, frame.meta as ChunkMeta | undefined) ?? false;
  }

  /** Takes a guest's log line. Lines of nobody are dropped. */
  takeLogLine(line: CellLogLine): void {
    const request = this.#requests.get(line.call);
    if (request === undefined) return;
    request.linesSeen++;
    request.facts.onLine(line);
    this.#settle(line.call, request);
  }

  /** Digests of what has not been answered. */
  digests(): Set<string> {
    const digests = new Set<string>();
    for (const { facts, answer } of this.#requests.values()) {
      if (answer === undefined) digests.add(facts.digest);
    }
    return digests;
  }

  /**
   * Whether a request is unanswered that the cell has failed to stop. To be asked before each ping, of which one is
   * under way at a time. Frames keep their order, so what was overdue at the first look had reached the cell when it
   * answered the ping of that look, and its answer, if there is one, precedes that to the ping of the second: at the
   * third look nothing that is merely slow on its way is left.
   */
  isStuck(nowMs: number, overdueMsMax: number): boolean {
    let isStuck = false;
    for (const request of this.#requests.values()) {
      if (request.answer !== undefined || nowMs - request.facts.deadlineAtMs <= overdueMsMax) continue;
      request.overdueLooks++;
      isStuck ||= request.overdueLooks >= OVERDUE_LOOKS;
    }
    return isStuck;
  }

  /** The cell is dead: what it had answered is answered, the rest died with it. */
  close(reason: string): void {
    const requests = this.#requests.values();
    this.#requests.clear();
    for (const { answer, resolve } of requests) {
      resolve(answer === undefined ? { type: "died", reason } : answered(answer.frame));
    }
  }

  #settle(id: number, request: Request): void {
    const { answer } = request;
    if (answer === undefined || request.linesSeen < answer.logLines) return;
    this.#requests.delete(id);
    request.resolve(answered(answer.frame));
  }
}

function answered(frame: Frame): CellAnswer<unknown> {
  return { type: "answered", meta: frame.meta, blob: frame.blob };
}
