// @ts-check
/** Fonts for the account's own documents: bring them, by choosing or by dropping, see what there is, take them away. */
import { h, text } from '../dom.js';
import { icon } from '../icons.js';
import { filesOfDrop, filesOfInput } from '../intake.js';
import * as units from '../units.js';
import { ask, button, said, section, tell, wordsOf } from './parts.js';
import { say } from './words.js';

/**
 * @typedef {import('./client.js').Client} Client @typedef {import('./client.js').Font} Font
 * @typedef {{name: string, problem: unknown}} Refused
 */

/** Nothing for whom the service keeps no fonts. @param {Client} client */
export async function fontsPart(client) {
  let own = await client.fonts();
  if (!own?.max_fonts) return null;
  /** @type {Refused[]} */
  let refused = [];
  const list = h('ul', { class: 'things' });
  const room = h('p', { class: 'hint' });
  const refusals = h('div', { class: 'refusals', role: 'alert' });
  const input = h('input', { type: 'file', hidden: true, multiple: true, accept: '.ttf,.otf,.ttc,.woff,.woff2', onchange: () => add(filesOfInput(input)) });
  const choose = button('fonts.add', () => input.click(), 'small');
  const element = section('fonts.title', said('p', 'fonts.lead', { class: 'hint' }),
    h('p', { class: 'actions' }, choose, ' ', said('span', 'fonts.drop', { class: 'hint' }), input), refusals, room, list);
  dropsOn(element, (files) => add(files));

  /** One after the other: what is wrong with one does not keep the others out. @param {import('../intake.js').Taken[]} files */
  async function add(files) {
    if (choose.ariaBusy || !files.length) return;
    choose.ariaBusy = 'true';
    tell(say('fonts.adding', { n: files.length }));
    refused = [];
    let added = 0;
    for (const { file } of files) {
      try {
        await client.addFont(file);
        added += 1;
      } catch (problem) {
        refused.push({ name: file.name, problem });
      }
    }
    choose.ariaBusy = null;
    await again();
    if (added) tell(say('fonts.added', { n: added }));
  }

  /** The service knows best what there is now; without an answer the list stays as it was. */
  async function again() {
    own = await client.fonts().catch(() => null) ?? own;
    draw();
  }

  const row = (/** @type {Font} */ font) => {
    const name = familiesOf(font);
    return h('li', {},
      h('div', { class: 'names' },
        h('p', {}, h('bdi', { class: 'strong' }, name), ' ', h('span', { class: 'tag' }, font.format.toUpperCase())),
        h('p', { class: 'hint' }, h('bdi', {}, stylesOf(font)), ' · ', units.bytes(font.bytes), ' · ', h('bdi', {}, font.filename))),
      h('button', {
        type: 'button', class: 'plain', title: say('hook.remove'), 'aria-label': say('font.remove.label', { name: `${name} ${stylesOf(font)}` }),
        onclick: () => ask({
          title: say('font.remove.label', { name: `${name} ${stylesOf(font)}` }), words: say('font.remove.lead'), yes: 'hook.remove', onYes: () => remove(font),
          onDone: () => element.querySelector('h2')?.focus(),
        }),
      }, icon('trash')));
  };

  async function remove(/** @type {Font} */ font) {
    await client.removeFont(font.id);
    await again();
    tell(say('font.removed', { name: familiesOf(font) }));
  }

  const wrong = (/** @type {Refused} */ { name, problem }) =>
    h('p', { class: 'notice' }, h('span', {}, h('bdi', { class: 'strong' }, name), ': ', wordsOf(problem, 'font')));

  function draw() {
    const { data, fonts, max_fonts, bytes, max_bytes } = own;
    refusals.replaceChildren(...refused.map(wrong));
    text(room, say('fonts.room', { fonts: units.count(fonts), most: units.count(max_fonts), size: units.bytes(bytes), all: units.bytes(max_bytes) }));
    list.hidden = !data.length;
    list.replaceChildren(...data.map(row));
  }
  return { element, draw };
}

/** Files that are dropped on it; it looks as if it could take them while they hover. @param {HTMLElement} element @param {(files: any) => void} onFiles */
function dropsOn(element, onFiles) {
  const hover = (/** @type {boolean} */ over) => element.classList.toggle('over', over);
  element.addEventListener('dragover', (event) => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = 'copy';
    hover(true);
  });
  element.addEventListener('dragleave', (event) => hover(element.contains(/** @type {Node|null} */ (event.relatedTarget))));
  element.addEventListener('drop', (event) => {
    hover(false);
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    filesOfDrop(event.dataTransfer).then(onFiles);
  });
}

const familiesOf = (/** @type {Font} */ { faces }) => [...new Set(faces.map(({ family }) => family))].join(', ');
const stylesOf = (/** @type {Font} */ { faces }) => [...new Set(faces.map(({ style }) => style))].join(', ');
