// @ts-check
/** Tables of the operators' page: wide ones are moved sideways in a frame of their own, long ones grow by pages. */
import { button, wordsOf } from '../account/parts.js';
import { h } from '../dom.js';

/** @param {string} label @param {string[]} columns */
export function table(label, columns) {
  const body = h('tbody');
  const element = h('div', { class: 'wide', role: 'group', 'aria-label': label, tabindex: 0 },
    h('table', { class: 'grid' }, h('thead', {}, h('tr', {}, columns.map((name) => h('th', { scope: 'col' }, name || h('span', { class: 'unseen' }, 'Actions'))))), body));
  return { element, body };
}

/** @param {...any} cells the first names the row */
export const line = (...cells) => h('tr', {}, cells.map((cell, at) => h(at ? 'td' : 'th', at ? {} : { scope: 'row' }, cell)));

/** What is read at a glance stays on one line. @param {string} words */
export const still = (words) => h('span', { class: 'still' }, words);

/**
 * A list of the API, page by page.
 * @param {{client: import('../account/client.js').Client, path: string, query?: Record<string, string>, after?: string,
 *   label: string, columns: string[], row: (item: any) => HTMLElement, none: string}} parts `after`: the parameter that
 *   takes the cursor
 */
export async function pages({ client, path, query = {}, after = 'cursor', label, columns, row, none }) {
  const { element, body } = table(label, columns);
  const more = button('More', () => load(cursor).catch(show));
  const refused = h('p', { class: 'notice', role: 'alert', hidden: true });
  let cursor = '';

  async function load(/** @type {string} */ from) {
    const page = await client.ask(`${path}?${new URLSearchParams({ limit: '50', ...query, ...(from && { [after]: from }) })}`);
    body.append(...page.data.map(row));
    cursor = page.next_cursor ?? '';
    more.hidden = !cursor;
  }
  function show(/** @type {unknown} */ problem) {
    refused.replaceChildren(h('span', {}, wordsOf(problem)));
    refused.hidden = false;
  }
  await load('');
  if (!body.childElementCount) return h('p', { class: 'hint' }, none);
  return h('div', {}, element, refused, h('p', { class: 'actions' }, more));
}
