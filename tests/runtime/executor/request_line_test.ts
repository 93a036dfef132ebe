import assert from "node:assert/strict";
import { RequestLine } from "../../../runtime/executor/request_line.ts";
import type { CellAnswer } from "../../../runtime/executor/cell_process.ts";
import type { Frame } from "../../../runtime/wire/frame.ts";
import { ManualClock } from "../../support/clock.ts";

interface Setup {
  readonly clock: ManualClock;
  readonly line: RequestLine;
  readonly deaths: number[];
  lastReadMs: number;
  /** Adds a request and remembers its answer by id. */
  add(id: number, deadlineMs?: number): number | undefined;
  readonly answers: Map<number, CellAnswer<unknown>>;
}

function setUp(): Setup {
  const clock = new ManualClock();
  const deaths: number[] = [];
  const answers = new Map<number, CellAnswer<unknown>>();
  const setup: Setup = {
    clock,
    deaths,
    answers,
    lastReadMs: clock.nowMs(),
    line: new RequestLine(clock, {
      lastReadMs: () => setup.lastReadMs,
      deadlinePassed: () => deaths.push(clock.nowMs()),
    }),
    add(id, deadlineMs = 60_000): number | undefined {
      const { answer, startByMs } = setup.line.add(id, clock.nowMs() + deadlineMs, () => {});
      void answer.then((value) => answers.set(id, value));
      return startByMs === undefined ? undefined : startByMs - clock.nowMs();
    },
  };
  return setup;
}

function frame(id: number): Frame {
  return { type: 4, id, meta: { id }, blob: new Uint8Array(0) };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
}

Deno.test("RequestLine.add() gives a start-by moment to all but the first", () => {
  const { add } = setUp();
  assert.equal(add(1), undefined);
  assert.equal(add(2), 20);
});

Deno.test("RequestLine answers in order and takes each answer once", async () => {
  const { add, line, answers } = setUp();
  add(1);
  add(2);
  assert.ok(line.answer(frame(1), 0));
  assert.equal(line.answer(frame(1), 0), false);
  assert.ok(line.answer(frame(2), 0));
  await settle();
  assert.deepEqual([...answers.keys()], [1, 2]);
});

Deno.test("RequestLine holds an answer until its log lines were read, while the next one runs", async () => {
  const { add, line, answers, clock, deaths } = setUp();
  add(1, 100);
  add(2, 60_000);
  line.answer(frame(1), 1);
  await settle();
  assert.equal(answers.size, 0);
  clock.advance(200);
  assert.deepEqual(deaths, []);
  line.takeLogLine({ call: 1, source: "stdout", level: "info", text: "x" });
  await settle();
  assert.equal(answers.get(1)?.type, "answered");
});

Deno.test("RequestLine hands back what waits behind a slow one, after the moment and the margin", async () => {
  const { add, answers, clock } = setUp();
  add(1);
  add(2);
  clock.advance(39);
  await settle();
  assert.equal(answers.size, 0);
  clock.advance(1);
  await settle();
  assert.deepEqual([...answers].map(([id, answer]) => [id, answer.type]), [[2, "handed_back"]]);
});

Deno.test("RequestLine hands nothing back while bytes still come out of the socket", async () => {
  const setup = setUp();
  setup.add(1);
  setup.add(2);
  setup.clock.advance(32);
  setup.lastReadMs = setup.clock.nowMs();
  setup.clock.advance(20);
  await settle();
  assert.equal(setup.answers.size, 0);
  setup.clock.advance(20);
  await settle();
  assert.equal(setup.answers.get(2)?.type, "handed_back");
});

Deno.test("RequestLine never hands back the running request", async () => {
  const { add, line, answers, clock } = setUp();
  add(1);
  add(2);
  clock.advance(10);
  line.answer(frame(1), 0);
  clock.advance(1000);
  await settle();
  assert.deepEqual([...answers.keys()], [1]);
});

Deno.test("RequestLine.handBack() of an id that was handed back before is ignored", async () => {
  const { add, line, answers, clock } = setUp();
  add(1);
  add(2);
  clock.advance(50);
  line.handBack(2);
  line.handBack(99);
  await settle();
  assert.equal(answers.get(2)?.type, "handed_back");
});

Deno.test("RequestLine reports a deadline of the running request alone", () => {
  const { add, line, clock, deaths } = setUp();
  add(1, 1000);
  add(2, 500);
  clock.advance(999);
  assert.deepEqual(deaths, []);
  line.answer(frame(1), 0);
  clock.advance(0);
  assert.equal(deaths.length, 0, "the second was handed back, so nobody runs");
  add(3, 100);
  clock.advance(100);
  assert.equal(deaths.length, 1);
});

Deno.test("RequestLine.close() loses the running request and hands back those behind it", async () => {
  const { add, line, answers, clock } = setUp();
  add(1);
  add(2);
  line.close("cell_sigkill");
  await settle();
  assert.deepEqual(answers.get(1), { type: "died", reason: "cell_sigkill" });
  assert.deepEqual(answers.get(2), { type: "handed_back" });
  assert.equal(clock.timerCount, 0);
});

Deno.test("RequestLine is brisk after quick requests, while the running one is young", () => {
  const { add, line, clock } = setUp();
  assert.equal(line.isBrisk, false);
  for (let id = 1; id <= 20; id++) {
    add(id);
    clock.advance(0.1);
    line.answer(frame(id), 0);
  }
  assert.equal(line.isBrisk, false, "an idle cell is idle, not brisk");
  add(100);
  assert.equal(line.isBrisk, true);
  clock.advance(1);
  assert.equal(line.isBrisk, false);
});
