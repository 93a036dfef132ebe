/**
 * A cell without a process, and the gateway's end of its connection, for tests of frames.
 *
 * Owns the two pipes and what has come from the cell. Time is the test's (ManualHost). Invariant: when it is disposed,
 * everything that the cell answered was taken, and no timer is left in it.
 */
import assert from "node:assert/strict";
import { Cell } from "../../runtime/cell/cell.ts";
import { DEFAULT_LIMITS } from "../../runtime/model/limits.ts";
import type { Limits } from "../../runtime/model/limits.ts";
import { instrumentModule } from "../../runtime/wasm/instrument.ts";
import { FrameReader } from "../../runtime/wire/frame.ts";
import type { Frame } from "../../runtime/wire/frame.ts";
import { FrameWriter } from "../../runtime/wire/frame_writer.ts";
import { FRAME } from "../../runtime/wire/messages.ts";
import type { CallMeta, ResultMeta } from "../../runtime/wire/messages.ts";
import { readGuest } from "./guests.ts";
import { ManualHost } from "./manual_host.ts";
import { name, section } from "./module_bytes.ts";

/** Bytes from one side to the other. */
class Pipe {
  readonly #chunks: Uint8Array[] = [];
  #wake: (() => void) | undefined;
  #isClosed = false;

  write(bytes: Uint8Array): Promise<number> {
    this.#chunks.push(bytes.slice());
    this.#wake?.();
    return Promise.resolve(bytes.length);
  }

  close(): void {
    this.#isClosed = true;
    this.#wake?.();
  }

  async read(target: Uint8Array): Promise<number | null> {
    while (this.#chunks.length === 0) {
      if (this.#isClosed) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const [chunk = new Uint8Array(0)] = this.#chunks;
    const part = chunk.subarray(0, target.length);
    target.set(part);
    if (part.length === chunk.length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(part.length);
    return part.length;
  }
}

/** A cell and the gateway's end. */
export class ConnectedCell implements AsyncDisposable {
  readonly host = new ManualHost({ lookMs: 0.25 });
  readonly answers: Frame[] = [];
  readonly #toCell = new Pipe();
  readonly #fromCell = new Pipe();
  readonly #writer: FrameWriter;
  readonly #served: Promise<void>;

  constructor(limits: Partial<Limits> = {}) {
    const host = Object.assign(this.host, {
      writeLines: () => {},
      heapUsedBytes: () => 0,
      residentBytes: () => 1234,
    });
    const fail = (error: unknown): never => {
      throw error;
    };
    const cell = new Cell(new FrameReader(this.#toCell), new FrameWriter(this.#fromCell, fail), host);
    this.#served = cell.serve();
    this.#writer = new FrameWriter(this.#toCell, fail);
    this.configure(limits);
    void this.#collect();
  }

  configure(limits: Partial<Limits>): void {
    this.send(FRAME.configure, 0, { limits: { ...DEFAULT_LIMITS, ...limits } });
  }

  send(type: number, id: number, meta?: unknown, blob?: Uint8Array): void {
    this.#writer.send(type, id, meta, blob);
  }

  /** Sends a guest as module `number`; with `padBytes` it is large enough to be compiled while others run. */
  module(number: number, guest: string, padBytes = 0): void {
    const bytes = instrumentModule(readGuest(guest), { memoryPagesMax: 4096, tableElementsMax: 1000 });
    const padding = padBytes === 0 ? [] : section(0, name("padding"), Array<number>(padBytes).fill(0));
    this.send(FRAME.module, number, undefined, new Uint8Array([...bytes, ...padding]));
  }

  call(id: number, module: number, changes: Partial<CallMeta> = {}, input = new Uint8Array(0)): void {
    const meta: CallMeta = {
      module,
      tenant: "0",
      fuelMax: 0,
      outputBytesMax: 1000,
      export: "run",
      args: [],
      resultTypes: [],
      initialize: false,
      programArgs: ["guest"],
      environment: [],
      deadlineMs: 1000,
      remainingMs: changes.deadlineMs ?? 1000,
      ...changes,
    };
    this.send(FRAME.call, id, meta, input);
  }

  /** Waits for an answer and takes it. */
  async take(id: number): Promise<Frame> {
    const find = (): number => this.answers.findIndex((frame) => frame.id === id);
    // Compilation is done by another thread: it takes real time, in which none of the test's passes.
    for (let round = 0; find() < 0; round++) {
      assert.ok(round < 10_000, `No answer ${id}`);
      if (!await this.host.turn()) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const [frame] = this.answers.splice(find(), 1);
    assert.ok(frame);
    return frame;
  }

  async takeResult(id: number): Promise<ResultMeta> {
    const frame = await this.take(id);
    assert.equal(frame.type, FRAME.result);
    return frame.meta as ResultMeta;
  }

  async #collect(): Promise<void> {
    const reader = new FrameReader(this.#fromCell);
    for (let frame = await reader.next(); frame !== undefined; frame = await reader.next()) {
      this.answers.push(frame);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.host.turn();
    this.#toCell.close();
    await this.#served;
    this.#fromCell.close();
    assert.deepEqual(this.answers, [], "every request has one answer");
    assert.equal(this.host.timerCount, 0);
  }
}
