// @ts-check
/**
 * The one place of state: rows, and what is done about them. The page only shows rows and calls commands.
 *
 *     uploading ─▶ ready ─▶ starting ─▶ queued ⇄ running ─▶ succeeded ─▶ expired
 *         ▲          ▲          │          └────────┴─────▶ failed · cancelled
 *         └──────────┴── again, retry, an upload that the service has lost ──┘
 *
 * What may have been asked of the service is written down before it is asked, with the key that makes asking again
 * safe: whatever breaks off (page, connection, service), a row goes on where it was and no job is made twice.
 *
 * How bytes travel is left to `uploads.js`, news to `events.js`, memory to `keep.js`, time left to `pace.js`.
 */

import { Problem, isGone, newId, retrying } from './api.js';
import { Course, Pace, timesInQueue } from './pace.js';

const UPLOADS_AT_ONCE = 3;
const ORDERS_AT_ONCE = 2;
/** How often is told how far rows are: figures that run faster nobody reads, and between two beats frames have nothing to do. */
const BEAT = 250;
/** Time left is reckoned once a second. */
const BEATS_OF_A_TICK = 4;
const LOOK_FOR_EXPIRED = 60_000;
const MOST_LOSSES = 3;

/**
 * @typedef {import('./api.js').Job} Job
 * @typedef {import('./api.js').Told} Told
 * @typedef {'uploading'|'ready'|'starting'|'queued'|'running'|'succeeded'|'failed'|'cancelled'|'expired'} Phase
 * @typedef {{id: string, name: string, path: string, bytes: number, file: File|null, phase: Phase, sent: number,
 *   offline: boolean, upload: string|null, format: string|null, believed: boolean, targets: string[],
 *   suggested: string[], target: string|null, options: Record<string, unknown>, wanted: boolean, job: Job|null,
 *   problem: Told|null, addedAt: number, startedAt: number|null, secondsLeft: number|null}} Row
 * @typedef {{key: string, retry?: string, secret?: boolean, body?: any}} Order
 *   `retry`: the job to try again; `secret`: a password goes with it, which is not written down
 * @typedef {{arrived: boolean, chosen: boolean, order: Order|null, jobs: string[], round: number, losses: number,
 *   from: string|null}} Memory   what is kept of a row beside what is shown
 * @typedef {Memory & {password: string|null, abort: AbortController, stop: boolean, heard: number,
 *   course: Course, pace: Pace}} Work
 * @typedef {{password?: string, target?: string, from?: string, options?: Record<string, unknown>}} Change
 * @typedef {{api: import('./api.js').Api, uploads: import('./uploads.js').Uploads,
 *   events: import('./events.js').Events, keep: import('./keep.js').Keep,
 *   catalogue: import('./api.js').Catalogue, now?: () => number}} Parts
 */

const isWaiting = (/** @type {string} */ phase) => phase === 'queued' || phase === 'running';
const isLive = (/** @type {string} */ phase) => phase === 'starting' || isWaiting(phase);
const isUnstarted = (/** @type {string} */ phase) => phase === 'uploading' || phase === 'ready';

/** @param {Parts} parts */
export const createQueue = (parts) => new Queue(parts);

class Queue {
  /** @type {Row[]} oldest first */
  rows = [];
  /** @type {Map<string, Row>} */
  #byId = new Map();
  /** @type {Map<string, Row>} */
  #byJob = new Map();
  /** @type {WeakMap<Row, Work>} */
  #works = new WeakMap();

  /** @type {Set<(changed: Set<string>) => void>} */
  #listeners = new Set();
  /** @type {Set<string>} */
  #changed = new Set();
  /** @type {Set<string>} those of which only a figure is another, until the next beat */
  #moved = new Set();
  #telling = false;
  /** @type {Set<Row>} */
  #toKeep = new Set();
  /** @type {Promise<void>|null} */
  #keeping = null;

