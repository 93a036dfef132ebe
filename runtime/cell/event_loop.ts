/**
 * EventLoop: lets the event loop look at its sockets, and calls back.
 *
 * Owns a socket that is connected to itself. This Deno looks at sockets only once in some 60 turns while
 * anything else is ready to run, immediates and timers included (docs/decisions/0007); a byte that has to come
 * through a socket is seen no sooner than everything that came before it. Invariant: every callback is called
 * once, after the sockets were looked at.
 */

/** A source of turns of the event loop. */
export class EventLoop implements Disposable {
  readonly #near: Deno.UnixConn;
  readonly #far: Deno.UnixConn;
  #waiting: (() => void)[] = [];

  private constructor(near: Deno.UnixConn, far: Deno.UnixConn) {
    this.#near = near;
    this.#far = far;
    void this.#read();
  }

  /** Connects to itself by way of a path that nobody else uses; nothing is left at it. */
  static async open(path: string): Promise<EventLoop> {
    using listener = Deno.listen({ transport: "unix", path });
    const [near, far] = await Promise.all([
      Deno.connect({ transport: "unix", path }),
      listener.accept(),
    ]);
    await Deno.remove(path);
    return new EventLoop(near, far);
  }

  /** Calls back once the sockets were looked at. */
  nextTurn(callback: () => void): void {
    this.#waiting.push(callback);
    // One byte is under way at a time, so the socket is never full.
    if (this.#waiting.length === 1) this.#near.write(BYTE).catch(() => {});
  }

  [Symbol.dispose](): void {
    this.#near.close();
    this.#far.close();
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(16);
    for (;;) {
      const count = await this.#far.read(buffer).catch(() => null);
      if (count === null) return;
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const callback of waiting) callback();
    }
  }
}

const BYTE = new Uint8Array(1);
