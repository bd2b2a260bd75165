// Keyboard shortcuts of the whole page.
(() => {
  "use strict";
  const sair = window.sair;
  const TYPING = "textarea, select, [contenteditable]:not([contenteditable=false]), input:not([type=range], [type=radio], [type=checkbox], [type=file])";
  const ACTING = "button, a, summary, label, input";

  // Whether an event happens where text is typed, and so is meant for that text.
  sair.typing = (event) => event.target instanceof Element && Boolean(event.target.closest(TYPING));

  class Keys {
    constructor(editor, pointer) {
      this.editor = editor;
      this.pointer = pointer;
      document.addEventListener("keydown", (event) => this.press(event));
      document.addEventListener("keyup", (event) => this.release(event));
      window.addEventListener("blur", () => this.rest());
    }

    rest() {
      this.editor.hold(false);
      this.pointer.space = false;
    }

    release(event) {
      if (event.key === "Tab") this.editor.hold(false);
      if (event.key === " ") this.pointer.space = false;
    }

    // Tab moves between controls as everywhere, except while the stage (or nothing) has the focus.
    onStage() {
      const active = document.activeElement;
      return !active || active === document.body || this.editor.stage.contains(active);
    }

    press(event) {
      const { editor } = this;
      const target = event.target instanceof Element ? event.target : document.body;
      const command = event.ctrlKey || event.metaKey;
      const done = (action) => {
        event.preventDefault();
        action();
      };
      if (document.querySelector("dialog[open]")) {
        if (event.key.toLowerCase() === "h") done(sair.toggleHelp);
        return;
      }
      if (command && event.key === "Enter") return done(sair.pressMain);
      if (sair.typing(event) || event.altKey) return;
      const key = event.key.toLowerCase();
      if (!command && (key === "h" || key === "?")) return done(sair.toggleHelp);
      if (!editor.visible) return;
      if (command) {
        if (key === "z") return done(() => (event.shiftKey ? editor.redo() : editor.undo()));
        if (key === "y") return done(() => editor.redo());
        return;
      }
      if (event.key === "Tab" && !event.shiftKey && editor.timeline && this.onStage()) return done(() => editor.hold(true));
      if (event.key === "Enter" && !target.closest(ACTING)) return done(sair.pressMain);
      if (event.key === " " && this.onStage() && editor.timeline) return done(() => (this.pointer.space = true));
      if (event.key === "Escape") return editor.stage.blur();
      if (target.closest(".divider") && ["ArrowLeft", "ArrowRight"].includes(event.key)) {
        return done(() => editor.setDivider(editor.divider + (event.key === "ArrowLeft" ? -0.05 : 0.05)));
      }
      const actions = {
        "[": () => editor.setDiameter(Math.min(editor.diameter / 1.2, editor.diameter - 1)),
        "]": () => editor.setDiameter(Math.max(editor.diameter * 1.2, editor.diameter + 1)),
        b: () => editor.setTool("brush"),
        e: () => editor.setTool("erase"),
        c: () => editor.setView(editor.state.view === "paint" ? "compare" : "paint"),
        "+": () => editor.view.zoom(1.4),
        "=": () => editor.view.zoom(1.4),
        "-": () => editor.view.zoom(1 / 1.4),
        0: () => editor.view.fit(),
      };
      if (actions[key]) done(actions[key]);
    }
  }

  sair.Keys = Keys;
})();
