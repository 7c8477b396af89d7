// @ts-check
/** What was used and what may be; invoices, where there are any. What the service does not have is not shown. */
import { h, meter, text } from '../dom.js';
import { locale } from '../i18n.js';
import * as units from '../units.js';
import { said, section, tell, wordsOf } from './parts.js';
import { saveAs } from './privacy.js';
import { day, month, say } from './words.js';

/** @typedef {import('./client.js').Client} Client */

/** @param {Client} client */
export async function usagePart(client) {
  const [limits, usage] = await Promise.all([client.limits(), client.usage()]);
  const sum = h('p', { class: 'strong' });
  const bar = meter();
  const facts = h('dl', { class: 'facts' });
  const months = h('table', { class: 'months', hidden: true });
  const element = section('usage.title', sum, bar.element, facts, h('div', { class: 'wide' }, months));

  function draw() {
    const { included, used, credits } = limits.month;
    text(sum, included === null ? say('usage.used', { n: used }) : say('usage.of', { used, n: included }));
    bar.element.hidden = !included;
    bar.element.setAttribute('aria-label', say('usage.title'));
    bar.show(included ? Math.min(1, used / included) : null);
    facts.replaceChildren(...Object.entries({
      'usage.plan': limits.tier,
      'usage.credits': credits || included !== null ? units.count(credits) : null,
      'usage.size': units.bytes(limits.max_input_bytes),
      'usage.time': units.duration(limits.max_seconds, 'long'),
      'usage.jobs': units.count(limits.max_queued_jobs),
      'usage.rate': limits.budgets.conversions && say('usage.rate.of', { n: limits.budgets.conversions.limit, time: units.duration(limits.budgets.conversions.window_seconds, 'long') }),
      'usage.kept': units.duration(limits.retention_seconds, 'long'),
    }).filter(([, value]) => value).flatMap(([key, value]) => [said('dt', key), h('dd', {}, value)]));
    const rows = usage?.data ?? [];
    months.hidden = !rows.length;
    months.replaceChildren(
      h('thead', {}, h('tr', {}, ['usage.month', 'usage.conversions', 'usage.in', 'usage.out'].map((key) => said('th', key, { scope: 'col' })))),
      h('tbody', {}, rows.map((/** @type {any} */ row) => h('tr', {}, h('th', { scope: 'row' }, month(row.month)),
        [units.count(row.conversions), units.bytes(row.input_bytes), units.bytes(row.output_bytes)].map((value) => h('td', {}, value))))));
  }
  return { element, draw };
}

/** @param {Client} client */
export async function invoicesPart(client) {
  const page = await client.invoices();
  if (!page?.data.length) return null;
  const list = h('ul', { class: 'things' });
  const refused = h('p', { class: 'notice', hidden: true });
  const element = section('invoices.title', list, refused);
  const row = (/** @type {any} */ invoice) => h('li', {},
    h('div', { class: 'names' },
      h('p', {}, h('span', { class: 'strong' }, invoice.number), ' ', h('span', { class: 'tag' }, invoice.status in STATES ? say(STATES[invoice.status]) : invoice.status)),
      h('p', { class: 'hint' }, [month(invoice.month), money(invoice), day(invoice.created_at)].join(' · '))),
    h('p', { class: 'actions' },
      invoice.status === 'open' && isSafe(invoice.pay_url) && said('a', 'invoice.pay', { class: 'button small', href: invoice.pay_url, rel: 'noreferrer' }),
      h('button', {
        type: 'button', class: 'button small quiet', 'aria-label': say('invoice.pdf.label', { name: invoice.number }), onclick: () => save(invoice),
      }, 'PDF')));

  /** Made when it is first wanted, so it may take a moment, and be refused. */
  async function save(/** @type {any} */ invoice) {
    try {
      saveAs(`${invoice.number}.pdf`, await client.own('GET', invoice.links.pdf).then((answer) => answer.blob()));
    } catch (problem) {
      const words = wordsOf(problem);
      tell(words.map((node) => node.textContent).join(' '));
      refused.replaceChildren(h('span', {}, words));
      refused.hidden = false;
    }
  }
  return { element, draw: () => list.replaceChildren(...page.data.map(row)) };
}

/** @type {Record<string, string>} */
const STATES = { made: 'invoice.made', open: 'invoice.open', paid: 'invoice.paid', void: 'invoice.void' };

const isSafe = (/** @type {string|null} */ url) => Boolean(url && URL.canParse(url) && new URL(url).protocol === 'https:');

const money = (/** @type {{total: number, digits: number, currency: string}} */ { total, digits, currency }) =>
  new Intl.NumberFormat(locale(), { style: 'currency', currency }).format(total / 10 ** digits);
