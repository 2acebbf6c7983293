"use strict";
// What belongs together lights up together: inside one [data-links], everything with the same data-p (a phrase) or the
// same data-r (a region). Pointing lights, the focus lights, a click keeps it lit until the next one or Escape.
// Attributes, not classes: what is drawn anew from the server does not touch them.
(() => {
  const light = (scope, p, r) => {
    scope.toggleAttribute("data-lit", p != null);
    for (const e of scope.querySelectorAll("[data-p]")) e.toggleAttribute("data-on", p != null && e.dataset.p === p);
    for (const e of scope.querySelectorAll("[data-r]")) e.toggleAttribute("data-on", r != null && e.dataset.r === r && !e.matches("td"));
  };
  const parts = (target) => {
    const scope = target?.closest?.("[data-links]");
    return { scope, p: target?.closest?.("[data-p]")?.dataset.p, r: target?.closest?.("[data-r]")?.dataset.r };
  };
  const settle = (scope) => {
    const focused = scope.contains(document.activeElement) && document.activeElement.matches(":focus-visible") ? parts(document.activeElement) : {};
    light(scope, focused.p ?? scope.dataset.kept ?? null, focused.r ?? null);
  };
  let last = null;
  document.addEventListener("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    const { scope, p, r } = parts(event.target);
    if (last && last !== scope) settle(last);
    last = scope;
    if (scope) p == null && r == null ? settle(scope) : light(scope, p ?? scope.dataset.kept ?? null, r);
  });
  document.addEventListener("pointerleave", () => { if (last) settle(last); last = null; });
  document.addEventListener("focusin", ({ target }) => { const { scope } = parts(target); if (scope) settle(scope); });
  document.addEventListener("focusout", ({ target }) => { const { scope } = parts(target); if (scope) requestAnimationFrame(() => settle(scope)); });
  document.addEventListener("light", ({ target, detail }) => { const { scope } = parts(target); if (scope) light(scope, scope.dataset.kept ?? null, detail?.dataset.r); });
  const keep = (scope, p) => {
    if (p == null || scope.dataset.kept === p) delete scope.dataset.kept;
    else scope.dataset.kept = p;
  };
  document.addEventListener("click", ({ target }) => {
    const { scope, p } = parts(target);
    if (!scope || target.closest("button, a, input, label, [data-nokeep]")) return;
    keep(scope, p);
    light(scope, scope.dataset.kept ?? null, null);
  });

  // Keys: an element with data-key is clicked by that key while it can be seen and nothing is being typed.
  const typing = (e) => e.closest("input:not([type=range], [type=checkbox], [type=radio]), textarea, select, [contenteditable]");
  document.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (key === "Escape") {
      for (const scope of document.querySelectorAll("[data-kept]")) { delete scope.dataset.kept; settle(scope); }
    }
    if ((key === "Enter" || key === " ") && target.matches?.(".ph[data-p]")) {
      event.preventDefault();
      const { scope, p } = parts(target);
      if (scope) { keep(scope, p); settle(scope); }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || !target.closest || typing(target)) return;
    for (const e of document.querySelectorAll("[data-key], [data-key-focus]")) {
      if (e.offsetParent === null || e.disabled || ![e.dataset.key, e.dataset.keyFocus].includes(key)) continue;
      event.preventDefault();
      e.dataset.key ? e.click() : (e.focus(), e.select?.());
      return;
    }
  });

  // Tabs: arrow keys go from one to the next, as in every list of tabs; the address says which one is open.
  document.addEventListener("keydown", (event) => {
    const tab = event.target.closest?.("[role=tab]");
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!tab || !step) return;
    event.preventDefault();
    const tabs = [...tab.closest("[role=tablist]").querySelectorAll("[role=tab]")];
    const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    next.focus();
    next.click();
  });
  const place = (name) => `${window.path_prefix ?? ""}/${name === "ground" ? "" : name}`;
  window.phrasebox = {
    opened(name) {
      if (location.pathname !== place(name)) {
        history.pushState(null, "", place(name));
        window.scrollTo(0, 0);
      }
      document.title = `${document.querySelector(`[data-tab="${name}"]`)?.textContent ?? ""} · phrasebox`;
    },
  };
  window.addEventListener("popstate", () => {
    for (const tab of document.querySelectorAll("[role=tab]")) if (location.pathname === place(tab.dataset.tab)) tab.click();
  });

  // Light, dark, or what the system prefers: kept in this browser, and there before anything is drawn.
  const themes = ["auto", "light", "dark"];
  let theme = "auto";
  const paint = () => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    const names = { auto: "as the system", light: "light", dark: "dark" };
    for (const e of document.querySelectorAll("[data-theme-toggle]")) e.title = `Theme: ${names[theme]}`;
  };
  try { theme = themes.find((t) => t === localStorage.getItem("phrasebox-theme")) ?? "auto"; } catch { /* storage is refused */ }
  paint();
  document.addEventListener("click", ({ target }) => {
    const toggle = target.closest("[data-theme-toggle]");
    if (!toggle) return;
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    try { localStorage.setItem("phrasebox-theme", theme); } catch { /* then until the page is left */ }
    paint();
    toggle.setAttribute("aria-label", toggle.title);
  });
})();