  #live = 0;
  #ordering = 0;
  #lastAdded = 0;
  #looking = false;
  /** @type {Map<string, Job>} news of jobs that came before the answer which says whose they are */
  #strays = new Map();
  #uploadLanes = lanes(UPLOADS_AT_ONCE);
  #orderLanes = lanes(ORDERS_AT_ONCE);
  #eraseLanes = lanes(1);
  #pace = new Pace();
  /** @type {ReturnType<typeof setInterval>|undefined} */
  #beating;
  #beats = 0;

  /** @param {Parts} parts */
  constructor({ api, uploads, events, keep, catalogue, now = Date.now }) {
    this.api = api;
    this.uploads = uploads;
    this.events = events;
    this.keep = keep;
    this.catalogue = catalogue;
    this.now = now;
    events.listen({ onJob: (job) => this.#hear(job), onState: (state) => this.#hearOf(state) });
    catalogue.ready.then(() => this.rows.forEach((row) => row.format === null && this.#believe(row)));
    setInterval(() => this.#lookForExpired(), LOOK_FOR_EXPIRED);
  }

  // --- for the page ---------------------------------------------------------------------------------------------

  get(/** @type {string} */ id) {
    return this.#byId.get(id);
  }

  /**
   * Told with the ids of rows that changed, came or went: at most once a frame of what they are, and with each beat of how
   * far they are, all together. Returns how to stop listening.
   */
  subscribe(/** @type {(changed: Set<string>) => void} */ listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @param {{file: File, path: string}[]} files @returns {string[]} ids of their rows */
  add(files) {
    return files.map(({ file, path }) => {
      const row = this.#enter({ ...blank(), id: newId(), name: file.name, path, bytes: file.size, file,
        addedAt: this.#addedNow() });
      this.rows.push(row);
      this.#believe(row);
      this.keep.putFile(row.id, file);
      this.#send(row);
      return row.id;
    });
  }

  /** Each later than the one before: many files come in one millisecond, and a reload sorts by this. */
  #addedNow() {
    this.#lastAdded = Math.max(this.now(), this.#lastAdded + 0.001);
    return this.#lastAdded;
  }

  /** @param {string} id @param {string} target @param {Record<string, unknown>} [options] */
  choose(id, target, options = {}) {
    const row = this.#byId.get(id);
    if (!row) return;
    if (!isUnstarted(row.phase)) this.again(id);
    if (!isUnstarted(row.phase)) return;
    this.#work(row).chosen = true;
    this.#turn(row, { target, options });
  }

  /** What is chosen for this row, for all of its format that are not started. */
  applyToKind(/** @type {string} */ id) {
    const model = this.#byId.get(id);
    if (!model?.target) return;
    for (const row of this.rows) {
      if (row !== model && row.format === model.format && isUnstarted(row.phase)) {
        this.choose(row.id, model.target, { ...model.options });
      }
    }
  }

  /** At once, or as soon as the upload is complete. */
  start(/** @type {string} */ id) {
    const row = this.#byId.get(id);
    if (!row?.target || !isUnstarted(row.phase)) return;
    if (row.phase === 'ready') this.#order(row);
    else this.#turn(row, { wanted: true });
  }

  startAll() {
    this.rows.forEach((row) => this.start(row.id));
  }

  cancel(/** @type {string} */ id) {
    const row = this.#byId.get(id);
    if (!row) return;
    const work = this.#work(row);
    if (isWaiting(row.phase)) this.#stop(row);
    else if (row.phase === 'starting') {
      work.stop = true; // should its job be there in spite of all, `#accepted` stops it
      work.abort.abort();
    } else if (row.phase === 'uploading') {
      work.abort.abort();
      this.#turn(row, { phase: 'cancelled', wanted: false, offline: false, secondsLeft: null });
    }
  }

  /** Once more, with what is changed. @param {string} id @param {Change} [change] */
  retry(id, change = {}) {
    const row = this.#byId.get(id);
    if (!row || isLive(row.phase) || isUnstarted(row.phase)) return;
    const work = this.#work(row);
    const isSame = Object.keys(change).length === 0 && !work.password;
    this.#take(row, change);
    if (!row.target) this.again(id);
    else if (!work.arrived) this.#send(row, { wanted: true });
    else if (isSame && (row.job?.status === 'failed' || row.job?.status === 'cancelled')) {
      this.#begin(row, { key: newId(), retry: row.job.id });
    } else this.#order(row);
  }

  /** Back to the choice of a target, with the same upload. */
  again(/** @type {string} */ id) {
    const row = this.#byId.get(id);
    if (!row || isLive(row.phase) || isUnstarted(row.phase)) return;
    this.#detach(row);
    Object.assign(row, { problem: null, startedAt: null, secondsLeft: null });
    if (this.#work(row).arrived) this.#turn(row, { phase: 'ready' });
    else this.#send(row);
  }

  /** Takes the row away, here and, with all its files, on the service. */
  remove(/** @type {string} */ id) {
    const row = this.#byId.get(id);
    if (row) this.#remove([row]);
  }

  /** Takes away what succeeded or was given up; what failed stays until somebody has seen to it. */
  clearDone() {
    this.#remove(this.rows.filter(({ phase }) => ['succeeded', 'expired', 'cancelled'].includes(phase)));
  }

  summary() {
    const sum = { all: this.rows.length, uploading: 0, ready: 0, running: 0, done: 0, failed: 0, sent: 0, bytes: 0 };
    for (const row of this.rows) {
      sum.sent += row.sent;
      sum.bytes += row.bytes;
      if (isUnstarted(row.phase)) sum[/** @type {'ready'|'uploading'} */ (row.phase)] += 1;
      else if (isLive(row.phase)) sum.running += 1;
      else if (row.phase === 'succeeded') sum.done += 1;
      else if (row.phase === 'failed') sum.failed += 1;
    }
    return { ...sum, secondsLeft: this.#beating === undefined ? null : this.#pace.left(this.now()) };
  }

  /** Brings back what there was before the page was loaded, and goes on with it. */
  async restore() {
    const kept = (await this.keep.load()).filter(({ id }) => !this.#byId.has(id));
    const restored = kept.sort((one, other) => one.row.addedAt - other.row.addedAt)
      .map(({ id, row, memory, file }) => this.#enter({ ...blank(), ...row, id, file }, memory));
    this.rows = [...restored, ...this.rows];
    this.#lastAdded = Math.max(this.#lastAdded, ...restored.map(({ addedAt }) => addedAt));
    for (const row of restored) {
      if (row.phase === 'uploading') this.#send(row);
      else if (row.phase === 'starting') this.#resume(row);
    }
    this.#watch();
    this.#reconcile(restored.filter(({ phase, job }) => job && (isWaiting(phase) || phase === 'succeeded')));
    this.#erase(await this.keep.owed());
  }

  // --- rows ------------------------------------------------------------------------------------------------------

  /** @param {Row} row @param {Partial<Memory>} [memory] */
  #enter(row, memory = {}) {
    this.#byId.set(row.id, row);
    if (row.job) this.#byJob.set(row.job.id, row);
    if (isLive(row.phase)) this.#live += 1;
    this.#works.set(row, {
      arrived: false, chosen: false, order: null, jobs: [], round: 0, losses: 0, from: null, ...memory,
      password: null, abort: new AbortController(), stop: false, heard: 0, course: new Course(), pace: new Pace(),
    });
    this.#tell(row);
    return row;
  }

  #work(/** @type {Row} */ row) {
    return /** @type {Work} */ (this.#works.get(row));
  }

  #has(/** @type {Row} */ row) {
    return this.#byId.get(row.id) === row;
  }

  /** A change that must outlive the page. @param {Row} row @param {Partial<Row>} change */
  #turn(row, change) {
    const was = isLive(row.phase);
    Object.assign(row, change);
    this.#live += Number(isLive(row.phase)) - Number(was);
    this.#tell(row);
    this.#keep(row);
    this.#watch();
  }

  #tell(/** @type {Row} */ row) {
    this.#changed.add(row.id);
    this.#tellSoon();
  }

  #tellSoon() {
    if (this.#telling) return;
    this.#telling = true;
    const tell = () => {
      if (!this.#telling) return;
      this.#telling = false;
      const changed = this.#changed;
      this.#changed = new Set();
      this.#listeners.forEach((listener) => listener(changed));
    };
    requestAnimationFrame(tell);
    setTimeout(tell, 250); // a page in the background has no frames
  }

  /** Resolves once the row is written down; those of one moment are written together. */
  #keep(/** @type {Row} */ row) {
    this.#toKeep.add(row);
    this.#keeping ??= Promise.resolve().then(async () => {
      const rows = [...this.#toKeep].filter((kept) => this.#has(kept));
      this.#toKeep.clear();
      this.#keeping = null;
      await this.keep.put(rows.map((kept) => record(kept, this.#work(kept))));
    });
    return this.#keeping;
  }

  /** News are wanted while there are jobs, and time is counted while anything moves. */
  #watch() {
    this.events.want(this.#live > 0);
    this.#beating ??= setInterval(() => this.#beat(), BEAT);
  }

  /** What the name says, until the service has seen the content. */
  #believe(/** @type {Row} */ row) {
    const format = this.catalogue.fromName(row.name);
    if (format && row.phase === 'uploading') this.#learn(row, format.id, format.targets, format.suggested_targets, true);
  }

  /** @param {Row} row @param {string} format @param {string[]} targets @param {string[]} suggested */
  #learn(row, format, targets, suggested, believed = false) {
    const isMeant = row.wanted || this.#work(row).chosen || row.format === format;
    const stays = isMeant && row.target !== null && targets.includes(row.target);
    const target = stays ? row.target : (suggested[0] ?? targets[0] ?? null);
    this.#turn(row, {
      format, believed, targets, suggested, target,
      ...(!stays && { options: {}, wanted: false }), // nothing starts that the person did not ask for
    });
  }

  #fail(/** @type {Row} */ row, /** @type {unknown} */ error) {
    const problem = error instanceof Problem ? error : new Problem({ code: 'internal', detail: String(error) });
    this.#turn(row, { phase: 'failed', problem: problem.told(), wanted: false, offline: false, secondsLeft: null });
  }

