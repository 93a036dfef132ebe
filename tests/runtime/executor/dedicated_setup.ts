/**
 * Dedicated cells without processes, on a clock that is moved by hand.
 */
import { DedicatedCells } from "../../../runtime/executor/dedicated_cells.ts";
import type { DedicatedOptions } from "../../../runtime/executor/dedicated_cells.ts";
import type { Seat } from "../../../runtime/executor/tenant_cells.ts";
import { ManualClock } from "../../support/clock.ts";
import { FakeCell, settle } from "./pool_setup.ts";

/** A cell without a process, in its seat. */
export class SeatedCell extends FakeCell {
  readonly seat: Seat;
  isDoubtful = false;

  constructor(id: number, seat: Seat) {
    super(id);
    this.seat = seat;
  }

  end(reason: string): void {
    this.kill(`${reason}, in order`);
  }
}

/** The cells of all tenants and what became of them. */
export interface DedicatedSetup {
  readonly pool: DedicatedCells<SeatedCell>;
  readonly clock: ManualClock;
  /** Every cell ever started. */
  readonly cells: SeatedCell[];
  readonly events: string[];
  /** Starts on these devices fail. */
  readonly broken: Set<number>;
}

/** What is not given is: one device, two cells, one of a tenant, 4 slots each, 100 may wait, a minute idle. */
export function setUpDedicated(options: Partial<DedicatedOptions<SeatedCell>> = {}): DedicatedSetup {
  const clock = new ManualClock();
  const cells: SeatedCell[] = [];
  const events: string[] = [];
  const broken = new Set<number>();
  const pool = new DedicatedCells<SeatedCell>({
    ...{ deviceCount: 1, cellsMax: 2, cellsPerTenantMax: 1, callsPerCellMax: 4 },
    ...{ queueDepthMax: 100, idleMsMax: 60_000 },
    ...options,
    clock,
    startCell: async (id, seat) => {
      await settle(5);
      if (broken.has(seat.device)) throw new Error("no");
      const cell = new SeatedCell(id, seat);
      cells.push(cell);
      return cell;
    },
    observer: {
      cellStarted: (cell) => {
        const { id, seat } = cell as SeatedCell;
        events.push(`started ${id} for ${seat.tenant} on ${seat.device}`);
      },
      cellEnded: ({ id, deathReason }) => events.push(`ended ${id} ${deathReason}`),
      cellFailedToStart: () => events.push("failed"),
      cellRetired: ({ id }, reason) => events.push(`retired ${id} ${reason}`),
      shed: (kind, tenant) => events.push(`shed ${kind} ${tenant}`),
    },
  });
  return { pool, clock, cells, events, broken };
}
