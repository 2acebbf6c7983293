/**
 * What belongs together lights up together: inside one [data-links], everything with the same data-p (a phrase) or the same
 * data-r (a region). Pointing lights, the focus lights, a click keeps it lit until the next one or Escape.
 */
interface Parts { scope: HTMLElement | null; p?: string; r?: string }

function light(scope: HTMLElement, p?: string, r?: string): void {
  scope.toggleAttribute("data-lit", p != null);
  for (const e of scope.querySelectorAll<HTMLElement>("[data-p]")) e.toggleAttribute("data-on", p != null && e.dataset.p === p);
  for (const e of scope.querySelectorAll<HTMLElement>("[data-r]")) e.toggleAttribute("data-on", r != null && e.dataset.r === r && !e.matches("td"));
}

function parts(target: EventTarget | null): Parts {
  if (!(target instanceof Element)) return { scope: null };
  const of = (name: string) => target.closest<HTMLElement>(`[data-${name}]`)?.dataset[name];
  return { scope: target.closest<HTMLElement>("[data-links]"), p: of("p"), r: of("r") };
}

function settle(scope: HTMLElement): void {
  const focus = document.activeElement;
  const focused = focus && scope.contains(focus) && focus.matches(":focus-visible") ? parts(focus) : undefined;
  light(scope, focused?.p ?? scope.dataset.kept, focused?.r);
}

export function listen(): void {
  let last: HTMLElement | null = null;
  document.addEventListener("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    const { scope, p, r } = parts(event.target);
    if (last && last !== scope) settle(last);
    last = scope;
    if (!scope) return;
    if (p == null && r == null) settle(scope);
    else light(scope, p ?? scope.dataset.kept, r);
  });
  document.addEventListener("pointerleave", () => {
    if (last) settle(last);
    last = null;
  });
  document.addEventListener("focusin", ({ target }) => {
    const { scope } = parts(target);
    if (scope) settle(scope);
  });
  document.addEventListener("focusout", ({ target }) => {
    const { scope } = parts(target);
    if (scope) requestAnimationFrame(() => settle(scope));
  });
  document.addEventListener("click", ({ target }) => {
    const { scope, p } = parts(target);
    if (!scope || !(target instanceof Element) || target.closest("button, a, input, label, summary, [data-nokeep]")) return;
    keep(scope, p);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") for (const scope of document.querySelectorAll<HTMLElement>("[data-kept]")) keep(scope);
    const { target } = event;
    if ((event.key !== "Enter" && event.key !== " ") || !(target instanceof Element) || !target.matches(".ph[data-p]")) return;
    event.preventDefault();
    const { scope, p } = parts(target);
    if (scope) keep(scope, p);
  });
}

/** Keep a phrase lit, or none. */
function keep(scope: HTMLElement, p?: string): void {
  if (p == null || scope.dataset.kept === p) delete scope.dataset.kept;
  else scope.dataset.kept = p;
  settle(scope);
}

/** Light a region from a script, for keys that step through regions. */
export function point(from: Element, r?: string): void {
  const scope = from.closest<HTMLElement>("[data-links]");
  if (scope) light(scope, scope.dataset.kept, r);
}
