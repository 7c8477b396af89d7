// @ts-check
/** What the account leaves behind, and leaving: all of it as a ZIP, its erasure, and the proof of that. */
import { Problem } from '../api.js';
import { h, text } from '../dom.js';
import * as units from '../units.js';
import { button, field, form, said, section, tell, wordsOf } from './parts.js';
import { moment, say } from './words.js';

/** @typedef {import('./client.js').Client} Client @typedef {import('./client.js').Erasure} Erasure */

const LOOK_AGAIN = 1000;
/** How often it is said how much has come. */
const TOLD = 250;
const CONSEQUENCES = ['files', 'programs', 'kept', 'proof'].map((name) => `erase.${name}`);

/** @param {string} name @param {Blob} content */
export function saveAs(name, content) {
  const url = URL.createObjectURL(content);
  h('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** @param {Client} client */
export function exportPart(client) {
  const state = h('p', { class: 'hint', role: 'status' });
  const go = button('export.go', fetchAll, 'small');
  const element = section('export.title', said('p', 'export.lead', { class: 'hint' }), h('p', { class: 'actions' }, go), state);

  async function fetchAll() {
    if (go.ariaBusy) return;
    go.ariaBusy = 'true';
    try {
      const content = await counted(await client.exported(), (bytes) => text(state, say('export.got', { size: units.bytes(bytes) })));
      saveAs('filewright-export.zip', content);
      text(state, say('export.done', { size: units.bytes(content.size) }));
    } catch (problem) {
      state.replaceChildren(...wordsOf(problem));
    } finally {
      go.ariaBusy = null;
    }
  }
  return { element, draw: () => {} };
}

/** The body, told of as it comes: how much there will be nobody knows, because it is made meanwhile. */
async function counted(/** @type {Response} */ answer, /** @type {(bytes: number) => void} */ onBytes) {
  let [bytes, told] = [0, 0];
  const count = new TransformStream({
    transform(/** @type {Uint8Array} */ chunk, controller) {
      bytes += chunk.byteLength;
      if (Date.now() - told > TOLD) {
        told = Date.now();
        onBytes(bytes);
      }
      controller.enqueue(chunk);
    },
  });
  const type = answer.headers.get('content-type') ?? '';
  return new Response(/** @type {ReadableStream} */ (answer.body).pipeThrough(count), { headers: { 'Content-Type': type } }).blob().catch(() => {
    throw Problem.offline();
  });
}

/** Folded away, like all that is wanted once. @param {{client: Client, email: string, onErased: (erasure: Erasure) => void}} parts */
export function erasePart({ client, email, onErased }) {
  const typed = field('/email', 'erase.email', { autocomplete: 'off', spellcheck: 'false', maxlength: 320 });
  const asked = form({
    fields: [typed], submit: 'erase.yes', kind: 'small wrong',
    async onSubmit() {
      if (typed.input.value.trim().toLowerCase() !== email.toLowerCase()) {
        typed.show(document.createTextNode(say('erase.other')));
        typed.input.focus();
        return;
      }
      onErased(await client.erase());
    },
  });
  return h('section', { class: 'card' }, h('details', {}, said('summary', 'erase.title'),
    said('p', 'erase.lead'), h('ul', { class: 'plainly' }, CONSEQUENCES.map((key) => said('li', key))), asked.element));
}

/**
 * How far an erasure is, until there is a certificate. Its address can be kept: it is all that is needed to look.
 * @param {{client: Client, id: string}} parts
 */
export function erasureView({ client, id }) {
  const title = said('h1', 'erased.title', { tabindex: -1 });
  const lead = said('p', 'erased.lead', { class: 'lead' });
  const body = h('div', { class: 'card' }, h('p', { role: 'status' }, said('span', 'erased.running')));
  const element = h('div', { class: 'home' }, title, lead, body);
  /** @type {Erasure|null} */
  let done = null;

  const draw = () => {
    if (!done) return;
    const { statement } = done.certificate;
    const rows = Object.values(statement.rows_deleted).reduce((sum, count) => sum + count, 0);
    for (const [node, key] of /** @type {[HTMLElement, string][]} */ ([[title, 'erased.done.title'], [lead, 'erased.done.lead']])) {
      node.dataset.say = key;
      text(node, say(key));
    }
    const facts = Object.entries({
      'erased.id': done.id,
      'erased.at': moment(done.finished_at ?? ''),
      'erased.objects': units.count(statement.objects_deleted),
      'erased.rows': units.count(rows),
      'erased.key': statement.key_destroyed,
    }).filter(([, value]) => value);
    body.replaceChildren(
      h('dl', { class: 'facts' }, facts.flatMap(([key, value]) => [said('dt', key), h('dd', {}, value)])),
      h('p', { class: 'actions' }, button('erased.certificate', () => saveAs(`${id}.json`, new Blob([JSON.stringify(done, null, 2)], { type: 'application/json' })), 'small')));
  };

  async function look() {
    try {
      const found = await client.erasure(id);
      if (found.status === 'done') {
        done = found;
        draw();
        tell(say('erased.done.title'));
        return;
      }
    } catch (problem) {
      if (!(problem instanceof Problem) || !problem.retryable) {
        body.replaceChildren(h('p', { class: 'notice', role: 'alert' }, h('span', {}, wordsOf(problem))));
        return;
      }
    }
    setTimeout(look, LOOK_AGAIN);
  }
  look();
  return { element, draw };
}
