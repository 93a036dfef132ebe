/**
 * Listener: the socket on which the gateway is called, for as long as it is to be.
 *
 * Owns listening, and beginning again. Deno's server ends for good when a connection cannot be accepted, as when the
 * process may open no more files (EMFILE): without this, whoever opens enough connections once would have silenced
 * the gateway for ever. It answers nothing itself. Invariant: until `shutdown` it listens on its one address, or tries
 * to; requests under way are not touched by that.
 */
import type { Clock } from "../model/clock.ts";
import type { Connection, Peer } from "./closed_peers.ts";

/** How soon it is tried again where listening fails. */
const RETRY_MS = 100;

/** What a listener works with. */
export interface ListenerOptions {
  readonly hostname: string;
  readonly port: number;
  readonly answer: (request: Request, connection: Connection) => Response | Promise<Response>;
  /** The answer to what `answer` threw, and to bodies that break off. */
  readonly answerBug: (error: unknown) => Response;
  /** Told once when it has stopped listening, and once when it listens again. */
  readonly failed: (error: unknown) => void;
  readonly recovered: () => void;
  readonly clock: Clock;
}

/** Listens. */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #addr: Deno.NetAddr;
  #server: Deno.HttpServer<Deno.NetAddr>;
  #isClosed = false;
  #cancelRetry: (() => void) | undefined;

  /** Begins. Throws what the system does where it does not let it. */
  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#server = this.#serve(options.port);
    this.#addr = this.#server.addr;
  }

  /** Where it listens. */
  get addr(): Deno.NetAddr {
    return this.#addr;
  }

  /** Takes no more connections; resolves when those that it has are done. */
  async shutdown(): Promise<void> {
    this.#isClosed = true;
    this.#cancelRetry?.();
    await this.#server.shutdown();
  }

  #serve(port: number): Deno.HttpServer<Deno.NetAddr> {
    const { hostname, answer, answerBug } = this.#options;
    const server: Deno.HttpServer<Deno.NetAddr> = Deno.serve(
      { hostname, port, onListen: () => {}, onError: answerBug },
      (request, info) => answer(request, { localPort: server.addr.port, peer: () => peerOf(info) }),
    );
    server.finished.catch((error) => {
      if (this.#isClosed) return;
      this.#options.failed(error);
      this.#serveLater();
    });
    return server;
  }

  #serveLater(): void {
    this.#cancelRetry = this.#options.clock.after(RETRY_MS, () => {
      try {
        this.#server = this.#serve(this.#addr.port);
      } catch {
        // As long as the reason lasts; it was told.
        return this.#serveLater();
      }
      this.#options.recovered();
    });
  }
}

/** Deno throws when it is asked about a request that is over, as that of a stream whose client has left. */
function peerOf(info: Deno.ServeHandlerInfo<Deno.NetAddr>): Peer | undefined {
  try {
    return info.remoteAddr;
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
