/**
 * ExportThread: senders whose requests are made on a thread of their own.
 *
 * Owns that thread, a worker of trusted code (thread_main.ts), and the batches that it was handed: their buffers are
 * moved, not copied, and come back to the pool. Why it is worth a thread: docs/decisions/0014-export-thread.md. It decides nothing about retries
 * (otlp_sender.ts does, over there). Invariant: every send settles once: with the thread's answer, at the abort of
 * its signal, or when the thread failed; a thread that failed is replaced, at most once a second.
 */
import { BufferPool } from "./buffer_pool.ts";
import { OtlpConnection } from "./otlp_connection.ts";
import { type OtlpConfig, OtlpSender } from "./otlp_sender.ts";
import type { BatchSender, SendResult } from "./sender.ts";
import type { ThreadAnswer, ThreadOrder } from "./thread_main.ts";

const RESTART_MS_MIN = 1000;
const THREAD_FILE = new URL("./thread_main.ts", import.meta.url);

/** Sends for all signals of a process. The thread starts with the first batch. */
export class ExportThread {
  readonly #configs: OtlpConfig[] = [];
  readonly #userAgent: string;
  readonly #buffers: BufferPool;
  readonly #pending = new Map<number, (result: SendResult) => void>();
  #reloading: PromiseWithResolvers<void> | undefined;
  #worker: Worker | undefined;
  #failedAtMs = -Infinity;
  #nextId = 0;
  #openCount = 0;

  /** `buffers` gets those of batches that the thread is done with. */
  constructor(userAgent: string, buffers: BufferPool = new BufferPool()) {
    this.#userAgent = userAgent;
    this.#buffers = buffers;
  }

  /**
   * A sender to one collector.
   *
   * @throws TelemetryConfigError when a file that it is configured with cannot be used
   */
  open(config: OtlpConfig): BatchSender<Uint8Array<ArrayBuffer>> {
    // A worker is loaded by reading its file. A program that grants no reading gets its exports on its own loop.
    if (!mayRead(THREAD_FILE)) return new OtlpSender(config, this.#userAgent);
    // The thread reads the files for itself, too late to stop the start.
    new OtlpConnection(config, {}).close();
    const sender = this.#configs.push(config) - 1;
    this.#openCount += 1;
    return {
      send: (batch, count, signal) => this.#send(sender, batch, count, signal),
      reload: () => this.#reload(),
      close: () => {
        this.#openCount -= 1;
        if (this.#openCount === 0) this.#stop("telemetry was closed first");
      },
    };
  }

  #send(
    sender: number,
    batch: Uint8Array<ArrayBuffer>,
    count: number,
    signal: AbortSignal,
  ): Promise<SendResult> {
    const { promise, resolve } = Promise.withResolvers<SendResult>();
    if (signal.aborted) return Promise.resolve(lost("telemetry was closed first"));
    const worker = this.#findWorker();
    if (worker === undefined) return Promise.resolve(lost("the export thread failed"));
    const id = this.#nextId++;
    const settle = (result: SendResult): void => {
      this.#pending.delete(id);
      signal.removeEventListener("abort", abort);
      resolve(result);
    };
    const abort = (): void => settle(lost("telemetry was closed first"));
    signal.addEventListener("abort", abort);
    this.#pending.set(id, settle);
    post(worker, { type: "send", id, sender, batch, count }, [batch.buffer]);
    return promise;
  }

  async #reload(): Promise<void> {
    // One that has not started reads the files when it does.
    if (this.#worker === undefined) return;
    if (this.#reloading === undefined) {
      this.#reloading = Promise.withResolvers<void>();
      post(this.#worker, { type: "reload" });
    }
    await this.#reloading.promise;
  }

  /** The thread; a new one where there is none, but not at once after a failure. */
  #findWorker(): Worker | undefined {
    if (this.#worker !== undefined) return this.#worker;
    if (performance.now() - this.#failedAtMs < RESTART_MS_MIN) return undefined;
    const worker = new Worker(THREAD_FILE, {
      type: "module",
      name: "export",
    });
    worker.onmessage = (event: MessageEvent<ThreadAnswer>): void => this.#take(event.data);
    worker.onerror = (event): void => {
      // Unless it is prevented, the error of a worker ends the process.
      event.preventDefault();
      this.#failedAtMs = performance.now();
      this.#stop("the export thread failed");
    };
    this.#worker = worker;
    post(worker, { type: "open", configs: this.#configs, userAgent: this.#userAgent });
    return worker;
  }

  #take(answer: ThreadAnswer): void {
    if (answer.type === "reloaded") return this.#endReload();
    this.#buffers.give(answer.buffer);
    this.#pending.get(answer.id)?.(answer.result);
  }

  #endReload(): void {
    this.#reloading?.resolve();
    this.#reloading = undefined;
  }

  #stop(reason: string): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const settle of [...this.#pending.values()]) settle(lost(reason));
    this.#endReload();
  }
}

function mayRead(file: URL): boolean {
  return file.protocol !== "file:" ||
    Deno.permissions.querySync({ name: "read", path: file }).state === "granted";
}

function lost(reason: string): SendResult {
  return { acceptedCount: 0, reason };
}

function post(worker: Worker, order: ThreadOrder, moved: Transferable[] = []): void {
  worker.postMessage(order, moved);
}
