// The page's head: help, and light or dark.

import { closest, find } from "./dom.js";

export function toggleHelp() {
  const dialog = find(document, "dialog.sair-help", HTMLDialogElement);
  if (dialog.open) dialog.close();
  else dialog.showModal();
}

function toggleTheme() {
  document.body.classList.toggle("dark");
}

/** Listen to the head's buttons, wherever Gradio has put them by then. */
export function bindHead() {
  document.addEventListener("click", (event) => {
    const action = closest(event, "[data-sair-page]")?.dataset.sairPage;
    if (action === "theme") toggleTheme();
    const besideHelp = event.target instanceof Element && event.target.matches("dialog.sair-help");
    if (action === "help" || action === "close-help" || besideHelp) toggleHelp();
  });
}
