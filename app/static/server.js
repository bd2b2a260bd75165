// The conversation with the server: what an event carries there, and what comes back.
(() => {
  "use strict";
  const sair = window.sair;

  class Server {
    // bridge: { trigger(event), upload(File) -> { path, url } } of the component around
    constructor(editor, bridge) {
      this.editor = editor;
      this.bridge = bridge;
      this.heard = null; // id of the last answer
      this.pending = null; // what the next event carries besides the state: { file } or { example }
    }

    openPhoto(file) {
      if (file) this.send("open", { file });
    }

    openExample(example) {
      this.send("open", { example });
    }

    chooseMask() {
      this.editor.root.querySelector("input.mask-file").click();
    }

    openMask(file) {
      if (file) this.send("upload_mask", { file });
    }

    send(event, pending) {
      if (this.editor.busy) return;
      this.pending = pending;
      this.bridge.trigger(event);
    }

    async fileData(file) {
      const { path, url } = await this.bridge.upload(file);
      return { path, url, orig_name: file.name, mime_type: file.type, meta: { _type: "gradio.FileData" } };
    }

    // What an event sends. busyText: shown until the answer is there; part: "mask" sends what is painted.
    async request(busyText, part) {
      const { editor, pending } = this;
      this.pending = null;
      const request = { base: editor.state.base, shown: editor.saveableId(), open: Boolean(editor.timeline) };
      if (editor.timeline || pending) editor.setBusy(true, busyText);
      try {
        if (part === "mask" && editor.mask) {
          const painted = await editor.mask.export();
          if (painted) {
            request.mask = await this.fileData(new File([painted.blob], "mask.png", { type: "image/png" }));
            request.box = painted.box;
          }
        }
        if (pending?.file) request.file = await this.fileData(pending.file);
        if (pending?.example) request.example = pending.example;
      } catch (error) {
        request.problem = String(error?.message ?? error);
      }
      return request;
    }

    async receive(message) {
      const { editor } = this;
      if (!message?.kind || message.id === this.heard) return;
      this.heard = message.id; // the last answer of a stream arrives twice
      if (message.kind === "progress") {
        if (editor.busy) editor.progress(message.share, message.text);
        return;
      }
      const bitmaps = await Promise.all((message.pictures ?? []).map((one) => this.fetchBitmap(one.file)));
      editor.setBusy(false);
      if (message.kind === "photo") editor.showPhoto(message, bitmaps);
      if (message.kind === "result") editor.showResult(message, bitmaps);
      if (message.kind === "mask") editor.showMask(message, bitmaps);
      if (message.kind === "download") this.download(message);
      if (message.notice) editor.notice(message.notice.level, message.notice.text);
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
      this.editor.setBusy(false);
      this.editor.notice("error", "The server did not answer as expected. Try again; if it goes on, restart the app.");
    }
  }

  sair.Server = Server;
})();
