// What the phone keeps while the box does not answer: the cards that come next, and decisions made meanwhile.
// They are sent in their order as soon as the box answers; nothing is taken for sent that was not.
'use strict';
(() => {
  const AHEAD = 4, AGAIN_MS = 4000, GONE_MS = 8000, STORE = 'punchlens.decisions';
  const pages = new Map(); // path -> HTML
  const path = (url) => { const to = new URL(url, location.href); to.searchParams.delete('done'); return to.pathname + to.search; };
  const csrf = () => document.querySelector('input[name=csrf]')?.value ?? '';

  // --- Cards that come next ---------------------------------------------------------------------

  async function ahead(from, depth) {
    const link = from.querySelector('#skip[href], #start a[href]');
    if (!link || !depth) return;
    const to = path(link.getAttribute('href'));
    if (!to.startsWith('/review/findings/')) return;
    if (!pages.has(to)) {
      let response;
      try { response = await fetch(to, { credentials: 'same-origin', priority: 'low' }); } catch { return; }
      if (!response.ok) return;
      pages.set(to, await response.text());
      if (pages.size > 40) pages.delete(pages.keys().next().value);
    }
    const page = new DOMParser().parseFromString(pages.get(to), 'text/html');
    const picture = page.querySelector('#photo img')?.getAttribute('src');
    if (picture) new Image().src = picture;
    await ahead(page, depth - 1);
  }

  // --- Decisions that wait ------------------------------------------------------------------------

  const read = () => { try { return JSON.parse(localStorage.getItem(STORE)) ?? []; } catch { return []; } };
  function write(kept) {
    if (kept.length) localStorage.setItem(STORE, JSON.stringify(kept)); else localStorage.removeItem(STORE);
    tell();
  }

  let goes;
  function tell(text) {
    clearTimeout(goes);
    const kept = read();
    let bar = document.querySelector('#kept');
    if (!kept.length && !text) { bar?.remove(); return; }
    if (!bar) {
      bar = document.createElement('div');
      bar.id = 'kept';
      bar.className = 'kept';
      bar.setAttribute('role', 'status');
      document.body.prepend(bar);
    }
    const many = kept.length === 1 ? '1 decision is' : `${kept.length} decisions are`;
    const line = document.createElement('p');
    line.textContent = text ?? `No connection to the box. ${many} kept on this device and sent when it answers.`;
    bar.replaceChildren(line);
    if (text && !kept.length) {
      const close = document.createElement('button');
      close.type = 'button';
      close.textContent = 'Close';
      close.addEventListener('click', () => bar.remove());
      bar.append(close);
      // Good news goes by itself; what was refused stays until a person has read it.
      if (!text.includes('Not saved')) goes = setTimeout(() => bar.remove(), GONE_MS);
    } else if (kept.length) {
      const undo = document.createElement('button');
      undo.type = 'button';
      undo.id = 'undo-kept';
      undo.textContent = 'Undo the last';
      undo.addEventListener('click', () => { const now = read(); const last = now.pop(); write(now); const html = last && pages.get(last.card); if (html) window.punchlens.show(last.card, html); });
      bar.append(undo);
    }
  }

  /// Keeps a decision that could not be sent, and shows the next card if it is here. Anything else than a
  /// decision about one card is not kept.
  function keep(url, fields) {
    if (!/^\/review\/findings\/\w+\/(accept|reject)$/.test(new URL(url, location.href).pathname)) return false;
    const title = fields.get('title') || document.querySelector('h2.title')?.textContent || 'A card';
    const next = document.querySelector('#skip')?.getAttribute('href');
    const here = path(location.href);
    pages.set(here, document.documentElement.outerHTML);
    fields.delete('csrf');
    write([...read(), { url: path(url), fields: fields.toString(), title, card: here, at: Date.now() }]);
    const html = next && pages.get(path(next));
    if (html) window.punchlens.show(path(next), html);
    else tell(`No connection to the box, and the next card is not on this device. ${read().length} kept; they are sent when it answers.`);
    return true;
  }

  let sending = false;
  async function send() {
    if (sending || !read().length) return;
    sending = true;
    const lost = [];
    let taken = 0;
    try {
      for (let kept = read(); kept.length; kept = read()) {
        const [first] = kept;
        const body = new URLSearchParams(first.fields);
        body.set('csrf', await token());
        // A decision that was taken answers with the way to the next card.
        const response = await fetch(first.url, { method: 'POST', body, credentials: 'same-origin', redirect: 'manual' });
        if (response.status === 401) throw new Error('sign in');
        if (response.status >= 500) throw new Error('later');
        if (response.type === 'opaqueredirect') taken += 1; else lost.push(first.title);
        // Read anew: more may have been kept, or taken back, while this one was on its way.
        localStorage.setItem(STORE, JSON.stringify(read().filter(({ at }) => at !== first.at)));
      }
    } catch (error) {
      if (error.message === 'sign in') { tell('Your session has ended. Sign in again: the decisions kept on this device are sent then.'); return; }
    } finally { sending = false; }
    if (!read().length) {
      localStorage.removeItem(STORE);
      const done = taken === 1 ? '1 kept decision was sent.' : `${taken} kept decisions were sent.`;
      tell(lost.length ? `${taken ? `${done} ` : ''}Not saved (already decided, or a field is invalid): ${lost.join('; ')}.` : done);
      window.punchlens.refresh();
    } else if (taken || lost.length) tell();
  }

  // The token of the session as it is now: the one on a kept page may be of an earlier session.
  async function token() {
    const response = await fetch('/review', { credentials: 'same-origin' });
    if (response.status === 401) throw new Error('sign in');
    const page = new DOMParser().parseFromString(await response.text(), 'text/html');
    return page.querySelector('input[name=csrf]')?.value ?? csrf();
  }

  function view() {
    tell();
    if (document.querySelector('#view')?.dataset.page === 'sign-in') { pages.clear(); return; }
    send();
    ahead(document, AHEAD);
  }

  document.addEventListener('submit', (event) => { if (event.target.action?.endsWith('/sign-out')) { pages.clear(); localStorage.removeItem(STORE); } }, true);
  addEventListener('online', send);
  setInterval(() => { if (!document.hidden) send(); }, AGAIN_MS);
  document.addEventListener('punchlens:view', view);
  window.punchlensKeep = { keep, kept: (url) => pages.get(path(url)) };
  view();
})();
