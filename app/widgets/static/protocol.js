// One side of a conversation with the server: hears the answers to what a widget asked.
(() => {
  "use strict";
  const sair = (window.sair = window.sair || {});
  const SHOWN_BY = {
    photo: "showPhoto", result: "showResult", variations: "showVariations", priors: "showPriors", mask: "showMask",
    map: "showMap", view: "showView", run: "showRun",
  };

  class Talk {
    // widget: has busy, setBusy, progress, notice, and the methods above for the answers that it gets
    // bridge: { trigger(event), upload(File) -> { path, url }, watch, props } of the component around
    constructor(widget, bridge) {
      this.widget = widget;
      this.bridge = bridge;
      this.heard = null; // id of the last answer
      bridge.watch("value", () => this.receive(bridge.props.value).catch(() => this.failed()));
    }

    async receive(message) {
      const { widget } = this;
      if (!message?.kind || message.id === this.heard) return;
      this.heard = message.id; // the last answer of a stream arrives twice
      if (message.kind === "progress") {
        if (widget.busy) widget.progress(message.share, message.text);
        return;
      }
      const bitmaps = await Promise.all((message.pictures ?? []).map((one) => this.fetchBitmap(one.file)));
      widget.setBusy(false);
      if (message.kind === "download") this.download(message);
      widget[SHOWN_BY[message.kind]]?.(message, bitmaps);
      if (message.notice) widget.notice(message.notice.level, message.notice.text);
    }

    async fetchBitmap(file) {
      const response = await fetch(file.url);
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      return createImageBitmap(await response.blob());
    }

    download(message) {
      const link = Object.assign(document.createElement("a"), { href: message.file.url, download: message.name });
      document.body.append(link);
      link.click();
      link.remove();
    }

    failed() {
      this.widget.setBusy(false);
      this.widget.notice("error", "The server did not answer as expected. Try again; if it goes on, restart the app.");
    }
  }

  sair.Talk = Talk;
})();
