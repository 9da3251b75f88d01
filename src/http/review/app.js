// Makes the review page quick: no page load between cards, keys, zoom, swipes, live updates.
// Everything else works without it, by links and plain forms; the server draws every state.
'use strict';
(() => {
  const $ = (selector, from = document) => from.querySelector(selector);
  const view = () => $('#view');
  const noMotion = matchMedia('(prefers-reduced-motion: reduce)');
  let busy = false;

  // --- A new card takes no decision at first -----------------------------------------------------

  // A glove bounces: the second touch, 80 to 500 ms after the first, must not decide about a card that nobody has seen.
  const UNSEEN_MS = 400, BOUNCE_MS = 600;
  let decidedAt = -BOUNCE_MS, fresh;
  const isFresh = () => document.body.classList.contains('fresh');
  const decides = (url) => /\/(accept|reject|batch)$/.test(new URL(url, location.href).pathname);

  function freshen() {
    clearTimeout(fresh);
    const wait = Math.max(UNSEEN_MS, decidedAt + BOUNCE_MS - performance.now());
    document.body.classList.add('fresh');
    fresh = setTimeout(() => document.body.classList.remove('fresh'), wait);
  }

  // --- Moving between pages ---------------------------------------------------------------------

  function announce(text) {
    const place = $('#announcer');
    place.textContent = '';
    requestAnimationFrame(() => { place.textContent = text; });
  }

  function alarm(text) {
    $('.toast.alarm')?.remove();
    const toast = document.createElement('div');
    toast.className = 'toast alarm';
    toast.setAttribute('role', 'alert');
    const line = document.createElement('p');
    line.textContent = text;
    toast.append(line);
    $('#main').before(toast);
    scrollTo(0, 0);
  }

  async function fetchPage(url, options) {
    const response = await fetch(url, { credentials: 'same-origin', ...options });
    const page = new DOMParser().parseFromString(await response.text(), 'text/html');
    return { page, url: response.url, status: response.status };
  }

  function show({ page, url }, remember) {
    document.title = page.title;
    const fresh = document.adoptNode(page.getElementById('view'));
    keepTicks(view(), fresh, true);
    view().replaceWith(fresh);
    if (remember) history.pushState(null, '', url);
    scrollTo(0, 0);
    $('#main')?.focus({ preventScroll: true });
    const done = $('[data-announce]')?.textContent.trim();
    announce([done, document.title.replace(/ · Punchlens$/, '')].filter(Boolean).join('. '));
    enhance();
    document.dispatchEvent(new Event('punchlens:view'));
  }

  async function go(url, options = {}, remember = true) {
    if (busy) return;
    busy = true;
    document.body.classList.add('busy');
    try {
      const next = await fetchPage(url, options);
      if (!next.page.getElementById('view')) throw new Error('no page of ours');
      show(next, remember);
    } catch {
      if (options.method && window.punchlensKeep?.keep(url, options.body)) return;
      const kept = !options.method && window.punchlensKeep?.kept(url);
      if (kept) { showKept(url, kept); return; }
      alarm(options.method ? 'No answer from the box. Check the card before you try again.' : 'No connection to the box. Try again.');
    } finally {
      busy = false;
      document.body.classList.remove('busy');
    }
  }

  // A page that was fetched ahead, while the box does not answer.
  function showKept(url, html) {
    show({ page: new DOMParser().parseFromString(html, 'text/html'), url: new URL(url, location.href).href }, true);
  }

  document.addEventListener('click', (event) => {
    const link = event.target.closest('a[data-swap]');
    if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(link.href);
  });

  document.addEventListener('submit', (event) => {
    const form = event.target;
    if (!form.matches('[data-swap]')) return;
    event.preventDefault();
    const action = event.submitter?.hasAttribute('formaction') ? event.submitter.formAction : form.action;
    if (decides(action)) {
      if (isFresh()) return;
      decidedAt = performance.now();
    }
    restoreAll();
    const fields = new URLSearchParams(new FormData(form, event.submitter ?? undefined));
    if (form.method === 'post' && form.matches('[data-batch]') && !fields.has('id')) { alarm('Nothing selected.'); return; }
    if (form.method === 'post') go(action, { method: 'POST', body: fields });
    else go(`${action.split('?')[0]}?${new URLSearchParams([...fields].filter(([, value]) => value))}`);
  });

  addEventListener('popstate', () => go(location.href, {}, false));

  // --- Live updates -----------------------------------------------------------------------------

  async function refresh(url = withoutDone(), replaceAddress = false) {
    if (busy) return;
    const asked = location.href;
    let fresh;
    try { fresh = await fetchPage(url); } catch { return; }
    // Who went on meanwhile has a newer page than this one.
    if (busy || fresh.status !== 200 || location.href !== asked) return;
    if ($('#decide') && !$('#decide', fresh.page)) { show(fresh, false); return; }
    if (replaceAddress) history.replaceState(null, '', url);
    for (const old of document.querySelectorAll('[data-live]')) {
      const now = fresh.page.getElementById(old.id);
      if (!now || now.outerHTML === old.outerHTML) continue;
      const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute('href') : null;
      keepTicks(old, now, false);
      old.replaceWith(document.adoptNode(now));
      if (focused) $(`#${CSS.escape(now.id)} [href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    }
  }

  // What a person unticked stays so, and what comes meanwhile by itself is not ticked for them.
  function keepTicks(old, now, others) {
    const ticks = new Map([...old.querySelectorAll('input[name=id]')].map((tick) => [tick.value, tick.checked]));
    if (!ticks.size) return;
    for (const tick of now.querySelectorAll('input[name=id]')) tick.checked = ticks.get(tick.value) ?? others;
    for (const form of now.querySelectorAll('[data-batch]')) {
      const ticked = now.querySelectorAll(`input[name=id][form="${form.id}"]:checked`).length;
      for (const number of form.querySelectorAll('[data-ticked]')) number.textContent = ticked;
    }
  }

  function withoutDone() {
    const url = new URL(location.href);
    url.searchParams.delete('done');
    return url.href;
  }

  // Nothing moves under a finger: while reasons are open or a photo is dragged, what changed waits.
  let stale = false, later;
  function changed() {
    clearTimeout(later);
    if ($('details.reject[open]') || drag.id !== null) { later = setTimeout(changed, 1000); return; }
    stale = document.hidden;
    if (!stale) refresh();
  }

  function listen() {
    if (view().dataset.page === 'sign-in') return;
    new EventSource('/review/events').addEventListener('changed', changed);
    document.addEventListener('visibilitychange', () => { if (stale && !document.hidden) changed(); });
  }

  // --- Lists: narrowing as one types --------------------------------------------------------------

  let typing;
  document.addEventListener('input', (event) => {
    const form = event.target.closest('form.narrow');
    if (!form) return;
    clearTimeout(typing);
    typing = setTimeout(() => {
      const fields = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
      refresh(`/review${fields.size ? `?${fields}` : ''}`, true);
    }, event.target.matches('select') ? 0 : 250);
  });

  // --- Cards: fields ------------------------------------------------------------------------------

  document.addEventListener('input', (event) => {
    const field = event.target.closest('#decide .field');
    if (!field) return;
    if (event.target.type === 'date') event.target.setAttribute('value', event.target.value);
    mark(field);
  });

  function mark(field) {
    const different = [...field.querySelectorAll('input, textarea')].some((input) =>
      input.type === 'radio' ? input.checked !== input.defaultChecked
        : input.type === 'date' ? input.value !== input.dataset.first
          : (input.value || input.dataset.kept || '') !== input.defaultValue);
    field.classList.toggle('changed', different);
  }

  // A list of suggestions shows only what fits the text; an emptied field shows all of it, and gets its
  // text back when it is left empty.
  document.addEventListener('focusin', ({ target }) => {
    if (!target.matches?.('#decide [data-chooses]')) return;
    target.dataset.kept = target.value;
    if (target.value) target.placeholder = target.value;
    target.value = '';
  });
  document.addEventListener('focusout', ({ target }) => restore(target));

  function restore(input) {
    if (input.dataset?.kept === undefined) return;
    if (!input.value.trim()) input.value = input.dataset.kept;
    delete input.dataset.kept;
    input.scrollLeft = input.scrollWidth;
    mark(input.closest('.field'));
  }

  function restoreAll() {
    document.querySelectorAll('#decide [data-chooses]').forEach(restore);
  }

  document.addEventListener('click', ({ target }) => {
    const button = target.closest('[data-fill]');
    if (!button) return;
    const input = document.getElementById(button.dataset.fill);
    input.value = button.value;
    if (input.type === 'date') input.setAttribute('value', button.value);
    mark(input.closest('.field'));
  });

  function grow() {
    if (CSS.supports('field-sizing', 'content')) return;
    for (const area of document.querySelectorAll('#decide textarea')) {
      area.style.height = 'auto';
      area.style.height = `${area.scrollHeight + 2}px`;
    }
  }
  document.addEventListener('input', ({ target }) => { if (target.matches('textarea')) grow(); });

  // --- Cards: zoom and swipe ------------------------------------------------------------------------

  const zoom = { scale: 1, x: 0, y: 0 };

  function draw(smooth) {
    const frame = $('.frame');
    if (!frame) return;
    frame.style.transition = smooth && !noMotion.matches ? 'transform .18s ease-out' : 'none';
    frame.style.transform = zoom.scale === 1 && !zoom.x ? '' : `translate(${zoom.x}px, ${zoom.y}px) scale(${zoom.scale})`;
    document.body.classList.toggle('zoomed', zoom.scale > 1);
  }

  function unzoom() {
    Object.assign(zoom, { scale: 1, x: 0, y: 0 });
    draw(true);
  }

  // Puts the point (x, y) of the unzoomed frame, in its own pixels, into the middle.
  function centre(x, y, scale) {
    const well = $('.photo'), frame = $('.frame');
    zoom.scale = scale;
    zoom.x = well.clientWidth / 2 - frame.offsetLeft + well.offsetLeft - x * scale;
    zoom.y = well.clientHeight / 2 - frame.offsetTop + well.offsetTop - y * scale;
    draw(true);
  }

  function zoomTo(box) {
    const [x, y, width, height] = box.split(' ').map(Number);
    const well = $('.photo'), frame = $('.frame');
    const unit = frame.offsetWidth / $('.frame .outlines').viewBox.baseVal.width;
    const scale = Math.min(well.clientWidth / (width * unit), well.clientHeight / (height * unit), 8);
    centre((x + width / 2) * unit, (y + height / 2) * unit, Math.max(scale, 1.25));
  }

  function toggleZoom() {
    if (zoom.scale > 1) unzoom();
    else if ($('#photo')) zoomTo($('#photo').dataset.zoom);
  }

  const drag = { id: null, x: 0, y: 0, moved: false };
  const EDGE = 24, START = 10;
  // A swipe is nearer to the horizontal than 1 in 2 (27°), from its first pixels to its last.
  const level = (dx, dy) => Math.abs(dx) >= 2 * Math.abs(dy);

  document.addEventListener('click', (event) => {
    const link = event.target.closest('a[data-zoom]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (drag.moved) { drag.moved = false; return; }
    if (zoom.scale > 1) { unzoom(); return; }
    if (link.id !== 'photo' || !event.detail) { zoomTo(link.dataset.zoom); return; }
    const at = $('.frame').getBoundingClientRect();
    centre(event.clientX - at.left, event.clientY - at.top, 3);
  });

  document.addEventListener('pointerdown', (event) => {
    drag.moved = false;
    if (!event.isPrimary || event.button || !event.target.closest('.photo')) return;
    if (zoom.scale === 1 && (event.pointerType === 'mouse' || !$('#accept'))) return;
    if (event.clientX < EDGE || event.clientX > innerWidth - EDGE) return;
    Object.assign(drag, { id: event.pointerId, x: event.clientX, y: event.clientY, fromX: zoom.x, fromY: zoom.y });
  });

  document.addEventListener('pointermove', (event) => {
    if (event.pointerId !== drag.id) return;
    const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
    if (!drag.moved && Math.hypot(dx, dy) < START) return;
    const begins = !drag.moved;
    drag.moved = true;
    if (zoom.scale === 1 && begins && !level(dx, dy)) { drag.id = null; return; }
    zoom.x = drag.fromX + dx;
    zoom.y = zoom.scale > 1 ? drag.fromY + dy : 0;
    draw(false);
    if (zoom.scale === 1) verdict(dx, dy);
  });

  function far(dx) {
    return Math.abs(dx) > innerWidth * 0.33;
  }

  // Says what letting go here does.
  function verdict(dx, dy) {
    let badge = $('.verdict');
    if (Math.abs(dx) < START || !level(dx, dy)) { badge?.remove(); return; }
    if (!badge) {
      badge = document.createElement('p');
      badge.className = 'verdict';
      $('.shot').append(badge);
    }
    const word = dx > 0 ? 'accept' : 'reject';
    badge.textContent = far(dx) ? `Release to ${word}` : `Drag further to ${word}`;
    badge.classList.toggle('far', far(dx));
  }

  function drop(event) {
    if (event.pointerId !== drag.id) return;
    drag.id = null;
    if (zoom.scale > 1) return;
    const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
    $('.verdict')?.remove();
    zoom.x = 0;
    draw(true);
    if (event.type !== 'pointerup' || !drag.moved || !far(dx) || !level(dx, dy)) return;
    if (dx > 0) $('#accept')?.click();
    else openReasons();
  }
  document.addEventListener('pointerup', drop);
  document.addEventListener('pointercancel', drop);

  // --- Cards: the score map --------------------------------------------------------------------------

  // Stays on from card to card until it is switched off; a card without one has no switch.
  let mapped = false;

  function drawMap() {
    const button = $('#map-switch');
    if (!button) return;
    const image = $('#map');
    if (mapped) image.setAttribute('href', image.dataset.href);
    $('#shot').classList.toggle('mapped', mapped);
    button.setAttribute('aria-pressed', String(mapped));
  }

  document.addEventListener('click', (event) => {
    if (!event.target.closest('#map-switch')) return;
    event.preventDefault();
    mapped = !mapped;
    drawMap();
    if (mapped) announce($('#map-legend').textContent);
  });

  // --- Keys -----------------------------------------------------------------------------------------

  const OPEN = 'details.reject[open], details.menu[open], details.filters[open]';

  function openReasons() {
    const reject = $('#reject');
    if (!reject) return;
    reject.open = true;
    $('.reason', reject).focus();
  }

  function close() {
    if (zoom.scale > 1) { unzoom(); return; }
    const open = [...document.querySelectorAll(OPEN)];
    open.forEach((details) => { details.open = false; $('summary', details).focus(); });
  }

  const click = (selector) => () => $(selector)?.click();
  const KEYS = {
    a: click('#accept'),
    r: () => ($('#reject')?.open ? close() : openReasons()),
    s: click('#skip'),
    ArrowRight: () => (view().dataset.page === 'list' ? $('#start a')?.click() : $('#skip')?.click()),
    ArrowLeft: click('#before'),
    u: () => ($('#undo') ?? $('#undo-here'))?.click(),
    e: () => { const title = $('#title'); title?.focus(); title?.setSelectionRange(title.value.length, title.value.length); },
    z: toggleZoom,
    o: () => document.body.classList.toggle('bare'),
    m: click('#map-switch'),
    '?': () => { $('.menu').open = true; $('.menu summary').focus(); },
    Escape: close,
  };

  const keysOff = () => localStorage.getItem('keys') === 'off';

  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const typing = event.target.matches('input:not([type=radio]), textarea, select');
    if (typing) {
      const leaves = event.key === 'Escape' || (event.key === 'Enter' && event.target.closest('#decide') && !event.target.matches('#description'));
      if (leaves) { event.preventDefault(); event.target.blur(); }
      return;
    }
    if (event.target.matches('input[type=radio]') && event.key.startsWith('Arrow')) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (keysOff() && key !== 'Escape') return;
    const number = Number(key);
    const act = number >= 1 && $('#reject')?.open ? () => document.querySelectorAll('.reason')[number - 1]?.click() : KEYS[key];
    if (!act || event.repeat || busy) return;
    event.preventDefault();
    act();
  });

  document.addEventListener('click', (event) => {
    for (const details of document.querySelectorAll(OPEN)) {
      if (!details.contains(event.target)) details.open = false;
    }
    if (event.target.closest('#keys-switch')) {
      localStorage.setItem('keys', keysOff() ? 'on' : 'off');
      showKeysSwitch();
    }
  });

  function showKeysSwitch() {
    const button = $('#keys-switch');
    if (!button) return;
    button.hidden = false;
    button.setAttribute('aria-pressed', String(!keysOff()));
    button.textContent = keysOff() ? 'Single keys are off' : 'Single keys are on';
  }

  // --- Groups, filters, paper -------------------------------------------------------------------------

  document.addEventListener('change', ({ target }) => {
    const form = target.form;
    if (form?.matches('[data-batch]')) {
      const ticked = [...form.elements].filter((input) => input.name === 'id' && input.checked).length;
      for (const number of form.querySelectorAll('[data-ticked]')) number.textContent = ticked;
    }
    if (form?.matches('[data-auto]')) form.requestSubmit();
  });
  document.addEventListener('click', ({ target }) => { if (target.closest('[data-print]')) print(); });

  // --- Every new view ---------------------------------------------------------------------------------

  function enhance() {
    Object.assign(zoom, { scale: 1, x: 0, y: 0 });
    drag.id = null;
    document.body.classList.remove('zoomed');
    document.body.classList.add('scripted');
    if ($('#decide')) freshen();
    // Of a long path the end tells most.
    const place = $('#location');
    if (place) place.scrollLeft = place.scrollWidth;
    for (const date of document.querySelectorAll('#decide [type=date]')) date.dataset.first = date.value;
    for (const button of document.querySelectorAll('[data-print]')) button.hidden = false;
    mapped ||= Boolean($('.mapped'));
    drawMap();
    showKeysSwitch();
    grow();
  }

  window.punchlens = { show: showKept, refresh: () => refresh() };
  enhance();
  listen();
})();
