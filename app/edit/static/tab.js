// Brings the editor to life inside its component and ties the buttons around it to it.
(() => {
  "use strict";
  const sair = window.sair;

  // Called once by the component. bridge: { trigger, upload, watch, props }
  sair.mount = (element, bridge) => {
    const root = element.querySelector(".sair");
    const editor = new sair.Editor(root);
    const server = new sair.Server(editor, bridge);
    const pointer = new sair.Pointer(editor, root.querySelector(".ring"));
    const follow = () => [sair.zoom, sair.meaning, sair.priors].forEach((widget) => widget?.follow());
    editor.onchange = follow;
    new sair.Keys(editor, pointer);
    Object.assign(sair, { editor, server });
    bindButtons(editor, root);
    bindFiles(server, root);
    // Results are gone with the page.
    window.addEventListener("beforeunload", (event) => editor.results.length && event.preventDefault());
    fillExamples(server, root, bridge.props.value?.examples ?? []);
    follow();
    // A mouse click on a control gives the focus back, so that the next key is a shortcut and not a click.
    document.addEventListener("click", (event) => {
      const control = event.target instanceof Element && event.target.closest("button");
      if (control && event.detail > 0 && !control.closest("dialog")) sair.front()?.stage.focus({ preventScroll: true });
    });
  };

  function bindButtons(editor, root) {
    const acts = {
      open: () => sair.choosePhoto(),
      brush: () => [editor.setTool("brush"), editor.setView("paint")],
      erase: () => [editor.setTool("erase"), editor.setView("paint")],
      undo: () => editor.undo(),
      redo: () => editor.redo(),
      paint: () => editor.setView("paint"),
      compare: () => editor.setView("compare"),
      zoomin: () => editor.view.zoom(1.4),
      zoomout: () => editor.view.zoom(1 / 1.4),
      fit: () => editor.view.fit(),
    };
    root.addEventListener("click", (event) => acts[event.target.closest("[data-act]")?.dataset.act]?.());
    document.addEventListener("click", (event) => {
      const page = event.target instanceof Element && event.target.closest("[data-sair-page]")?.dataset.sairPage;
      if (page === "help") sair.toggleHelp();
      if (page === "theme") sair.toggleTheme();
      if (page === "close-help" || event.target.matches?.("dialog.sair-help")) sair.toggleHelp();
    });
    root.querySelector(".size input").addEventListener("input", (event) => editor.setDiameter(Number(event.target.value)));
    const original = root.querySelector("[data-act=original]");
    original.addEventListener("pointerdown", (event) => {
      original.setPointerCapture(event.pointerId);
      editor.hold(true);
    });
    for (const name of ["pointerup", "pointercancel", "blur"]) original.addEventListener(name, () => editor.hold(false));
    original.addEventListener("keydown", (event) => event.key === " " && editor.hold(true));
    original.addEventListener("keyup", () => editor.hold(false));
  }

  function bindFiles(server, root) {
    const picked = (selector, open) => {
      const input = root.querySelector(selector);
      input.addEventListener("change", () => {
        open(input.files[0]);
        input.value = ""; // the same file may be chosen again
      });
    };
    sair.choosePhoto = () => root.querySelector("input.photo-file").click();
    picked("input.photo-file", (file) => server.openPhoto(file));
    picked("input.mask-file", (file) => server.openMask(file));
    const imageOf = (transfer) => [...(transfer?.files ?? [])].find((file) => file.type.startsWith("image/")) ?? transfer?.files?.[0];
    document.addEventListener("paste", (event) => {
      if (sair.typing(event)) return;
      const file = imageOf(event.clipboardData);
      if (file) server.openPhoto(file);
    });
    let depth = 0; // dragenter and dragleave also fire for every child that is crossed
    const dragging = (change) => {
      depth = Math.max(0, depth + change);
      document.body.classList.toggle("sair-dragging", depth > 0);
    };
    const withFiles = (handler) => (event) => {
      if (![...(event.dataTransfer?.types ?? [])].includes("Files")) return;
      event.preventDefault();
      handler(event);
    };
    document.addEventListener("dragenter", withFiles(() => dragging(1)));
    document.addEventListener("dragleave", withFiles(() => dragging(-1)));
    document.addEventListener("dragover", withFiles(() => {}));
    document.addEventListener("drop", withFiles((event) => {
      dragging(-depth);
      server.openPhoto(imageOf(event.dataTransfer));
    }));
  }

  function fillExamples(server, root, examples) {
    const shelf = root.querySelector(".examples");
    shelf.hidden = !examples.length;
    for (const { name, label, thumbnail } of examples) {
      const button = Object.assign(document.createElement("button"), { type: "button", title: `Open the example: ${label}` });
      button.append(Object.assign(document.createElement("img"), { src: thumbnail, alt: label }));
      button.addEventListener("click", () => server.openExample(name));
      shelf.querySelector(".shelf").append(button);
    }
  }
})();
