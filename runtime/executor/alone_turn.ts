/**
 * AloneTurn: a cell for each call that must have one to itself.
 *
 * Owns the claim: the one such call that is next, and the cell that is emptied for it when none idles and none
 * can be started. Without a claim a busy pool would never have an empty cell. Invariants: at most one claim at a
 * time; such calls have at most half of the cells, rounded up, so one of two and never all of several; a claim
 * counts as a call of its tenant, or that tenant's other calls would keep its own call out.
 */
import type { Admission, Turn, Wait } from "./admission.ts";
import type { CellSlots, Member, PooledCell, Survey } from "./cell_slots.ts";
import { isUsable } from "./cell_slots.ts";
import type { Account } from "./fair_line.ts";

/** What the turns work with. */
export interface AloneOptions<Cell extends PooledCell, Grant> {
  readonly line: Admission<Grant>;
  readonly slots: CellSlots<Cell>;
  readonly lend: (turn: Turn<Grant>, member: Member<Cell>) => void;
  /** Starts a cell if the pool may have one more; whether one is on its way. */
  readonly startCell: () => boolean;
}

interface Claim<Cell extends PooledCell> {
  readonly account: Account;
  /** The cell that is emptied for it; none while one is started. */
  member: Member<Cell> | undefined;
}

/** Serves calls that must run alone. */
export class AloneTurn<Cell extends PooledCell, Grant> {
  readonly #options: AloneOptions<Cell, Grant>;
  #claim: Claim<Cell> | undefined;

  constructor(options: AloneOptions<Cell, Grant>) {
    this.#options = options;
  }

  /** Whether a call has claimed a cell. */
  get hasClaim(): boolean {
    return this.#claim !== undefined;
  }

  /** An idle cell for a call that arrives now, if it need not wait. */
  idleFor(wait: Wait): Member<Cell> | undefined {
    const { line, slots } = this.#options;
    if (this.hasClaim || line.nextAlone() !== undefined || !line.mayPass(wait, 0)) return undefined;
    const survey = slots.survey();
    return isExhausted(survey) ? undefined : idle(survey);
  }

  /** Lends what idle cells there are, then has one started or emptied for the next call. */
  serve(): void {
    const { line, slots, lend } = this.#options;
    for (;;) {
      const survey = slots.survey();
      const claim = this.#claimNext(survey);
      if (claim === undefined) return;
      const turn = line.firstAloneOf(claim.account);
      const member = idle(survey);
      if (turn !== undefined && member === undefined) return this.#secure(claim, survey.emptiest);
      this.#drop();
      if (turn !== undefined && member !== undefined) lend(turn, member);
    }
  }

  #claimNext(survey: Survey<Cell>): Claim<Cell> | undefined {
    if (isExhausted(survey)) this.#drop();
    else if (this.#claim === undefined) {
      const account = this.#options.line.nextAlone()?.account;
      if (account === undefined) return undefined;
      account.claims++;
      this.#claim = { account, member: undefined };
    }
    return this.#claim;
  }

  /** Sees to it that a cell will be empty. */
  #secure(claim: Claim<Cell>, emptiest: Member<Cell> | undefined): void {
    if (claim.member !== undefined && isUsable(claim.member)) return;
    claim.member = undefined;
    if (this.#options.startCell() || emptiest === undefined) return;
    emptiest.hold = "emptying";
    claim.member = emptiest;
  }

  #drop(): void {
    const claim = this.#claim;
    if (claim === undefined) return;
    claim.account.claims--;
    if (claim.member !== undefined) claim.member.hold = "none";
    this.#claim = undefined;
  }
}

function idle<Cell extends PooledCell>({ emptiest }: Survey<Cell>): Member<Cell> | undefined {
  return emptiest?.loans.size === 0 ? emptiest : undefined;
}

/** Whether such calls have all the cells that they may have. */
function isExhausted({ alone, usable }: Survey<PooledCell>): boolean {
  return alone >= Math.max(1, Math.ceil(usable / 2));
}
