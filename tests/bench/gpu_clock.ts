/**
 * What the GPU bench measures by: the wall's clock, or time on the processor for a machine that others use.
 *
 * Owns both. Invariant: time on the processor is that of the whole process, so it says nothing of two threads.
 */
import process from "node:process";

/** A clock. */
export interface Clock {
  readonly name: "wall" | "cpu";
  /** Milliseconds since some moment. */
  ms(): number;
}

export const WALL: Clock = { name: "wall", ms: () => performance.now() };

export const PROCESSOR: Clock = {
  name: "cpu",
  ms: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
};
