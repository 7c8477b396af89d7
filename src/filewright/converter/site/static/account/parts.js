// @ts-check
/** What the views of the account page are put together from: forms that say what was refused, buttons, one live voice. */
import { Problem } from '../api.js';
import { openDialog } from '../dialog.js';
import { attribute, h, text } from '../dom.js';
import { Refusal } from './client.js';
import { say, speaksEnglish } from './words.js';

const voice = h('p', { class: 'unseen', role: 'status' });
document.body.append(voice);

/** Read out what has just happened. */
export const tell = (/** @type {string} */ words) => text(voice, words);

/** An element with a text that follows the language. @param {string} tag @param {string} key @param {Record<string, any>} [props] */
export const said = (tag, key, props = {}) => h(tag, { 'data-say': key, ...props }, say(key));

/** @param {string} key @param {(event: Event) => any} onclick @param {string} [kind] */
export const button = (key, onclick, kind = 'small quiet') => said('button', key, { type: 'button', class: `button ${kind}`, onclick });

/** @param {string} key @param {(event: Event) => any} onclick */
export const link = (key, onclick) => said('button', key, { type: 'button', class: 'link', onclick });

let fields = 0;

/**
 * A labelled field with room for what is wrong with it.
 * @param {string} pointer the field's in the API, by which a refusal finds it
 * @param {string} label
 * @param {Record<string, any>} props
 * @param {string} [hint]
 */
export function field(pointer, label, props, hint) {
  fields += 1;
  const id = `field-${fields}`;
  const input = h('input', { id, type: 'text', required: true, 'aria-describedby': `${id}-wrong ${id}-hint`, ...props });
  const wrong = h('span', { id: `${id}-wrong`, class: 'wrong', hidden: true });
  const under = hint ? said('span', hint, { id: `${id}-hint`, class: 'hint' }) : null;
  const show = (/** @type {Node[]} */ ...words) => {
    wrong.replaceChildren(...words);
    wrong.hidden = !words.length;
    attribute(input, 'aria-invalid', words.length ? 'true' : null);
  };
  input.addEventListener('input', () => show());
  const element = h('div', { class: 'field' }, said('label', label, { class: 'name', for: id }), input, wrong, under);
  return { element, input, pointer, show };
}

/** @typedef {ReturnType<typeof field>} Field */

/** An eye for a password: what is typed can be seen. */
export function passwordField(/** @type {string} */ pointer, /** @type {string} */ label, /** @type {string} */ autocomplete, /** @type {string} */ hint = '') {
  const made = field(pointer, label, { type: 'password', autocomplete, maxlength: 1024 }, hint);
  const eye = said('button', 'form.show', {
    type: 'button', class: 'link eye', 'aria-pressed': 'false',
    onclick() {
      const shown = made.input.type === 'text';
      made.input.type = shown ? 'password' : 'text';
      attribute(eye, 'aria-pressed', String(!shown));
    },
  });
  made.input.after(eye);
  return made;
}

/**
 * A form whose refusals stand where they belong: at the field that they are about, else above the button.
 * @param {{fields: Field[], extra?: any[], submit: string, place?: string, kind?: string,
 *   onSubmit: () => Promise<unknown>}} parts `place`: which of the page's own words fit a refusal
 */
export function form({ fields: asked, extra = [], submit, place = '', kind = '', onSubmit }) {
  const refused = h('p', { class: 'notice', role: 'alert', hidden: true });
  const go = said('button', submit, { type: 'submit', class: `button ${kind}` });
  const element = h('form', { novalidate: true, onsubmit: take }, asked.map((one) => one.element), extra, refused, h('p', { class: 'actions' }, go));

  async function take(/** @type {Event} */ event) {
    event.preventDefault();
    if (go.ariaBusy) return;
    refused.hidden = true;
    for (const one of asked) one.show();
    const empty = asked.find(({ input }) => input.required && !input.value);
    if (empty) {
      empty.show(document.createTextNode(say('refused.empty')));
      empty.input.focus();
      return;
    }
    go.ariaBusy = 'true';
    try {
      await onSubmit();
    } catch (problem) {
      show(problem);
    } finally {
      go.ariaBusy = null;
    }
  }

  function show(/** @type {unknown} */ problem) {
    const about = problem instanceof Refusal ? problem.errors.map((error) => ({ error, one: asked.find(({ pointer }) => pointer === error.pointer) })) : [];
    const found = about.filter(({ one }) => one);
    for (const { error, one } of found) /** @type {Field} */ (one).show(...wordsAbout(`refused.at${error.pointer}`, error.detail));
    if (found.length) {
      const first = /** @type {Field} */ (found[0].one);
      first.input.focus();
      tell(first.element.querySelector('.wrong')?.textContent ?? '');
      return;
    }
    refused.replaceChildren(h('span', {}, wordsOf(problem, place)));
    refused.hidden = false;
  }

  return { element, show };
}

/** What went wrong: in English in the service's words, elsewhere in the page's, and the service's where there are no others. */
export function wordsOf(/** @type {unknown} */ problem, /** @type {string} */ place = '') {
  if (!(problem instanceof Problem)) throw problem;
  const keys = [`refused.${place}.${problem.code}`, `refused.${problem.code}`];
  return wordsAbout(keys.find((key) => say(key) !== key) ?? '', problem.detail);
}

/** @returns {Node[]} */
function wordsAbout(/** @type {string} */ key, /** @type {string} */ detail) {
  const own = key && say(key) !== key ? say(key) : '';
  const theirs = h('span', { lang: 'en', dir: 'auto' }, detail);
  if (speaksEnglish()) return [detail ? theirs : document.createTextNode(own || say('refused.internal'))];
  if (own && !key.startsWith('refused.at/password') && !key.startsWith('refused.at/new_password')) return [document.createTextNode(own)];
  return own ? [document.createTextNode(`${own} `), theirs] : [detail ? theirs : document.createTextNode(say('refused.internal'))];
}

/** A part of the page with a heading. @param {string} key @param {...any} children */
export function section(key, ...children) {
  fields += 1;
  const id = `section-${fields}`;
  return h('section', { class: 'card', 'aria-labelledby': id }, said('h2', key, { id, tabindex: -1 }), children);
}

/** A button that copies; it says so itself. @param {() => string} words @param {Element} shown what is selected if nothing may be copied */
export function copyButton(words, shown, label = 'key.copy') {
  const made = button(label, async () => {
    try {
      await navigator.clipboard.writeText(words());
      done('key.copied');
    } catch {
      getSelection()?.selectAllChildren(shown);
      done(document.execCommand('copy') ? 'key.copied' : 'key.select');
    }
  }, 'small');
  const done = (/** @type {string} */ key) => {
    text(made, say(key));
    tell(say(key));
  };
  return made;
}

/**
 * Ask before something that cannot be taken back.
 * @param {{title: string, words: string, yes: string, onYes: () => Promise<unknown>, onDone: () => void}} asked `onDone`: it
 *   is done and the question is gone, so that the focus can go elsewhere
 */
export function ask({ title, words, yes, onYes, onDone }) {
  const refused = h('p', { class: 'notice', role: 'alert', hidden: true });
  const go = async () => {
    try {
      await onYes();
      dialog.close();
      onDone();
    } catch (problem) {
      refused.replaceChildren(...wordsOf(problem));
      refused.hidden = false;
    }
  };
  const dialog = openDialog({
    title, kind: 'ask',
    content: h('div', {}, h('p', {}, words), refused, h('p', { class: 'actions' }, button(yes, go, 'small wrong'), button('form.cancel', () => dialog.close()))),
  });
}
