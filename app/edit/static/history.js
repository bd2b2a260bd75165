// The strip of results below the stage.
(() => {
  "use strict";
  const sair = window.sair;

  function card(editor, id, label, chosen) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "card";
    button.dataset.id = id;
    button.title = label;
    const picture = Object.assign(document.createElement("canvas"), { width: 144, height: 108 });
    editor.timeline.thumbnail(id, picture);
    const caption = Object.assign(document.createElement("span"), { textContent: label });
    button.append(picture, caption);
    button.setAttribute("aria-pressed", String(chosen));
    button.addEventListener("click", () => editor.select(id));
    return button;
  }

  // Cards are kept while their picture stays the same, so that nothing flickers.
  sair.drawHistory = (editor, results) => {
    const strip = editor.root.querySelector(".history .cards");
    const { shown, base } = editor.state;
    const ids = editor.timeline && results.length ? [sair.ORIGINAL, ...results.map((one) => one.id)] : [];
    const current = shown ?? base;
    if (editor.timeline && strip.dataset.timeline !== editor.timeline.id) {
      strip.replaceChildren();
      strip.dataset.timeline = editor.timeline.id;
    }
    for (const old of [...strip.children]) if (!ids.includes(old.dataset.id)) old.remove();
    ids.forEach((id, i) => {
      let entry = [...strip.children].find((one) => one.dataset.id === id);
      if (!entry) {
        entry = card(editor, id, id === sair.ORIGINAL ? "Original" : `Result ${id}`, id === current);
        strip.insertBefore(entry, strip.children[i] ?? null);
      }
      entry.setAttribute("aria-pressed", String(id === current));
      entry.disabled = editor.busy;
      if (id === current) strip.scrollTo({ left: entry.offsetLeft - 80, behavior: "smooth" });
    });
  };
})();
