// How a training stands, asked again and again while its tab is open; and what is in a folder of photos.
(() => {
  "use strict";
  const sair = window.sair;
  const SOON_MS = 2000; // between two looks while something is being trained
  const LATER_MS = 15000; // otherwise, and where no answer came
  const TYPING_MS = 500; // without a key, before a folder is looked into
  const NOTHING = "\u2013";
  const CURVES = { loss: "Loss", psnr: "PSNR in dB" };

  function duration(seconds) {
    if (seconds === null) return NOTHING;
    const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
    if (hours) return `${hours} h ${minutes} min`;
    return minutes ? `${minutes} min ${Math.round(seconds % 60)} s` : `${Math.round(seconds)} s`;
  }

  function standing(run) {
    return run ? `${run.name}: ${run.said.text}` : "";
  }

  class Train {
    constructor(root) {
      this.root = root;
      this.run = null; // as the server told it last
      this.chosen = null; // name of the run to look at; null is up to the server
      this.step = null; // of the validation picture to look at; null is the newest
      this.busy = false; // something was pressed and is not answered
      this.active = false; // a training is under way, this one or another
      this.usable = ""; // the runs that have a model, as text
      this.said = ""; // how the run stood when that was last said
      this.timer = null;
      this.width = 0;
      new ResizeObserver(() => this.resize()).observe(root);
      document.addEventListener("visibilitychange", () => this.look());
    }

    get visible() {
      return this.root.clientWidth > 0 && !document.hidden;
    }

    resize() {
      const opened = !this.width;
      this.width = this.root.clientWidth;
      this.drawCurves();
      if (opened) this.look();
    }

    // ---- asking

    look() {
      clearTimeout(this.timer);
      if (!this.visible || this.busy) return;
      this.talk.bridge.trigger("look");
      this.wait(LATER_MS);
    }

    wait(milliseconds) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.look(), milliseconds);
    }

    question() {
      return { run: this.chosen, step: this.step };
    }

    choose(name) {
      Object.assign(this, { chosen: name, step: null });
      this.look();
    }

    chooseStep(index) {
      const { steps } = this.run;
      this.step = index === steps.length - 1 ? null : steps[index];
      this.showStep(steps[index]);
      this.look();
    }

    // ---- showing

    setBusy(busy, text) {
      this.busy = busy;
      if (busy) {
        this.notice("busy", text);
        this.root.querySelector(".status").scrollIntoView({ block: "nearest" }); // what was pressed may be far below
      } else {
        this.wait(SOON_MS);
      }
      this.refresh();
    }

    // No answer came.
    rest() {
      this.said = "";
      this.wait(LATER_MS);
    }

    notice(level, text) {
      sair.setStatus(this.root, level, text);
      this.said = standing(this.run); // what is said now is newer than that
    }

    progress(share, text) {
      this.notice("busy", text);
    }

    showRun(message, pictures) {
      const { run = null, runs, usable, active, model } = message;
      this.active = active;
      this.run = run;
      this.chosen = run?.name ?? null;
      this.showList(runs);
      this.showModel(model);
      if (run) this.showFigures(run);
      if (run) this.showPicture(run, pictures[0]);
      this.drawCurves();
      this.refresh();
      this.say(run);
      this.wait(active ? SOON_MS : LATER_MS);
      if (usable.join() !== this.usable) this.talk.bridge.trigger("models"); // to begin with
      this.usable = usable.join();
    }

    // Only what is new: something else may have been answered since.
    say(run) {
      if (run && standing(run) !== this.said) this.notice(run.said.level, run.said.text);
    }

    showList(runs) {
      const select = this.root.querySelector("select");
      const texts = runs.map(({ name, state }) => `${name} (${state})`);
      if (texts.join() !== [...select.options].map((option) => option.text).join()) {
        select.replaceChildren(...runs.map(({ name }, i) => new Option(texts[i], name)));
      }
      select.disabled = !runs.length;
      select.value = this.chosen ?? "";
    }

    showModel({ title, first }) {
      this.root.querySelector(".using b").textContent = title;
      const back = this.root.querySelector("[data-act=back]");
      back.querySelector("span").textContent = `Back to ${first}`;
      back.style.visibility = title === first ? "hidden" : "visible";
    }

    showFigures({ step, loss, seconds, eta_seconds, share, state, log }) {
      const figures = {
        step: step.toLocaleString("en"),
        loss: loss === null ? NOTHING : loss.toPrecision(3),
        time: duration(seconds),
        left: duration(state === "running" ? eta_seconds : null),
      };
      for (const [name, text] of Object.entries(figures)) this.root.querySelector(`[data-figure=${name}]`).textContent = text;
      sair.setProgress(this.root, share);
      const end = this.root.querySelector(".log");
      if (end.textContent === log) return;
      const read = end.scrollHeight - end.scrollTop - end.clientHeight > 4; // further up, by somebody
      end.textContent = log;
      if (!read) end.scrollTop = end.scrollHeight;
    }

    showPicture({ steps, at }, url) {
      const picture = this.root.querySelector("figure.picture");
      picture.dataset.there = Boolean(url);
      if (!url) return;
      this.showStep(steps.includes(this.step) ? this.step : at);
      const image = picture.querySelector("img");
      if (image.getAttribute("src") !== url) image.src = url;
      picture.querySelector("a").href = url;
    }

    showStep(step) {
      const { steps } = this.run;
      const label = this.root.querySelector("figure.picture .size");
      const slider = label.querySelector("input");
      slider.max = Math.max(1, steps.length - 1);
      slider.disabled = steps.length < 2;
      sair.setSlider(label, slider.disabled ? 1 : steps.indexOf(step), `step ${step.toLocaleString("en")}`);
    }

    drawCurves() {
      for (const [name, title] of Object.entries(CURVES)) {
        sair.drawCurve(this.root.querySelector(`svg.${name}`), this.run?.curves[name] ?? [], title);
      }
    }

    refresh() {
      const { busy, root, run } = this;
      Object.assign(root.dataset, { state: run ? "open" : "empty", run: run?.state ?? "none", working: this.active });
      const can = { stop: run?.stoppable, resume: run?.resumable && !this.active, use: run?.usable, back: true };
      for (const [act, possible] of Object.entries(can)) root.querySelector(`[data-act=${act}]`).disabled = busy || !possible;
      document.body.dataset.sairTrain = busy || this.active ? "busy" : "ready";
    }
  }

  // What is in the folder that is being typed.
  class Folder {
    constructor(root, { hint }) {
      this.root = root;
      this.hint = hint;
      this.timer = null;
      this.notice("info", hint);
    }

    typed(text) {
      clearTimeout(this.timer);
      this.talk.number += 1; // an answer under way is about another folder
      if (!text.trim()) return this.notice("info", this.hint);
      this.timer = setTimeout(() => {
        this.notice("info", "Looking at the photos");
        this.talk.bridge.trigger("check");
      }, TYPING_MS);
    }

    question() {
      return {};
    }

    setBusy() {} // nothing waits for it

    notice(level, text) {
      const line = this.root.querySelector("p");
      line.dataset.level = level;
      line.textContent = text;
    }
  }

  // Hears no answer that came too late: after another question.
  class NewestTalk extends sair.Talk {
    constructor(widget, bridge) {
      super(widget, bridge);
      this.number = 0;
    }

    async request(busyText) {
      this.number += 1;
      if (busyText) this.widget.setBusy(true, busyText);
      return { number: this.number, ...this.widget.question() };
    }

    async receive(message) {
      if (message?.request === undefined || message.request === this.number) await super.receive(message);
    }

    failed() {
      super.failed();
      this.widget.rest?.();
    }

    // The browser shows it, and keeps it while it is the same.
    async fetchBitmap(file) {
      return file.url;
    }
  }

  // Called once by the component, as `mount` is for the editor.
  sair.mountTrain = (element, bridge) => {
    const root = element.querySelector(".sair");
    const train = new Train(root);
    train.talk = new NewestTalk(train, bridge);
    sair.train = train;
    const acts = {
      stop: () => bridge.trigger("stop_run"),
      resume: () => bridge.trigger("resume_run"),
      use: () => bridge.trigger("use_model"),
      back: () => bridge.trigger("use_first"),
    };
    root.addEventListener("click", (event) => acts[event.target.closest("[data-act]")?.dataset.act]?.());
    root.querySelector("select").addEventListener("change", (event) => train.choose(event.target.value));
    root.querySelector(".size input").addEventListener("input", (event) => train.chooseStep(Number(event.target.value)));
    train.refresh();
  };

  sair.mountFolder = (element, bridge) => {
    const folder = new Folder(element.querySelector(".folder-line"), bridge.props.value);
    folder.talk = new NewestTalk(folder, bridge);
    sair.folder = folder;
  };
})();
