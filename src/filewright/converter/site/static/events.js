// @ts-check
/**
 * News of all jobs on one stream (browsers allow a page six connections, and uploads need theirs).
 *
 * The browser reconnects by itself and asks for what follows the last event; where it gives up (a refusal, a proxy),
 * this module opens the stream anew. A connection may also die in silence, as when a computer sleeps: a stream on
 * which nothing came for a while is opened anew as well. Whoever listens looks after jobs it heard nothing of each time
 * the state becomes `open`.
 */

const BACK_OFF = 1000;
const LONGEST_BACK_OFF = 8000;
const SILENCE = 45_000;

/** @typedef {import('./api.js').Job} Job */

export function createEvents({ url = '/v1/jobs/events', silence = SILENCE } = {}) {
  let onJob = (/** @type {Job} */ _job) => {};
  let onState = (/** @type {'open'|'lost'} */ _state) => {};
  /** @type {EventSource|null} */
  let source = null;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  let timer;
  let losses = 0;

  function open() {
    close();
    source = new EventSource(url);
    source.onopen = () => {
      losses = 0;
      listenOn();
      onState('open');
    };
    source.onerror = () => {
      onState('lost');
      if (source?.readyState !== EventSource.CLOSED) return; // the browser tries again
      later(Math.min(BACK_OFF * 2 ** losses, LONGEST_BACK_OFF));
      losses += 1;
    };
    source.addEventListener('job', (event) => {
      listenOn();
      onJob(JSON.parse(event.data));
    });
  }

  const listenOn = () => later(silence);

  function later(/** @type {number} */ time) {
    clearTimeout(timer);
    timer = setTimeout(open, time);
  }

  function close() {
    clearTimeout(timer);
    source?.close();
    source = null;
  }

  /** At once, instead of after a pause that was meant for a missing connection. */
  const back = () => {
    if (source?.readyState === EventSource.CLOSED) open();
  };

  return {
    /** @param {{onJob: typeof onJob, onState: typeof onState}} listener */
    listen(listener) {
      ({ onJob, onState } = listener);
    },
    /** Opens the stream, or closes it when nobody waits for anything. @param {boolean} wanted */
    want(wanted) {
      if (wanted === (source !== null)) return;
      if (wanted) {
        addEventListener('online', back);
        open();
      } else {
        removeEventListener('online', back);
        close();
      }
    },
  };
}

/** @typedef {ReturnType<typeof createEvents>} Events */
