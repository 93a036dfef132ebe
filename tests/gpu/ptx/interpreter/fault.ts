/**
 * GuestFault: what a kernel did wrong, on its way out of the interpreter.
 *
 * Owns the statuses that a launch may end with. A bug of the interpreter, or PTX that it does not know, is an
 * ordinary Error and never one of these.
 */

/** CUresult values that a kernel can cause. */
export type FaultStatus = 700 | 702 | 710 | 716 | 719;

/** Ends the launch. */
export class GuestFault extends Error {
  override readonly name = "GuestFault";
  readonly status: FaultStatus;

  constructor(status: FaultStatus, detail: string) {
    super(detail);
    this.status = status;
  }
}
