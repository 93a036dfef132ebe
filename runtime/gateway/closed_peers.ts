/**
 * ClosedPeers: notices that the other end of a connection was closed while a call of it runs.
 *
 * Owns asking the system. Deno's server tells of a client that leaves by the request's signal, but never once a body has
 * come in a later packet than its head. Linux's tables of connections say it all the same: one look for all calls, seldom,
 * and none while no call lasts that long. Where there are no such tables nothing is noticed. Invariant: a call is told
 * at most once, and not after it was unwatched; one look is under way at a time.
 */
import type { Clock } from "../model/clock.ts";
import { LinkedList } from "../model/linked_list.ts";
import type { Link } from "../model/linked_list.ts";

/** Calls are looked for that have lasted from one to two of these. */
export const LOOK_EVERY_MS = 250;
/** The next look comes after so many times what the last one took, so that long tables cost little of the time. */
const PAUSE_FACTOR = 20;
/** TCP_CLOSE_WAIT of Linux's include/net/tcp_states.h, as its tables print it: the peer has closed its end. */
const CLOSE_WAIT = "08";
/** A table is no snapshot: a connection that is in none of so many looks running was reset. */
const MISSING_LOOKS = 2;
/** A connection by its local port and its peer, and its state: proc(5), /proc/net/tcp. */
const ROW = /^ *\d+: [0-9A-F]+:(\w{4}) ([0-9A-F]+:\w{4}) (\w\w) /gm;
/** How an IPv4 address stands in the table of IPv6, its word apart. */
const MAPPED_PREFIX = "0000000000000000FFFF0000";

/** The other end of a connection. */
export interface Peer {
  readonly hostname: string;
  readonly port: number;
}

/** Both ends of a request's connection. */
export interface Connection {
  readonly localPort: number;
  /** Asked only if the call lasts. Undefined once the request is over for the server, whose answer nobody reads. */
  peer(): Peer | undefined;
}

/**
 * Reads Linux's tables of TCP connections, piece by piece as they come, so that long ones do not hold the event loop.
 * @returns whether that was all of them
 */
export type ReadConnections = (take: (text: string) => void) => Promise<boolean>;

interface Watched {
  /** What the connection's row has for it: the local port, and the peer in either table. */
  readonly keys: readonly string[];
  readonly gone: () => void;
  missingCount: number;
  /** Whether it was there at a look before. */
  isOld: boolean;
  /** Its place; undefined once it is unwatched or told. */
  link: Link<Watched> | undefined;
}

/** Watches the other ends of connections. */
export class ClosedPeers implements Disposable {
  readonly #clock: Clock;
  readonly #read: ReadConnections;
  readonly #watched = new LinkedList<Watched>();
  #cancelTimer: (() => void) | undefined;
  #isLooking = false;
  #isDisposed = false;

  constructor(clock: Clock, read: ReadConnections) {
    this.#clock = clock;
    this.#read = read;
  }

  /** Calls `gone` when the peer has closed its end, at once if that is known, until the returned function is called. */
  watch(connection: Connection, gone: () => void): () => void {
    const peer = connection.peer();
    if (peer === undefined) {
      gone();
      return () => {};
    }
    const local = hexPort(connection.localPort);
    const keys = peerWords(peer.hostname).map((words) => `${local} ${words}:${hexPort(peer.port)}`);
    const watched: Watched = { keys, gone, missingCount: 0, isOld: false, link: undefined };
    watched.link = this.#watched.push(watched);
    this.#lookAfter(LOOK_EVERY_MS);
    return () => this.#unwatch(watched);
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#cancelTimer?.();
  }

  #unwatch(watched: Watched): void {
    if (watched.link !== undefined) this.#watched.remove(watched.link);
    watched.link = undefined;
  }

  #lookAfter(delayMs: number): void {
    if (this.#isLooking || this.#isDisposed) return;
    this.#cancelTimer ??= this.#clock.after(delayMs, () => {
      this.#cancelTimer = undefined;
      this.#isLooking = true;
      void this.#look();
    });
  }

  async #look(): Promise<void> {
    const startMs = this.#clock.nowMs();
    const due: Watched[] = [];
    for (let link = this.#watched.first; link !== undefined; link = link.next) {
      if (link.value.isOld) due.push(link.value);
      link.value.isOld = true;
    }
    if (due.length > 0) {
      const states = await this.#statesOf(new Set(due.flatMap(({ keys }) => keys)));
      for (const watched of due) {
        if (states === undefined || watched.link === undefined || !isGone(watched, states)) continue;
        this.#unwatch(watched);
        watched.gone();
      }
    }
    this.#isLooking = false;
    if (this.#watched.size === 0) return;
    this.#lookAfter(Math.max(LOOK_EVERY_MS, PAUSE_FACTOR * (this.#clock.nowMs() - startMs)));
  }

  /** The states of those connections that are there, by their keys; undefined if the tables are not, or not whole. */
  async #statesOf(keys: ReadonlySet<string>): Promise<ReadonlyMap<string, string> | undefined> {
    const states = new Map<string, string>();
    let rest = "";
    let rowCount = 0;
    const isWhole = await this.#read((text) => {
      rest += text;
      const end = rest.lastIndexOf("\n") + 1;
      for (const [, port, peer, state] of rest.slice(0, end).matchAll(ROW)) {
        rowCount++;
        const key = `${port} ${peer}`;
        if (keys.has(key)) states.set(key, state ?? "");
      }
      rest = rest.slice(end);
    });
    return isWhole && rowCount > 0 ? states : undefined;
  }
}

function isGone(watched: Watched, states: ReadonlyMap<string, string>): boolean {
  const state = watched.keys.map((key) => states.get(key)).find((found) => found !== undefined);
  watched.missingCount = state === undefined ? watched.missingCount + 1 : 0;
  return state === CLOSE_WAIT || watched.missingCount === MISSING_LOOKS;
}

/** How an address may stand in the tables: words of 32 bits, each as this machine's byte order prints it. */
function peerWords(hostname: string): readonly string[] {
  const ipv4 = /(?:^|:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(hostname);
  if (ipv4 !== null) {
    const word = wordOf(ipv4.slice(1).map(Number));
    return [word, MAPPED_PREFIX + word];
  }
  const [head = [], tail] = hostname.replace(/%.*$/, "").split("::").map((half) =>
    half.split(":").filter(Boolean)
  );
  const missing = tail === undefined ? [] : Array<string>(8 - head.length - tail.length).fill("0");
  const groups = [...head, ...missing, ...tail ?? []].map((group) => Number.parseInt(group, 16));
  const bytes = groups.flatMap((group) => [group >> 8, group & 255]);
  return [[0, 4, 8, 12].map((start) => wordOf(bytes.slice(start, start + 4))).join("")];
}

/** Little-endian, as all machines are that Deno runs on. */
function wordOf(bytes: readonly number[]): string {
  return [...bytes].reverse().map((byte) => byte.toString(16).toUpperCase().padStart(2, "0")).join("");
}

function hexPort(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, "0");
}
