// A widget in a tab of its own that shows the photo which the editor shows.
(() => {
  "use strict";
  const sair = (window.sair = window.sair || {});

  class Companion {
    // names: the classes of the stage's canvases, lowest first; main: the button that Enter presses with Ctrl
    constructor(root, names, main) {
      this.root = root;
      this.main = main;
      this.stage = root.querySelector(".stage");
      this.view = new sair.Viewport(this.stage, names);
      this.timeline = null; // the editor's, of the photo that is shown
      this.photo = null; // id of what the editor showed of it
      new ResizeObserver(() => this.follow()).observe(this.stage); // the tab was opened
    }

    // False while another tab is open.
    get visible() {
      return this.stage.clientWidth > 0;
    }

    // Takes up what the editor shows; says whether that is another photo than before.
    meet() {
      const { timeline } = sair.editor;
      const photo = sair.editor.seenId();
      if (this.timeline === timeline && this.photo === photo) return false;
      const opened = this.timeline !== timeline;
      Object.assign(this, { timeline, photo });
      if (opened) this.view.open(timeline.photo.width, timeline.photo.height);
      return true;
    }

    notice(level, text) {
      sair.setStatus(this.root, level, text);
    }

    progress(share, text) {
      sair.setProgress(this.root, share);
      if (text) this.notice("busy", text);
    }

    // acts: what the buttons do, by their data-act
    bind(acts) {
      const all = { fit: () => this.view.fit(), open: () => sair.choosePhoto(), ...acts };
      this.root.addEventListener("click", (event) => all[event.target.closest("[data-act]")?.dataset.act]?.());
    }
  }

  sair.Companion = Companion;
})();
