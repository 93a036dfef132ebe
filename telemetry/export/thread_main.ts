/**
 * The export thread: sends batches to collectors, away from the event loop that serves requests.
 *
 * Owns the senders and the order of messages: `open` first, then any number of the others; each `send` is answered by
 * one `sent`. It runs as a worker (export_thread.ts starts it) and keeps nothing else. Invariant: no message holds an
 * address, a header or a key on the way back.
 */
import { type OtlpConfig, OtlpSender } from "./otlp_sender.ts";
import type { SendResult } from "./sender.ts";

/** What the thread is told. */
export type ThreadOrder =
  | { readonly type: "open"; readonly configs: readonly OtlpConfig[]; readonly userAgent: string }
  | {
    readonly type: "send";
    readonly id: number;
    /** Index into the configurations. */
    readonly sender: number;
    /** Moved here. */
    readonly batch: Uint8Array<ArrayBuffer>;
    readonly count: number;
  }
  | { readonly type: "reload" };

/** What it says. */
export type ThreadAnswer =
  | {
    readonly type: "sent";
    readonly id: number;
    readonly result: SendResult;
    /** The batch's, moved back. */
    readonly buffer: ArrayBuffer;
  }
  | { readonly type: "reloaded" };

/** A batch is given up by whoever handed it over; the end of the thread ends its request. */
const NEVER = new AbortController().signal;

class Senders {
  readonly #configs: readonly OtlpConfig[];
  readonly #userAgent: string;
  readonly #senders: (OtlpSender | undefined)[] = [];

  constructor(configs: readonly OtlpConfig[], userAgent: string) {
    this.#configs = configs;
    this.#userAgent = userAgent;
  }

  async send(index: number, batch: Uint8Array<ArrayBuffer>, count: number): Promise<SendResult> {
    try {
      const config = this.#configs[index];
      if (config === undefined) return { acceptedCount: 0, reason: "the exporter failed" };
      const sender = this.#senders[index] ??= new OtlpSender(config, this.#userAgent);
      return await sender.send(batch, count, NEVER);
    } catch {
      // They could be used at the start; whoever rotates them may be half-way, so the next batch looks again.
      return { acceptedCount: 0, reason: "a file of the exporter cannot be used" };
    }
  }

  async reload(): Promise<void> {
    for (const sender of this.#senders) await sender?.reload();
  }
}

/** The worker's scope, as far as it is used here. */
interface Scope {
  onmessage: ((event: MessageEvent<ThreadOrder>) => void) | null;
  postMessage(answer: ThreadAnswer, moved?: Transferable[]): void;
}

function run(scope: Scope): void {
  let senders = new Senders([], "");
  scope.onmessage = async ({ data: order }): Promise<void> => {
    switch (order.type) {
      case "open":
        senders = new Senders(order.configs, order.userAgent);
        break;
      case "send": {
        const result = await senders.send(order.sender, order.batch, order.count);
        const { buffer } = order.batch;
        scope.postMessage({ type: "sent", id: order.id, result, buffer }, [buffer]);
        break;
      }
      case "reload":
        await senders.reload();
        scope.postMessage({ type: "reloaded" });
    }
  };
}

run(globalThis as unknown as Scope);
