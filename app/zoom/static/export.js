// What an export becomes, said before it is made; then its progress, and the file.
(() => {
  "use strict";
  const sair = window.sair;

  function written(value) {
    return String(Math.floor(value * 100) / 100);
  }

  class Exporter {
    // root: of the line; about: { choice: { what, scale, format }, view: the `what` that means the view,
    // limits: format -> { megapixels, side } }
    constructor(root, { choice, view, limits }) {
      this.root = root;
      this.choice = choice;
      this.view = view;
      this.limits = limits;
      this.busy = false;
      this.told = null; // number of the view at which something was last said
      this.refresh();
    }

    choose(what, scale, format) {
      this.choice = { what, scale, format };
      this.refresh();
    }

    // [width, height] of the file in px; null for a scale that cannot be.
    size() {
      const { what, scale } = this.choice;
      if (what === this.view) {
        const { width, height } = sair.zoom.window(Infinity);
        return [width, height];
      }
      if (typeof scale !== "number" || !(scale >= 1 && scale <= 64)) return null;
      return sair.zoom.timeline.size.map((side) => {
        const exact = side * scale;
        const half = exact % 1 === 0.5;
        const count = half ? 2 * Math.round(exact / 2) : Math.round(exact); // as the server rounds
        return (count - 0.5) / scale < side ? count : count - 1;
      });
    }

    // Level and text of the line.
    about() {
      if (!sair.zoom?.timeline) return ["info", "Open a photo to see how large the file becomes."];
      const size = this.size();
      if (!size) return ["warn", "Give a scale from 1 to 64, for example 2.5."];
      const { format } = this.choice;
      const [width, height] = size;
      const megapixels = (width * height) / 1e6;
      const text = `${width} x ${height} px, ${megapixels.toFixed(megapixels < 0.1 ? 3 : 1)} megapixels`;
      const limit = this.limits[format];
      let bound = null;
      if (Math.max(width, height) > limit.side) bound = `${limit.side} px a side`;
      if (megapixels > limit.megapixels) bound = `${limit.megapixels} here`;
      if (!bound) return ["info", text];
      return ["warn", `${text}, but ${format} is limited to ${bound}. ${this.advice(megapixels)}`];
    }

    advice(megapixels) {
      const { what, format } = this.choice;
      const [width, height] = sair.zoom.timeline.size;
      const limit = this.limits[format];
      const ways = [];
      if (format !== "TIFF" && megapixels <= this.limits.TIFF.megapixels) ways.push("TIFF");
      const most = Math.min(Math.sqrt((limit.megapixels * 1e6) / (width * height)), limit.side / Math.max(width, height));
      if (what === this.view) ways.push("a smaller window");
      else ways.push(most >= 1 ? `a scale up to ${written(most)}` : this.view);
      return `Choose ${ways.join(", or ")}.`;
    }

    refresh() {
      const [level, text] = this.about();
      const line = this.root.querySelector("p");
      if (line.textContent !== text) line.textContent = text;
      line.dataset.level = level;
      document.body.dataset.sairExport = this.busy ? "busy" : sair.zoom?.timeline ? "ready" : "empty";
      document.body.dataset.sairExportWhat = this.choice.what === this.view ? "view" : "whole";
    }

    // ---- shown on the stage, which is where people look

    notice(level, text) {
      this.told = sair.sharp.number;
      sair.zoom.notice(level, text);
    }

    progress(share, text) {
      sair.zoom.progress(share, text);
    }

    setBusy(busy, text) {
      this.busy = busy;
      this.progress(0, text);
      sair.zoom.refresh();
      if (!busy) sair.sharp.ask(); // nothing was, meanwhile
    }

    cancel() {
      if (this.busy) this.notice("busy", "Stopping the export");
    }
  }

  class ExportTalk extends sair.Talk {
    async request(busyText) {
      const { zoom } = sair;
      this.widget.setBusy(true, busyText);
      const what = zoom.timeline ? { seen: zoom.shown, window: zoom.window(Infinity) } : {};
      return { ...(await sair.server.describe("")), ...what };
    }
  }

  // Called once by the component, as `mount` is for the editor.
  sair.mountExport = (element, bridge) => {
    const exporter = new Exporter(element.querySelector(".export-line"), bridge.props.value);
    exporter.talk = new ExportTalk(exporter, bridge);
    sair.exporter = exporter;
  };
})();
