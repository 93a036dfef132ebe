/**
 * CheckpointThread: work on the database that waits for the disk, on a thread of its own.
 *
 * Owns the thread (checkpoint_worker.ts) and who waits for which answer. It decides nothing. It is started at once,
 * because making a thread holds the event loop for tens of milliseconds. Invariant: every request is answered or fails, also when the thread does.
 */

/** What the thread can be asked for. */
export type ThreadTask =
  /** Copies the log into the database as far as nobody is in the way. */
  | "copy_log"
  /** Copies the rest, and empties the log. */
  | "empty_log"
  /** Reads all of the database through a new connection, to see whether it is sound. */
  | "check"
  /** Closes what the thread has open. */
  | "close";

/** A request. */
export interface ThreadRequest {
  readonly id: number;
  readonly path: string;
  readonly task: ThreadTask;
}

/** An answer. `isDone`: the log is empty, or the database sound. */
export type ThreadReply =
  | { readonly id: number; readonly isDone: boolean }
  | { readonly id: number; readonly failure: { readonly message: string; readonly errcode?: number } };

/** The thread of one database. */
export class CheckpointThread implements AsyncDisposable {
  readonly #path: string;
  readonly #pending = new Map<number, PromiseWithResolvers<boolean>>();
  #worker: Worker | undefined;
  #nextId = 1;

  /** @param path where the database is */
  constructor(path: string) {
    this.#path = path;
    this.#worker = this.#start();
  }

  /**
   * Has a task done; resolves with whether it is done wholly.
   *
   * @throws Error with SQLite's `errcode`, where it has one
   */
  run(task: ThreadTask): Promise<boolean> {
    this.#worker ??= this.#start();
    const request: ThreadRequest = { id: this.#nextId++, path: this.#path, task };
    const pending = Promise.withResolvers<boolean>();
    this.#pending.set(request.id, pending);
    this.#worker.postMessage(request);
    return pending.promise;
  }

  /** Ends the thread after what is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#worker === undefined) return;
    await this.run("close").catch(() => {});
    this.#end(new Error("The thread was ended"));
  }

  #start(): Worker {
    const worker = new Worker(new URL("./checkpoint_worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<ThreadReply>): void => this.#settle(data);
    worker.onerror = (event): void => {
      event.preventDefault();
      this.#end(new Error(`The thread failed: ${event.message}`));
    };
    return worker;
  }

  #settle(reply: ThreadReply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if ("isDone" in reply) return pending?.resolve(reply.isDone);
    const { message, ...code } = reply.failure;
    pending?.reject(Object.assign(new Error(message), code));
  }

  #end(error: Error): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
  }
}
