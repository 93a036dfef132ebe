/**
 * JobTexts: the JSON of jobs, made once for all who ask at the same time.
 *
 * Owns the text of the job that was asked for last: many may wait for one job, which are all answered when it ends,
 * and its output may be long. Invariant: only of a job that has ended, which never changes, a text is kept.
 */
import type { Jobs } from "../jobs/jobs.ts";
import { isFinal } from "../model/job.ts";
import type { JobRecord } from "../model/job.ts";
import { jobJson } from "./job_body.ts";

const encoder = new TextEncoder();

/** The texts of jobs. */
export class JobTexts {
  readonly #jobs: Jobs;
  readonly #outputBytesMax: number;
  #last: { readonly id: string; readonly text: Promise<Uint8Array<ArrayBuffer>> } | undefined;

  /** @param outputBytesMax most output in JSON: escaping it happens on the event loop */
  constructor(jobs: Jobs, outputBytesMax: number) {
    this.#jobs = jobs;
    this.#outputBytesMax = outputBytesMax;
  }

  /** The JSON of a job, in UTF-8, which nobody may change. Throws RuntimeFault `internal` when the storage fails. */
  async of(job: JobRecord): Promise<Uint8Array<ArrayBuffer>> {
    if (!isFinal(job.state)) return encoder.encode(jobJson(job, undefined));
    if (this.#last?.id === job.id) return await this.#last.text;
    const last = this.#last = { id: job.id, text: this.#make(job) };
    try {
      return await last.text;
    } catch (error) {
      if (this.#last === last) this.#last = undefined;
      throw error;
    }
  }

  async #make(job: JobRecord): Promise<Uint8Array<ArrayBuffer>> {
    const isShown = job.state === "completed" && job.outputBytes <= this.#outputBytesMax;
    return encoder.encode(jobJson(job, isShown ? await this.#jobs.output(job.id) : undefined));
  }
}
