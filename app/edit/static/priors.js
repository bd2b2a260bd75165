// What the textured engine expects in the hole: a row a seed, a column a prior, coarsest first, then the fill.
(() => {
  "use strict";
  const sair = window.sair;

  function caption(text) {
    return Object.assign(document.createElement("span"), { textContent: text });
  }

  class Priors {
    constructor(root) {
      this.root = root;
      this.grid = root.querySelector(".grid");
      this.timeline = null; // the editor's, of the photo that is shown
      this.busy = false;
      this.refresh();
    }

    refresh() {
      this.root.dataset.state = this.timeline ? "shown" : "empty";
      this.root.dataset.working = this.busy;
      document.body.dataset.sairPriors = this.busy ? "busy" : "ready";
    }

    // Those of another photo go.
    follow() {
      if (!this.timeline || this.timeline === sair.editor.timeline) return;
      this.timeline = null;
      this.grid.replaceChildren();
      this.notice("info", "Paint over something, then press Look inside.");
      this.refresh();
    }

    notice(level, text) {
      sair.setStatus(this.root, level, text);
    }

    progress(share, text) {
      if (text) this.notice("busy", text);
    }

    setBusy(busy, text) {
      this.busy = busy;
      this.progress(0, text);
      this.refresh();
    }

    showPriors({ seeds, columns }, bitmaps) {
      const cells = [caption(""), ...columns.map(caption)];
      seeds.forEach((seed, row) => {
        cells.push(caption(`Seed ${seed}`));
        bitmaps.slice(row * columns.length, (row + 1) * columns.length).forEach((bitmap, column) => {
          const canvas = Object.assign(document.createElement("canvas"), { width: bitmap.width, height: bitmap.height });
          canvas.className = column < columns.length - 1 ? "prior" : "fill";
          canvas.getContext("2d").drawImage(bitmap, 0, 0);
          cells.push(canvas);
        });
      });
      this.grid.style.setProperty("--columns", columns.length);
      this.grid.replaceChildren(...cells);
      this.timeline = sair.editor.timeline;
      this.refresh();
    }
  }

  class PriorsTalk extends sair.Talk {
    request(busyText, part) {
      this.widget.setBusy(true, busyText);
      return sair.server.describe(part);
    }
  }

  // Called once by the component, as `mount` is for the editor.
  sair.mountPriors = (element, bridge) => {
    const priors = new Priors(element.querySelector(".sair"));
    priors.talk = new PriorsTalk(priors, bridge);
    sair.priors = priors;
  };
})();
