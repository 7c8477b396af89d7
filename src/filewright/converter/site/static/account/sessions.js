// @ts-check
/** Where the account is signed in, and the way to end that. */
import { h } from '../dom.js';
import { ask, button, said, section, tell } from './parts.js';
import { moment, say } from './words.js';

/** @typedef {import('./client.js').Client} Client @typedef {import('./client.js').Session} Session */

/** What browsers call themselves; the first that fits counts, because most claim to be others, too. */
const BROWSERS = [['Edg', 'Edge'], ['OPR', 'Opera'], ['Firefox', 'Firefox'], ['HeadlessChrome', 'Chrome'], ['Chrome', 'Chrome'], ['Safari', 'Safari'], ['curl', 'curl']];
const SYSTEMS = [['Android', 'Android'], ['iPhone', 'iPhone'], ['iPad', 'iPad'], ['Windows', 'Windows'], ['Mac OS X', 'macOS'], ['CrOS', 'ChromeOS'], ['Linux', 'Linux']];

/** `Firefox · Linux`; of a program that is not known, its own first words. */
function device(/** @type {string|null} */ agent) {
  const of = (/** @type {string[][]} */ known) => known.find(([mark]) => agent?.includes(mark))?.[1];
  return [of(BROWSERS), of(SYSTEMS)].filter(Boolean).join(' · ') || agent?.slice(0, 60) || say('session.unknown');
}

/** @param {Client} client */
export async function sessionsPart(client) {
  let sessions = await client.sessions();
  const list = h('ul', { class: 'things' });
  const element = section('sessions.title', said('p', 'sessions.lead', { class: 'hint' }), list);

  /** @param {Session} session */
  const row = (session) => h('li', {},
    h('div', { class: 'names' },
      h('p', {}, h('bdi', { class: 'strong' }, device(session.agent)), ' ', session.current && h('span', { class: 'tag' }, say('session.this'))),
      h('p', { class: 'hint' }, [session.address, say('session.since', { time: moment(session.created_at) }), say('session.seen', { time: moment(session.last_seen_at) })]
        .filter(Boolean).join(' · '))),
    session.current ? null : end(session));

  function end(/** @type {Session} */ session) {
    const made = button('session.end', () => ask({
      title: say('session.end.label', { name: device(session.agent) }), words: say('session.end.lead'), yes: 'session.end', onYes: () => finish(session), onDone,
    }));
    made.setAttribute('aria-label', say('session.end.label', { name: device(session.agent) }));
    return made;
  }

  async function finish(/** @type {Session} */ session) {
    await client.endSession(session.id);
    sessions = sessions.filter((other) => other.id !== session.id);
    draw();
    tell(say('session.ended'));
  }
  const onDone = () => element.querySelector('h2')?.focus();

  const draw = () => list.replaceChildren(...sessions.map(row));
  return { element, draw };
}
