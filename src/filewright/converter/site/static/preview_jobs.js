// @ts-check
/**
 * What a preview asks of the service, and the duty to leave nothing behind.
 *
 * What a browser cannot show is converted by ordinary jobs with the tag `preview`; the queue takes no notice of them.
 * A bench keeps count of its jobs and addresses, and `close` erases them, also those that are still running.
 *
 * Erasing a job erases its input too, unless another job made that. So a preview starts from an output of the row's
 * job, or from a copy of the visitor's file that is sent for this alone; never from the row's upload, which the row
 * still needs. How something is shown is left to the other modules of the preview.
 */
import { newId, Problem } from './api.js';

export const TAG = 'preview';
const LARGEST_COPY = 30 << 20;
const WAIT_SECONDS = 20;

/**
 * @typedef {{job: string, output: number} | {file: File, from?: string|null}} Source
 * @typedef {{name: string, media_type: string, bytes: number, sha256: string, url: string,
 *   pages?: number, width?: number, height?: number, duration?: number}} Output
 */

/** Whether a file may be sent once more only to be looked at. */
export const isSendable = (/** @type {File|null} */ file, most = LARGEST_COPY) => file !== null && file.size > 0 && file.size <= most;

/** Whether an error only says that the preview was closed meanwhile. */
export const isAbort = (/** @type {any} */ error) => error?.name === 'AbortError';

export class Bench {
  #api;
  /** @type {Set<string>} */
  #jobs = new Set();
  /** @type {Set<string>} */
  #addresses = new Set();
  #over = new AbortController();

  constructor(/** @type {import('./api.js').Api} */ api) {
    this.#api = api;
  }

  get signal() {
    return this.#over.signal;
  }

  /**
   * Converts, waits, and says what came out. Throws Problem, or an AbortError when the bench was closed meanwhile.
   * @param {Source} source
   * @param {string} to
   * @param {Record<string, unknown>} [options]
   * @returns {Promise<{job: string, outputs: Output[]}>}
   */
  async convert(source, to, options = {}) {
    this.signal.throwIfAborted();
    // Not to be aborted half-way: a job whose id never came back could not be erased.
    const ordered = 'file' in source ? this.#send(source, to, options)
      : this.#api.createJob({ inputs: [source], to, options, tag: TAG });
    const job = await ordered;
    this.#jobs.add(job.id);
    if (this.signal.aborted) this.#erase();
    this.signal.throwIfAborted();
    const done = await this.#end(job);
    if (done.status !== 'succeeded') throw new Problem(done.error ?? { code: done.status });
    return { job: done.id, outputs: done.outputs };
  }

  /** The bytes at an address of the service, or only the first `most`. @returns {Promise<Blob>} */
  async bytes(/** @type {string} */ url, most = 0) {
    return this.#api.blob(url, { headers: most ? { Range: `bytes=0-${most - 1}` } : {}, signal: this.signal });
  }

  /** An address for an `<img>`, good until the bench is closed. */
  address(/** @type {Blob} */ blob) {
    this.signal.throwIfAborted();
    const url = URL.createObjectURL(blob);
    this.#addresses.add(url);
    return url;
  }

  close() {
    this.#over.abort();
    for (const url of this.#addresses) URL.revokeObjectURL(url);
    this.#erase();
  }

  #erase() {
    // Nobody waits for the answer, and what cannot be erased now goes when its time is over.
    for (const id of this.#jobs) this.#api.deleteJob(id).catch(() => {});
    this.#jobs.clear();
  }

  async #send(/** @type {{file: File, from?: string|null}} */ { file, from }, /** @type {string} */ to, /** @type {object} */ options) {
    const form = new FormData();
    form.append('to', to);
    form.append('options', JSON.stringify(options));
    form.append('tag', TAG);
    if (from) form.append('from', from);
    form.append('file', file, file.name);
    const headers = { Prefer: 'respond-async', 'Idempotency-Key': newId() };
    const response = await fetch('/v1/convert', { method: 'POST', body: form, headers }).catch(() => {
      throw Problem.offline();
    });
    if (!response.ok) throw await Problem.of(response);
    return response.json();
  }

  async #end(/** @type {any} */ job) {
    while (job.status === 'queued' || job.status === 'running') {
      job = await this.#api.job(job.id, WAIT_SECONDS);
      this.signal.throwIfAborted();
    }
    return job;
  }
}
