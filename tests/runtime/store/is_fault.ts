/**
 * A predicate for assert.throws and assert.rejects.
 */
import { type FaultCode, RuntimeFault } from "../../../runtime/model/fault.ts";

/** True for a fault of that code whose public message matches and has no path in it. */
export function isFault(code: FaultCode, message: RegExp = /^/): (error: unknown) => boolean {
  return (error) =>
    error instanceof RuntimeFault && error.code === code && message.test(error.message) &&
    !error.message.includes("/");
}
