/**
 * Boundary: one way in which work leaves the call stack, as the propagation tests cross it.
 *
 * Owns the shape of a row and what rows share. Invariant: the callback of a row is called, or the test fails.
 */

/** Calls back on the other side; `elsewhere` runs something in the context of another request. */
export type Cross = (callback: () => void, elsewhere: (work: () => void) => void) => unknown;

/** A row. */
export interface Boundary {
  readonly name: string;
  /** Whether the callback has to be bound to keep its context. */
  readonly isBound: boolean;
  readonly cross: Cross;
}

/** A row whose context goes along by itself. */
export function carried(name: string, cross: Cross): Boundary {
  return { name, isBound: false, cross };
}

/** A row whose callback has to be bound. */
export function bound(name: string, cross: Cross): Boundary {
  return { name, isBound: true, cross };
}

/** Lets time pass. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Answers one request by `handle`, which a client makes that has nothing to do with any span. */
export async function serveOnce(
  handle: (request: Request) => Response | Promise<Response>,
  ask: (url: string) => Promise<unknown>,
): Promise<void> {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handle);
  await ask(`http://127.0.0.1:${server.addr.port}/`).catch(() => {});
  await server.shutdown();
}
