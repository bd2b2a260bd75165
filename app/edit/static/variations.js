// Several fills of one hole to choose from. They take the history's place until one is taken.
(() => {
  "use strict";
  const sair = window.sair;
  const WIDTH = 144; // of a card's picture, as in the history
  const HEIGHT = 108;
  const AROUND = 0.15; // of the hole's size, shown on each side of it
  let made = 0;

  // The part of a photo of `size` that a card shows: all patches and a little around them, in the card's proportions.
  function focus(patches, scale, size) {
    const left = Math.min(...patches.map((one) => one.x)) * scale;
    const top = Math.min(...patches.map((one) => one.y)) * scale;
    const right = Math.max(...patches.map((one) => one.x + one.width)) * scale;
    const bottom = Math.max(...patches.map((one) => one.y + one.height)) * scale;
    const unit = (1 + 2 * AROUND) * Math.max((right - left) / WIDTH, (bottom - top) / HEIGHT);
    const [width, height] = [unit * WIDTH, unit * HEIGHT];
    const within = (middle, part, whole) => (part > whole ? (whole - part) / 2 : Math.max(0, Math.min(whole - part, middle - part / 2)));
    return [within((left + right) / 2, width, size[0]), within((top + bottom) / 2, height, size[1]), width, height];
  }

  class Variations {
    constructor(editor) {
      this.editor = editor;
      this.root = editor.root.querySelector(".variations");
      this.again = editor.root.querySelector(".history .again");
      this.list = []; // { id, seed }, ids of the timeline
      this.open = false; // instead of the history
      this.seen = null; // id of the one that is pointed at
      this.root.querySelector(".back").addEventListener("click", () => this.toggle(false));
      this.again.addEventListener("click", () => this.toggle(true));
      for (const name of ["pointerdown", "pointermove"]) editor.stage.addEventListener(name, () => this.look(null));
    }

    // fills: [{ seed, patches }], made of the photo or result `base`
    show(base, fills) {
      const { timeline } = this.editor;
      this.clear();
      const box = focus(fills[0].patches, timeline.scale, [timeline.photo.width, timeline.photo.height]);
      this.list = fills.map(({ seed, patches }) => {
        const id = `try ${(made += 1)}`;
        timeline.add({ id, base, patches, live: false });
        return { id, seed };
      });
      this.root.querySelector(".cards").replaceChildren(...this.list.map((one) => this.card(one, box)));
      this.toggle(true);
      this.look(this.list[0].id);
      this.editor.root.scrollIntoView({ block: "nearest" }); // in a narrow window the button is far below
    }

    card({ id, seed }, box) {
      const label = `Seed ${seed}`;
      const button = Object.assign(document.createElement("button"), { type: "button", className: "card", title: `Take the fill with seed ${seed}` });
      button.dataset.seed = seed;
      const picture = Object.assign(document.createElement("canvas"), { width: WIDTH, height: HEIGHT });
      this.editor.timeline.thumbnail(id, picture, box);
      button.append(picture, Object.assign(document.createElement("span"), { textContent: label }));
      button.addEventListener("click", () => sair.server.send("take", { seed }));
      for (const name of ["pointerenter", "focus"]) button.addEventListener(name, () => this.look(id));
      for (const name of ["pointerleave", "blur"]) button.addEventListener(name, () => this.look(null));
      return button;
    }

    // Shows one on the stage for as long as it is pointed at.
    look(id) {
      if (this.seen === id || this.editor.busy) return;
      this.seen = id;
      this.editor.view.redraw("after");
      this.editor.refresh();
    }

    toggle(open) {
      this.open = open;
      this.seen = null;
      this.editor.view.redraw("after");
      this.editor.refresh();
    }

    clear() {
      const { timeline } = this.editor;
      for (const { id } of this.list) {
        timeline.entries.delete(id);
        timeline.images.delete(id);
      }
      this.list = [];
      this.root.querySelector(".cards").replaceChildren();
      this.toggle(false);
    }

    // Called by the editor's own `refresh`.
    refresh() {
      const { busy, root } = this.editor;
      root.dataset.picking = this.open;
      root.dataset.trying = this.open && Boolean(this.seen);
      this.again.hidden = !this.list.length;
      for (const button of [...this.root.querySelectorAll("button"), this.again]) button.disabled = busy;
      for (const [i, button] of [...this.root.querySelectorAll(".card")].entries()) {
        button.setAttribute("aria-pressed", String(this.list[i]?.id === this.seen));
      }
    }
  }

  sair.Variations = Variations;
})();
