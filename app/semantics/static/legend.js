// The labels below the map: colour, name and share of each; a click makes one the mask.
(() => {
  "use strict";
  const sair = window.sair;

  function percent(share) {
    if (!share) return "0 %";
    return share < 0.01 ? "< 1 %" : `${Math.round(100 * share)} %`;
  }

  function entry(meaning, { label, colour, share }, index) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "label", disabled: !share });
    button.title = share ? `Make “${label}” the mask; with Shift, add it to the mask` : `No ${label} in this photo`;
    const swatch = document.createElement("i");
    swatch.style.background = colour;
    const name = Object.assign(document.createElement("span"), { textContent: label });
    const part = Object.assign(document.createElement("small"), { textContent: percent(share) });
    button.append(swatch, name, part);
    button.addEventListener("click", (event) => meaning.choose({ label: index }, event.shiftKey));
    for (const name of ["pointerenter", "focus"]) button.addEventListener(name, () => meaning.standOut(index));
    for (const name of ["pointerleave", "blur"]) button.addEventListener(name, () => meaning.standOut(null));
    return button;
  }

  // Largest first; labels that are nowhere come last.
  sair.drawLegend = (meaning) => {
    const entries = (meaning.map?.legend ?? []).map((one, index) => [one.share, entry(meaning, one, index)]);
    entries.sort((a, b) => b[0] - a[0]);
    meaning.root.querySelector(".legend .entries").replaceChildren(...entries.map(([, button]) => button));
  };

  sair.percent = percent;
})();
