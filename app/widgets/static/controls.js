// Small things that the page and its widgets use.
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

  // label: an element with a slider, whose filled part is drawn by the style sheet, and maybe an output
  sair.setSlider = (label, value, text) => {
    const slider = label.querySelector("input");
    slider.value = value;
    slider.style.setProperty("--at", `${(100 * (value - slider.min)) / (slider.max - slider.min)}%`);
    const output = label.querySelector("output");
    if (output) output.textContent = text;
  };

  sair.setPressed = (root, name, on) => {
    root.querySelector(`[data-act=${name}]`).setAttribute("aria-pressed", String(on));
  };

  // Puts divider and captions where the photo lies.
  // widget: has root, stage, view and divider, its place as a share of the photo's visible part
  sair.placeDivider = ({ root, stage, view, divider }) => {
    const { left, right, top, bottom } = view.frame();
    const at = left + divider * (right - left);
    const handle = Math.max(24, Math.min(stage.clientWidth - 24, at)) - at; // never half outside
    const places = {
      divider: at, handle, "photo-left": left, "photo-top": top,
      "photo-right": stage.clientWidth - right, "photo-bottom": stage.clientHeight - bottom,
    };
    for (const [name, value] of Object.entries(places)) stage.style.setProperty(`--${name}`, `${value}px`);
    stage.dataset.side = divider < 0.12 ? "after" : divider > 0.88 ? "before" : "both";
    root.querySelector(".divider").setAttribute("aria-valuenow", Math.round(divider * 100));
  };

  sair.moveDivider = (widget, share) => {
    widget.divider = Math.max(0, Math.min(1, share));
    if (widget.timeline) sair.placeDivider(widget);
  };

  // The widget whose tab is open.
  sair.front = () => [sair.editor, sair.zoom, sair.meaning].find((widget) => widget?.visible);

  // name: "edit", "zoom" or "semantics"
  sair.openTab = (name) => {
    document.getElementById(`tab-${name}-button`).click();
    if (name === "edit") requestAnimationFrame(() => sair.editor.stage.focus({ preventScroll: true }));
  };

  // A click on a Gradio button is the one way in, for the mouse, the keyboard and a screen reader alike.
  sair.pressMain = () => {
    const widget = sair.front();
    if (widget && !widget.busy) document.querySelector(widget.main)?.click();
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
