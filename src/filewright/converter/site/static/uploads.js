// @ts-check
/**
 * Sends a file by the tus protocol (https://tus.io, version 1.0.0): announce it, send it in pieces, and after any loss
 * ask how far it got and go on from there. Never gives up by itself: a lost connection is a matter of waiting.
 *
 * How many go at once, and what becomes of them, is the queue's business. Pieces are sent by XMLHttpRequest, because
 * `fetch` does not tell how much of a body has left.
 */

import { Problem, retrying } from './api.js';

const TUS = { 'Tus-Resumable': '1.0.0' };
const PIECE = 8 << 20;
/** Nothing moved for this long: the connection is dead, though nobody said so. */
const STALLED = 60_000;
/** All is sent, and the service looks at it. */
const EXAMINED = 600_000;

/** @typedef {import('./api.js').Api} Api @typedef {import('./api.js').Upload} Upload */

/** @param {Api} api */
export function createUploads(api, { piece = PIECE } = {}) {
  /**
   * @param {File} file
   * @param {{id?: string|null, key: string, onId: (id: string) => void, onProgress: (sent: number) => void,
   *   onLost: (lost: boolean) => void, signal: AbortSignal}} options
   *   `id`: of an upload that was begun; `key`: repeats the announcement without announcing a second one
   * @returns {Promise<Upload>} once it is complete
   */
  async function upload(file, { id = null, key, onId, onProgress, onLost, signal }) {
    const lasting = { signal, onLost };
    let sent = 0;
    if (!id) {
      id = await retrying(() => announce(file, key), lasting);
      onId(id);
    } else {
      sent = await retrying(() => standing(/** @type {string} */ (id)), lasting);
    }
    onProgress(sent);
    while (sent < file.size) {
      const from = sent;
      sent = await retrying(async (attempt) => {
        // After a loss only the service knows how much has arrived.
        const start = attempt ? await standing(/** @type {string} */ (id)) : from;
        onProgress(start);
        if (start === file.size) return start;
        return send(/** @type {string} */ (id), file, start, (loaded) => onProgress(start + loaded), signal);
      }, lasting);
    }
    onProgress(file.size);
    return retrying(() => completed(/** @type {string} */ (id)), lasting);
  }

  /** @param {string} id @param {File} file @param {number} start */
  function send(id, file, start, onLoaded = (/** @type {number} */ _) => {}, signal = new AbortController().signal) {
    const bytes = file.slice(start, start + piece);
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      /** @type {ReturnType<typeof setTimeout>} */
      let watch;
      const stop = () => request.abort();
      const wait = (/** @type {number} */ time) => {
        clearTimeout(watch);
        watch = setTimeout(stop, time);
      };
      request.open('PATCH', address(id));
      request.setRequestHeader('Content-Type', 'application/offset+octet-stream');
      request.setRequestHeader('Upload-Offset', String(start));
      request.setRequestHeader('Tus-Resumable', TUS['Tus-Resumable']);
      request.upload.onprogress = (event) => {
        wait(STALLED);
        onLoaded(Math.min(event.loaded, bytes.size));
      };
      request.upload.onload = () => wait(EXAMINED);
      request.onloadend = () => {
        clearTimeout(watch);
        signal.removeEventListener('abort', stop);
        if (request.status === 204) resolve(Number(request.getResponseHeader('Upload-Offset')));
        else if (signal.aborted) reject(signal.reason);
        else refused(request, bytes).then(reject);
      };
      signal.addEventListener('abort', stop);
      wait(STALLED);
      request.send(bytes);
    });
  }

  /** The upload, which by now has everything; another request may still be looking at its content. */
  async function completed(/** @type {string} */ id) {
    const view = await api.upload(id);
    if (view.state === 'complete') return view;
    await standing(id); // completes what a killed service could not
    throw new Problem({ code: 'conflict', retryable: true });
  }

  return { upload };
}

/** @typedef {ReturnType<typeof createUploads>} Uploads */

const address = (/** @type {string} */ id) => `/v1/uploads/${encodeURIComponent(id)}`;

/** @param {File} file @param {string} key @returns {Promise<string>} its id */
async function announce(file, key) {
  const headers = {
    ...TUS,
    'Idempotency-Key': key,
    'Upload-Length': String(file.size),
    'Upload-Metadata': `filename ${base64(file.name)}`,
  };
  const response = await asked('/v1/uploads', { method: 'POST', headers });
  return /** @type {string} */ (response.headers.get('Location')?.split('/').pop());
}

/** How many bytes have arrived. */
async function standing(/** @type {string} */ id) {
  const response = await asked(address(id), { method: 'HEAD', headers: TUS, cache: 'no-store' });
  return Number(response.headers.get('Upload-Offset'));
}

/** @param {string} url @param {RequestInit} init */
async function asked(url, init) {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(STALLED) }).catch(() => {
    throw Problem.offline();
  });
  if (!response.ok) throw await Problem.of(response);
  return response;
}

/** Why a piece did not arrive. A file that changed on the disk looks like a lost connection, until one reads it. */
async function refused(/** @type {XMLHttpRequest} */ request, /** @type {Blob} */ bytes) {
  if (request.status === 409) return new Problem({ code: 'conflict', retryable: true }); // it stands elsewhere
  if (request.status) return Problem.read(request.status, request.responseText, request.getResponseHeader('Retry-After'));
  return bytes.slice(0, 1).arrayBuffer().then(
    () => Problem.offline(),
    () => new Problem({ code: 'file_changed', title: 'The file cannot be read any more' }),
  );
}

function base64(/** @type {string} */ text) {
  return btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(''));
}
