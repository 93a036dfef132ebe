/**
 * Boundaries of the platform: Node's callbacks, processes, messages, clients.
 *
 * Owns their rows. Invariant: each is as this Deno has it; a row that has become better or worse fails.
 */
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import { readFile } from "node:fs";
import http from "node:http";
import net from "node:net";
import process from "node:process";
import { setTimeout as nodeTimeout } from "node:timers/promises";
import { gzip } from "node:zlib";
import { bound, type Boundary, carried, serveOnce, sleep } from "./boundary.ts";

/** Rows. */
export const PLATFORM_BOUNDARIES: readonly Boundary[] = [
  carried("node:timers/promises", async (callback) => {
    await nodeTimeout(1);
    callback();
  }),
  carried(
    "process.nextTick()",
    (callback) => new Promise<void>((resolve) => process.nextTick(() => (callback(), resolve()))),
  ),
  carried(
    "a callback of node:fs",
    (callback) =>
      new Promise<void>((resolve) => readFile(new URL(import.meta.url), () => (callback(), resolve()))),
  ),
  carried(
    "a callback of node:zlib",
    (callback) => new Promise<void>((resolve) => gzip("text", () => (callback(), resolve()))),
  ),
  carried("a process", async (callback) => {
    await new Deno.Command(Deno.execPath(), { args: ["--version"], stdout: "null" }).output();
    callback();
  }),
  carried("a request of one's own and its answer", async (callback) => {
    await serveOnce(() => new Response("text"), async (url) => {
      await (await fetch(url)).text();
      callback();
    });
  }),
  bound("a broadcast channel that is posted to elsewhere", async (callback, elsewhere) => {
    const name = crypto.randomUUID();
    const [one, other] = [new BroadcastChannel(name), new BroadcastChannel(name)];
    await new Promise<void>((resolve) => {
      one.onmessage = () => (callback(), resolve());
      elsewhere(() => other.postMessage(null));
    });
    one.close();
    other.close();
  }),
  bound("a message port whose handler was set elsewhere", async (callback, elsewhere) => {
    const { port1, port2 } = new MessageChannel();
    await new Promise<void>((resolve) => {
      elsewhere(() => port1.onmessage = () => (callback(), resolve()));
      port2.postMessage(null);
    });
    port1.close();
  }),
  carried("a promise that a handler set elsewhere resolves", async (callback, elsewhere) => {
    const { port1, port2 } = new MessageChannel();
    await new Promise<void>((resolve) => {
      elsewhere(() => port1.onmessage = () => resolve());
      port2.postMessage(null);
    });
    callback();
    port1.close();
  }),
  bound("data of a node:net socket that was connected elsewhere", async (callback, elsewhere) => {
    const server = net.createServer((socket) => socket.end("data"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as net.AddressInfo;
    const sockets: net.Socket[] = [];
    elsewhere(() => sockets.push(net.connect(port, "127.0.0.1")));
    await new Promise<void>((resolve) => {
      sockets[0]?.on("data", () => callback());
      sockets[0]?.on("close", () => resolve());
    });
    await new Promise((resolve) => server.close(resolve));
  }),
  carried("a callback of node:http's client", async (callback) => {
    await serveOnce(() => new Response("text"), (url) =>
      new Promise<void>((resolve) => {
        http.get(url, (response) => {
          callback();
          response.resume().on("end", resolve);
        });
      }));
  }),
  carried("a client's WebSocket", async (callback) => {
    await serveOnce((request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onopen = () => socket.send("message");
      return response;
    }, (url) =>
      new Promise<void>((resolve) => {
        const client = new WebSocket(url.replace("http", "ws"));
        client.onmessage = () => (callback(), client.close());
        client.onclose = () => resolve();
      }));
  }),
  carried("an AsyncResource, and AsyncLocalStorage's bind() and snapshot()", async (callback, elsewhere) => {
    const resource = new AsyncResource("test");
    const [own, snapshot] = [AsyncLocalStorage.bind(callback), AsyncLocalStorage.snapshot()];
    elsewhere(() => {
      resource.runInAsyncScope(callback);
      own();
      snapshot(callback);
    });
    await sleep(0);
  }),
];
