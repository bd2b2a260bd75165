// Small things that the page and both widgets use.
(() => {
  "use strict";
  const sair = (window.sair = window.sair || {});

  // root: a widget's element with a status line and a bar; level: info, good, busy, warn or error
  sair.setStatus = (root, level, text) => {
    const line = root.querySelector(".status");
    line.dataset.level = level;
    line.querySelector(".text").textContent = text;
  };

  sair.setProgress = (root, share) => {
    root.querySelector(".bar i").style.width = `${Math.round(100 * share)}%`;
  };

  // label: an element with a slider and an output, whose filled part is drawn by the style sheet
  sair.setSlider = (label, value, text) => {
    const slider = label.querySelector("input");
    slider.value = value;
    slider.style.setProperty("--at", `${(100 * (value - slider.min)) / (slider.max - slider.min)}%`);
    label.querySelector("output").textContent = text;
  };

  sair.setPressed = (root, name, on) => {
    root.querySelector(`[data-act=${name}]`).setAttribute("aria-pressed", String(on));
  };

  // name: "edit" or "semantics"
  sair.openTab = (name) => {
    document.getElementById(`tab-${name}-button`).click();
    if (name === "edit") requestAnimationFrame(() => sair.editor.stage.focus({ preventScroll: true }));
  };

  // A click on a Gradio button is the one way in, for the mouse, the keyboard and a screen reader alike.
  sair.pressMain = () => {
    const editing = sair.editor.visible;
    const button = document.querySelector(editing ? "#fill-button" : "#map-button");
    if (button && !(editing ? sair.editor : sair.meaning).busy) button.click();
  };

  sair.toggleHelp = () => {
    const dialog = document.querySelector("dialog.sair-help");
    if (dialog.open) dialog.close();
    else dialog.showModal();
  };

  sair.toggleTheme = () => {
    document.body.classList.toggle("dark");
  };
})();
