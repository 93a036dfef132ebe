/**
 * The cancellation of a request: its client leaving.
 *
 * Owns who is asked: the request's signal, and where there may be a body also the system, since the server does not
 * always tell (closed_peers.ts). Both only by a call that must wait: asking costs more than a short call's whole run.
 * Invariant: once disposed of, nobody is watched any more.
 */
import type { Cancellation } from "../model/invocation.ts";
import type { Dependencies, GatewayContext } from "./environment.ts";

/** What of a request's cancellation its handler ends when the call has ended. */
export interface ClientCancellation extends Cancellation, Disposable {}

/** deno.json turns off this Deno's older way, in which a request's signal aborts on success as well. */
export function cancellationOf(
  c: GatewayContext,
  { closedPeers }: Pick<Dependencies, "closedPeers">,
): ClientCancellation {
  const unwatch: (() => void)[] = [];
  return {
    onCancel: (callback) => {
      const { signal, method } = c.req.raw;
      if (signal.aborted) return callback();
      signal.addEventListener("abort", callback, { once: true });
      const connection = c.env?.connection;
      if (method === "GET" || connection === undefined) return;
      unwatch.push(closedPeers.watch(connection, callback));
    },
    [Symbol.dispose]: () => {
      for (const end of unwatch.splice(0)) end();
    },
  };
}
