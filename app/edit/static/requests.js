// The editor's conversation with the server: what is open, what is painted, which files come in.
(() => {
  "use strict";
  const sair = window.sair;

  class Server extends sair.Talk {
    constructor(editor, bridge) {
      super(editor, bridge);
      this.editor = editor;
      this.pending = null; // what the next event carries besides the state: { file }, { example } or { seed }
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
      if (this.editor.busy) return this.editor.notice("warn", "Wait until the fill is done.");
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
      if (editor.timeline || pending) editor.setBusy(true, busyText);
      return this.describe(part, pending ?? {});
    }

    // The editor's state, for any widget that asks about its photo.
    async describe(part, { file, example, seed } = {}) {
      const { editor } = this;
      const { base } = editor.state;
      const request = { base, shown: editor.saveableId(), seen: editor.seenId(), open: Boolean(editor.timeline) };
      try {
        const painted = part === "mask" && (await editor.mask?.export());
        if (painted) {
          request.mask = await this.fileData(new File([painted.blob], "mask.png", { type: "image/png" }));
          request.box = painted.box;
        }
        if (file) request.file = await this.fileData(file);
        if (example) request.example = example;
        if (seed !== undefined) request.seed = seed;
      } catch (error) {
        request.problem = String(error?.message ?? error);
      }
      return request;
    }
  }

  sair.Server = Server;
})();