  #offline(/** @type {Row} */ row, /** @type {boolean} */ offline) {
    if (row.offline === offline || !this.#has(row)) return;
    row.offline = offline;
    this.#tell(row);
  }

  // --- uploads ---------------------------------------------------------------------------------------------------

  /** Sends the file, or the rest of it. @param {Row} row @param {Partial<Row>} [change] */
  #send(row, change = {}) {
    const work = this.#work(row);
    work.abort = new AbortController();
    const { signal } = work.abort;
    this.#turn(row, { phase: 'uploading', problem: null, ...change });
    this.#uploadLanes(async () => {
      try {
        signal.throwIfAborted();
        await this.#arrive(row, row.file ? await this.#upload(row, row.file, signal) : await this.#found(row, signal));
      } catch (error) {
        if (signal.aborted) return;
        if (isGone(error) && row.upload) this.#sendAnew(row, error);
        else this.#fail(row, error);
      }
    });
  }

  #upload(/** @type {Row} */ row, /** @type {File} */ file, /** @type {AbortSignal} */ signal) {
    const work = this.#work(row);
    return this.uploads.upload(file, {
      id: row.upload,
      key: `${row.id}.${work.round}`,
      signal,
      onId: (id) => {
        if (this.#has(row)) this.#turn(row, { upload: id });
        else this.#owe([{ kind: 'upload', id }]);
      },
      onProgress: (sent) => {
        if (signal.aborted || row.sent === sent) return;
        row.sent = sent;
        this.#moved.add(row.id);
      },
      onLost: (lost) => this.#offline(row, lost),
    });
  }

  /** The upload of a file that is not here any more: complete, or lost. */
  async #found(/** @type {Row} */ row, /** @type {AbortSignal} */ signal) {
    const id = row.upload;
    const lasting = { signal, onLost: (/** @type {boolean} */ lost) => this.#offline(row, lost) };
    const view = id && (await retrying(() => this.api.upload(id), lasting));
    if (view && view.state === 'complete') return view;
    throw new Problem({ code: 'file_gone', title: 'The file is not here any more',
      detail: 'The page was loaded again before the upload was complete. Add the file once more.' });
  }

  /** The service has lost the upload: once more from the file. @param {Row} row @param {unknown} why */
  #sendAnew(row, why) {
    const work = this.#work(row);
    work.arrived = false;
    work.round += 1;
    work.losses += 1;
    Object.assign(row, { upload: null, sent: 0 });
    if (row.file && work.losses <= MOST_LOSSES) this.#send(row);
    else if (row.file) this.#fail(row, why);
    else {
      this.#fail(row, new Problem({ code: 'upload_gone', title: 'The uploaded file is not kept any more',
        detail: 'Its time was over. Add the file once more.' }));
    }
  }

  /** The service has the whole file, and its word on what it is replaces what the name said. */
  async #arrive(/** @type {Row} */ row, /** @type {import('./api.js').Upload} */ view) {
    const work = this.#work(row);
    work.arrived = true;
    row.sent = row.bytes;
    work.pace.forget();
    if (view.format) this.#learn(row, view.format, view.targets, view.suggested_targets);
    else await this.#checkUnrecognised(row, work.abort.signal);
    if (row.phase !== 'uploading') return; // cancelled, or removed, meanwhile
    this.#turn(row, { phase: 'ready', offline: false, secondsLeft: null });
    if (row.wanted) this.#order(row);
  }

  /** A content that nobody recognised may be what its name says, or nothing that can be converted: asks which. */
  async #checkUnrecognised(/** @type {Row} */ row, /** @type {AbortSignal} */ signal) {
    await this.catalogue.ready;
    if (row.format === null) this.#believe(row);
    const order = { inputs: [{ upload: row.upload }], to: row.target ?? 'pdf' };
    await retrying(() => this.api.tryJob(order), { signal });
  }

  // --- jobs ------------------------------------------------------------------------------------------------------

  /** @param {Row} row @param {Change} change */
  #take(row, { password, target, from, options }) {
    const work = this.#work(row);
    if (password) work.password = password;
    if (from) {
      work.from = from;
      const format = this.catalogue.format(from);
      if (format) this.#learn(row, from, format.targets, format.suggested_targets);
    }
    if (target) Object.assign(row, { target, options: {} });
    if (options) row.options = options;
  }

  /** From here on news of its last job are no news of the row. */
  #detach(/** @type {Row} */ row) {
    if (row.job) this.#byJob.delete(row.job.id);
    row.job = null;
  }

  /** A new job of the upload. */
  #order(/** @type {Row} */ row) {
    this.#detach(row);
    const { from, password } = this.#work(row);
    const key = newId();
    const body = {
      inputs: [{ upload: row.upload, ...(from && { from }) }],
      to: row.target,
      options: row.options,
      tag: key, // by which its job is found when the order itself cannot be repeated
    };
    this.#begin(row, { key, body, secret: Boolean(password) });
  }

  #begin(/** @type {Row} */ row, /** @type {Order} */ order) {
    const work = this.#work(row);
    work.order = order;
    work.chosen = true;
    this.#turn(row, { phase: 'starting', wanted: true, problem: null, startedAt: this.now(), secondsLeft: null });
    this.#submit(row, order, false);
  }

  #resume(/** @type {Row} */ row) {
    const { order } = this.#work(row);
    if (order) this.#submit(row, order, true);
    else this.#order(row);
  }

  /** Asks until there is an answer. @param {Row} row @param {Order} order @param {boolean} wasAsked  perhaps */
  #submit(row, order, wasAsked) {
    const work = this.#work(row);
    work.abort = new AbortController();
    work.stop = false;
    const { signal } = work.abort;
    this.#ordering += 1;
    this.#orderLanes(async () => {
      try {
        signal.throwIfAborted();
        await this.#keep(row);
        const { heard } = work;
        const job = await retrying((attempt) => {
          wasAsked ||= attempt > 0;
          return this.#ask(order, work.password);
        }, { signal, onLost: (lost) => this.#offline(row, lost) });
        this.#accepted(row, work.heard === heard ? job : (row.job ?? job));
        if (wasAsked) this.#reconcile(); // it may have gone far since the first answer, which is the one repeated
      } catch (error) {
        if (!this.#has(row)) return;
        if (signal.aborted) this.#givenUp(row, order, wasAsked);
        else await this.#refused(row, order, error).catch((reason) => this.#fail(row, reason));
      } finally {
        this.#ordering -= 1;
        if (this.#ordering === 0) this.#strays.clear();
      }
    });
  }

  #ask(/** @type {Order} */ { key, retry, secret, body }, /** @type {string|null} */ password) {
    if (retry) return this.api.retry(retry, key);
    return this.api.createJob(secret && password ? { ...body, password } : body, key);
  }

  #accepted(/** @type {Row} */ row, /** @type {Job} */ job) {
    if (!this.#has(row)) {
      this.#owe([{ kind: 'job', id: job.id }]);
      return;
    }
    const work = this.#work(row);
    work.order = null;
    work.losses = 0;
    if (!work.jobs.includes(job.id)) work.jobs.push(job.id);
    this.#byJob.set(job.id, row);
    this.#apply(row, this.#strays.get(job.id) ?? job);
    if (work.stop) this.#stop(row);
  }

  /** Cancelled before there was an answer. @param {Row} row @param {Order} order @param {boolean} wasAsked */
  #givenUp(row, order, wasAsked) {
    this.#work(row).order = null;
    if (wasAsked && order.retry) this.#stop(row);
    else if (wasAsked) this.#owe([{ kind: 'tag', id: order.key }]);
    this.#turn(row, { phase: 'cancelled', wanted: false, offline: false });
  }

  /** @param {Row} row @param {Order} order @param {unknown} error */
  async #refused(row, order, error) {
    const work = this.#work(row);
    const { code } = error instanceof Problem ? error : { code: '' };
    if (code === 'idempotency_mismatch') {
      // It was asked before the page was loaded again, with a password that nobody remembers; so its job is there.
      const { data } = await retrying(() => this.api.jobs({ tag: order.key, limit: 1 }), { signal: work.abort.signal });
      if (data.length) this.#accepted(row, data[0]);
      else this.#order(row);
    } else if (code === 'conflict' && order.retry) {
      const id = order.retry;
      const job = await retrying(() => this.api.job(id), { signal: work.abort.signal });
      work.order = null;
      if (job.status === row.job?.status) this.#fail(row, error);
      else this.#accepted(row, job); // an earlier answer was lost
    } else if (isGone(error) && order.retry) {
      this.#order(row);
    } else {
      work.order = null;
      if (isGone(error)) this.#sendAnew(row, error);
      else this.#fail(row, error);
    }
  }

  async #stop(/** @type {Row} */ row) {
    const work = this.#work(row);
    const { id } = /** @type {Job} */ (row.job);
    const { heard } = work;
    work.stop = false;
    try {
      const job = await retrying(() => this.api.cancel(id));
      if (work.heard === heard && row.job?.id === id && this.#has(row)) this.#apply(row, job);
    } catch {
      this.#reconcile(); // it is over already
    }
  }

  // --- news ------------------------------------------------------------------------------------------------------

  #hear(/** @type {Job} */ job) {
    const row = this.#byJob.get(job.id);
    if (!row) {
      if (this.#ordering) this.#strays.set(job.id, job);
    } else if (row.phase !== 'starting' || row.job?.status !== job.status) { // else it is what is to be tried again
      this.#work(row).heard += 1;
      this.#apply(row, job);
    }
  }

  #hearOf(/** @type {'open'|'lost'} */ state) {
    for (const row of this.rows) if (isWaiting(row.phase)) this.#offline(row, state === 'lost');
    if (state === 'open') this.#reconcile();
  }

  #apply(/** @type {Row} */ row, /** @type {Job} */ job) {
    const isNew = row.job?.id !== job.id;
    const work = this.#work(row);
    row.job = job;
    if (isNew || job.status !== 'running') work.course = new Course();
    if (job.status === 'running') work.course.see(this.now(), job.progress);
    if (job.status === row.phase && !isNew) {
      this.#moved.add(row.id);
      return;
    }
    work.pace.forget();
    const problem = job.status === 'failed' && job.error ? new Problem(job.error).told() : null;
    this.#turn(row, { phase: job.status, problem, wanted: false, offline: false, secondsLeft: null });
    if (job.status === 'expired') this.keep.dropFile(row.id);
  }

  /** Looks after jobs that may have ended while nobody listened. News of the others comes by the stream. */
  async #reconcile(rows = this.rows.filter(({ phase }) => isWaiting(phase))) {
    const wanted = new Map(rows.map((row) => [/** @type {Job} */ (row.job).id, row]));
    try {
      await this.#lookUp(wanted);
    } catch {
      return; // when the stream opens again, so does this question
    }
    for (const [id, row] of wanted) {
      // The service knows nothing of it: as good as expired.
      if (row.job?.id === id && this.#has(row)) this.#apply(row, { ...row.job, status: 'expired', outputs: [] });
    }
  }

  /** Applies what has ended and takes from `wanted` what the service knows of. */
  async #lookUp(/** @type {Map<string, Row>} */ wanted) {
    const oldest = [...wanted.keys()].sort()[0];
    /** @type {string|undefined} */
    let cursor;
    while (wanted.size) {
      const page = await retrying(() => this.api.jobs({ limit: 100, cursor }));
      for (const job of page.data) {
        const row = wanted.get(job.id);
        if (row && !isWaiting(job.status) && row.job?.id === job.id && this.#has(row)) this.#apply(row, job);
        wanted.delete(job.id);
      }
      cursor = page.next_cursor ?? undefined;
      if (!cursor || (page.data.at(-1)?.id ?? '') < oldest) break;
    }
  }

  async #lookForExpired() {
    if (this.#looking) return;
    this.#looking = true;
    const isOver = (/** @type {Row} */ { phase, job }) =>
      phase === 'succeeded' && job?.expires_at && Date.parse(job.expires_at) < this.now();
    await this.#reconcile(this.rows.filter(isOver));
    this.#looking = false;
  }

  // --- the end of rows -------------------------------------------------------------------------------------------

  #remove(/** @type {Row[]} */ rows) {
    const ids = new Set(rows.map(({ id }) => id));
    /** @type {import('./keep.js').Owed[]} */
    const owed = [];
    for (const row of rows) {
      const { abort, jobs, order } = this.#work(row);
      abort.abort();
      owed.push(...jobs.map((id) => ({ kind: /** @type {const} */ ('job'), id })));
      if (order?.body) owed.push({ kind: 'tag', id: order.key });
      if (row.upload) owed.push({ kind: 'upload', id: row.upload });
      this.#detach(row);
      if (isLive(row.phase)) this.#live -= 1;
      this.#byId.delete(row.id);
      this.#tell(row);
    }
    this.rows = this.rows.filter(({ id }) => !ids.has(id));
    this.#watch();
    this.#owe(owed, [...ids]);
  }

  /** Written down first: what the person took away goes, if need be at the next visit. */
  async #owe(/** @type {import('./keep.js').Owed[]} */ owed, /** @type {string[]} */ ids = []) {
    await this.keep.drop(ids, owed);
    this.#erase(owed);
  }

  #erase(/** @type {import('./keep.js').Owed[]} */ owed) {
    for (const debt of owed) {
      this.#eraseLanes(async () => {
        try {
          await retrying(() => this.#eraseOne(debt));
        } catch (error) {
          if (!isGone(error)) return; // at the next visit
        }
        await this.keep.paid(debt);
      });
    }
  }

  /** @returns {Promise<unknown>} */
  async #eraseOne(/** @type {import('./keep.js').Owed} */ { kind, id }) {
    if (kind === 'upload') return this.api.deleteUpload(id);
    if (kind === 'job') return this.api.deleteJob(id);
    const { data } = await this.api.jobs({ tag: id });
    return Promise.all(data.map((job) => this.api.deleteJob(job.id)));
  }

  // --- time ------------------------------------------------------------------------------------------------------

  /** One timer for all that runs by itself. */
  #beat() {
    this.#beats += 1;
    if (this.#beats % BEATS_OF_A_TICK === 0) this.#tick();
    if (!this.#moved.size) return;
    this.#moved.forEach((id) => this.#changed.add(id));
    this.#moved.clear();
    this.#tellSoon();
  }

  #tick() {
    const now = this.now();
    const sending = this.rows.filter(({ phase }) => phase === 'uploading');
    const live = this.rows.filter(({ phase }) => isLive(phase));
    if (sending.length + live.length === 0) {
      clearInterval(this.#beating);
      this.#beating = undefined;
      this.#pace.forget();
      return;
    }
    const uploads = this.#timeUploads(sending, now);
    const jobs = this.#timeJobs(live, now);
    if (uploads !== null && jobs !== null) this.#pace.guess(now, Math.max(uploads, jobs));
  }

  /** @returns {number|null} seconds until all are sent; null if nobody knows */
  #timeUploads(/** @type {Row[]} */ rows, /** @type {number} */ now) {
    let [bytes, rates] = [0, 0];
    for (const row of rows) {
      const { pace } = this.#work(row);
      const rate = pace.rate(now, row.sent);
      const rest = row.bytes - row.sent;
      bytes += rest;
      if (rate && !row.offline) rates += rate;
      pace.guess(now, rate && !row.offline ? rest / rate : null);
      this.#showTime(row, now);
    }
    if (bytes === 0) return 0;
    return rates ? bytes / rates : null;
  }

  /** @returns {number|null} seconds until all are done; null if nobody knows */
  #timeJobs(/** @type {Row[]} */ rows, /** @type {number} */ now) {
    const times = this.#timesOf(rows, now);
    let longest = 0;
    let known = true;
    for (const row of rows) {
      const { pace } = this.#work(row);
      const left = times.get(row) ?? null;
      // Where nothing new is known, as when the next job before it has just begun, what was said still stands.
      if (row.offline || left !== null) pace.guess(now, row.offline ? null : left);
      longest = Math.max(longest, left ?? 0);
      known &&= left !== null;
      this.#showTime(row, now);
    }
    return known ? longest : null;
  }

  /** @returns {Map<Row, number|null>} */
  #timesOf(/** @type {Row[]} */ rows, /** @type {number} */ now) {
    const running = rows.filter(({ phase }) => phase === 'running');
    const left = running.map((row) => this.#work(row).course.left(now, row.job?.estimated_seconds));
    const waiting = rows.flatMap((row) => {
      // The service says what a job takes times its place.
      const { queue_position: place, estimated_seconds: seconds } = row.job ?? {};
      return row.phase === 'queued' && place && seconds !== undefined ? [{ key: row, place, seconds: seconds / place }] : [];
    });
    return new Map([...timesInQueue(left, waiting), ...running.map((row, n) => /** @type {const} */ ([row, left[n]]))]);
  }

  #showTime(/** @type {Row} */ row, /** @type {number} */ now) {
    const shown = this.#work(row).pace.left(now);
    if (shown === row.secondsLeft) return;
    row.secondsLeft = shown;
    this.#moved.add(row.id);
  }
}

/** @returns {Row} */
const blank = () => ({
  id: '', name: '', path: '', bytes: 0, file: null, phase: 'uploading', sent: 0, offline: false, upload: null,
  format: null, believed: true, targets: [], suggested: [], target: null, options: {}, wanted: false, job: null,
  problem: null, addedAt: 0, startedAt: null, secondsLeft: null,
});

/** A row as it is kept: plain, without the file (kept apart), the password, and what is only true now. */
function record(/** @type {Row} */ row, /** @type {Work} */ work) {
  const { file: _, offline: __, secondsLeft: ___, ...shown } = row;
  const { arrived, chosen, order, jobs, round, losses, from } = work;
  return { id: row.id, row: shown, memory: { arrived, chosen, order, jobs, round, losses, from } };
}

/** Runs tasks in their order, at most `width` at once. */
function lanes(/** @type {number} */ width) {
  /** @type {(() => void)[]} */
  const waiting = [];
  let busy = 0;
  return async (/** @type {() => Promise<void>} */ task) => {
    if (busy < width) busy += 1;
    else await new Promise((go) => waiting.push(() => go(undefined)));
    try {
      await task();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else busy -= 1;
    }
  };
}
