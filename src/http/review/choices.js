// A list to choose from that opens below its field: big rows for gloves, filtered by any words as one types.
// Without this script the browser's own suggestions do the same, smaller.
'use strict';
(() => {
  let open = null; // { input, list, at }
  const MOST = 60;

  const words = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);

  function enhance() {
    for (const input of document.querySelectorAll('#decide input[list], #decide [data-chooses]')) {
      const list = document.getElementById(`${input.id}-list`);
      input.options = [...(list?.options ?? [])].map((option) => option.value || option.label);
      input.removeAttribute('list');
      input.setAttribute('role', 'combobox');
      input.setAttribute('aria-autocomplete', 'list');
      input.setAttribute('aria-expanded', 'false');
      input.setAttribute('aria-controls', `${input.id}-box`);
      input.dataset.chooses = '';
    }
    open = null;
  }

  async function entries(input, typed) {
    if (!input.dataset.choices) {
      const wanted = words(typed);
      return input.options.filter((label) => wanted.every((word) => label.toLowerCase().includes(word)));
    }
    try {
      const response = await fetch(`${input.dataset.choices}?q=${encodeURIComponent(typed)}`);
      return response.ok ? await response.json() : [];
    } catch { return []; }
  }

  async function show(input, typed = '') {
    const labels = await entries(input, typed);
    if (document.activeElement !== input || (open?.input === input && input.value !== typed && typed)) return;
    close();
    const list = document.createElement('ul');
    list.id = `${input.id}-box`;
    list.className = 'box';
    list.setAttribute('role', 'listbox');
    list.setAttribute('aria-label', input.labels[0]?.textContent.trim() || input.name);
    labels.slice(0, MOST).forEach((label, index) => {
      const row = document.createElement('li');
      row.id = `${list.id}-${index}`;
      row.setAttribute('role', 'option');
      row.setAttribute('aria-selected', String(label === input.dataset.kept));
      row.textContent = label;
      list.append(row);
    });
    if (!labels.length) {
      const none = document.createElement('li');
      none.className = 'none';
      none.setAttribute('role', 'option');
      none.setAttribute('aria-disabled', 'true');
      none.textContent = 'No matches in Procore';
      list.append(none);
    }
    // A press must not move the focus: the list would close before the tap counts. Touch fires `mousedown` too, after it
    // has scrolled or not.
    list.addEventListener('mousedown', (event) => event.preventDefault());
    list.addEventListener('click', (event) => {
      const row = event.target.closest('[role=option]:not(.none)');
      if (row) choose(row);
    });
    input.closest('.field').append(list);
    input.setAttribute('aria-expanded', 'true');
    open = { input, list, at: -1 };
    const chosen = list.querySelector('[aria-selected=true]');
    if (chosen) list.scrollTop = chosen.offsetTop - list.clientHeight / 2;
    list.scrollIntoView({ block: 'nearest' });
  }

  function close() {
    if (!open) return;
    open.list.remove();
    open.input.setAttribute('aria-expanded', 'false');
    open.input.removeAttribute('aria-activedescendant');
    open = null;
  }

  function choose(row) {
    const { input } = open;
    input.value = row.textContent;
    close();
    input.dispatchEvent(new Event('input', { bubbles: true }));
    close();
    input.blur();
  }

  function move(by) {
    const rows = [...open.list.querySelectorAll('[role=option]:not(.none)')];
    if (!rows.length) return;
    rows[open.at]?.classList.remove('on');
    open.at = (open.at + by + rows.length) % rows.length;
    const row = rows[open.at];
    row.classList.add('on');
    row.scrollIntoView({ block: 'nearest' });
    open.input.setAttribute('aria-activedescendant', row.id);
  }

  document.addEventListener('focusin', ({ target }) => {
    if (target.matches?.('[data-chooses]')) show(target);
    else if (open && !open.list.contains(target)) close();
  });
  document.addEventListener('focusout', ({ target, relatedTarget }) => {
    if (open?.input === target && !open.list.contains(relatedTarget)) setTimeout(() => { if (open?.input === target && document.activeElement !== target) close(); }, 150);
  });
  document.addEventListener('input', ({ target, isTrusted }) => {
    if (isTrusted && target.matches?.('[data-chooses]')) show(target, target.value);
  });
  // Before the page's own keys: a choice that is open takes them.
  document.addEventListener('keydown', (event) => {
    if (!open || event.target !== open.input) return;
    const act = {
      ArrowDown: () => move(1),
      ArrowUp: () => move(-1),
      Escape: close,
      Enter: () => {
        const row = open.list.querySelector('.on') ?? (open.input.value ? open.list.querySelector('[role=option]:not(.none)') : null);
        if (row) choose(row); else { const { input } = open; close(); input.blur(); }
      },
    }[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    act();
  }, true);

  document.addEventListener('punchlens:view', enhance);
  enhance();
})();
