"use strict";
// A phrase is the same data-p in the sentence, among the boxes and in the matrix of its caption data-c.
for (const article of document.querySelectorAll("article")) {
  const light = (target) => {
    const part = target && target.closest("[data-p]");
    const owner = part && part.closest("[data-c]");
    const phrase = owner && !owner.matches(".sentence:not(.chosen)") ? part.dataset.p : null;
    article.classList.toggle("lit", phrase !== null);
    for (const e of article.querySelectorAll("[data-p]")) {
      e.classList.toggle("on", e.dataset.p === phrase && e.closest("[data-c]").dataset.c === owner.dataset.c);
    }
    const cell = target && target.closest("td, th");
    const head = cell && cell.closest("table").tHead.rows[0].cells[cell.cellIndex];
    for (const e of article.querySelectorAll("[data-r]")) {
      e.classList.toggle("on", Boolean(head) && e.dataset.r === head.dataset.r && (e === head || e.matches("rect")));
    }
  };
  const choose = (caption) => {
    for (const e of article.querySelectorAll("[data-c]")) {
      const chosen = e.dataset.c === caption;
      if (!e.matches(".sentence")) e.toggleAttribute("hidden", !chosen);
      else {
        e.classList.toggle("chosen", chosen);
        e.querySelector("input").checked = chosen;
      }
    }
  };
  article.addEventListener("click", ({ target }) => {
    const button = target.closest(".kinds button");
    if (!button) return;
    for (const e of article.querySelectorAll(".kinds button")) e.setAttribute("aria-pressed", e.dataset.s === button.dataset.s);
    for (const e of article.querySelectorAll("tbody[data-s]")) e.toggleAttribute("hidden", e.dataset.s !== button.dataset.s);
  });
  const sentence = (event) => event.target.closest(".sentence");
  article.addEventListener("click", (event) => sentence(event) && choose(sentence(event).dataset.c));
  article.addEventListener("focusin", (event) => {
    if (sentence(event)) choose(sentence(event).dataset.c);
    light(event.target);
  });
  article.addEventListener("focusout", () => light(null));
  article.addEventListener("mouseover", (event) => light(event.target));
  article.addEventListener("mouseleave", () => light(article.contains(document.activeElement) ? document.activeElement : null));
}
