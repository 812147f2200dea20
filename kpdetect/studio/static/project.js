// The Project page: the progress of a run, read from its files every few seconds.
import { get, sayWrong } from "./api.js";
import { commandLine, quoted } from "./copy.js";
import { h } from "./dom.js";
import { plot, short } from "./plot.js";

export const KEYS = [["Tab", "to the next stage or picture"], ["Enter", "open it"]];
const EVERY = 3000;

function span(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  if (hours) return `${hours} h ${String(minutes).padStart(2, "0")} min`;
  return minutes ? `${minutes} min ${String(whole % 60).padStart(2, "0")} s` : `${whole} s`;
}

class ProjectRoom {
  constructor(host) {
    this.host = host;
    this.stage = null;
  }

  async start(about) {
    if (!about.project) return this.nothing(about);
    this.now = h("section", { class: "panel", "aria-live": "off" });
    this.stages = h("ul", { class: "stages" });
    this.sheet = h("section", { class: "panel" });
    this.curves = h("section", { class: "panel" });
    this.report = h("section", { class: "panel" });
    this.next = h("section", { class: "panel", hidden: true });
    const left = h("div", {}, this.now, this.next, h("section", { class: "panel" }, h("h2", {}, "Stages"), this.stages));
    this.host.replaceChildren(h("div", { class: "project" }, left, h("div", {}, this.sheet, this.curves, this.report)));
    await this.read();
    setInterval(() => document.visibilityState === "visible" && this.read().catch(() => {}), EVERY);
  }

  nothing(about) {
    this.host.replaceChildren(
      h("section", { class: "empty" },
        h("h1", {}, "No project is open"),
        h("p", {}, about.target ? `The studio was opened on the model ${about.target}, which has no training to watch.` : "The studio was opened without a project."),
        h("p", {}, "These commands train on a folder of pictures and open the project here:"),
        h("pre", {}, "kpdetect run photos/ --out runs/photos --minutes 90\nkpdetect studio runs/photos"),
        h("p", {}, "Run the second command in another terminal while the first one is training. Meanwhile ", h("a", { href: "/edit" }, "edit images of a model that comes with kpdetect"), ".")),
    );
  }

  async read() {
    const project = await get("/api/project");
    this.showNow(project);
    const told = project.stages.filter((each) => each.sheets.length || Object.keys(each.curves).length);
    const stage = project.stages.find((each) => each.name === this.stage) || told.at(-1) || project.stages.at(-1);
    this.shown = stage?.name;
    this.showStages(project);
    this.showSheet(stage);
    this.showCurves(stage);
    this.showReport(project);
    this.showNext(project);
  }

  // Shows what the user can do next with a project that has a detector.
  showNext({ folder, detector, named, predictions }) {
    const key = JSON.stringify([detector, named, predictions]);
    if (this.nextKey === key) return;
    this.nextKey = key;
    this.next.hidden = !detector;
    const names = h("li", {}, h("a", { href: "/name" }, named ? "Change the names of the keypoints" : "Name the keypoints"), named ? ` (${named} named)` : ": left eye, tail, …");
    const check = predictions && h("li", {}, h("a", { href: "/review" }, "Check the predictions, and export them"), " to DeepLabCut, COCO, Label Studio and others");
    const more = h("li", {}, "Predict keypoints on other images or videos, for example for DeepLabCut:", commandLine(`kpdetect predict ${quoted(folder)} IMAGES --out found --format dlc-csv`));
    this.next.replaceChildren(h("h2", {}, "What next"), h("ol", { class: "next" }, ...[names, check, more].filter(Boolean)));
  }

  showNow({ now, folder, stages, report, verdict }) {
    const alive = stages.find((stage) => stage.quiet !== null && stage.quiet < 90 && stage.step && (stage.steps === null || stage.step < stage.steps));
    const parts = [h("h1", {}, folder.split("/").filter(Boolean).at(-1) || folder)];
    if (now && !now.stopped) {
      parts.push(h("p", {}, `Stage ${now.stage} of ${now.stages}: ${now.title}`));
      if (now.rate !== undefined) {
        const figure = (value, text) => h("div", {}, h("span", { class: "big" }, value), h("small", {}, text));
        parts.push(h("div", { class: "figures" }, figure(now.rate >= 10 ? Math.round(now.rate) : now.rate, `${now.unit} per second`), figure(span(now.seconds_left), "left in this stage"), figure(short(now.done), `${now.unit} done`)));
        const share = now.total ? now.done / now.total : null;
        if (share !== null) parts.push(h("progress", { value: share, max: 1, "aria-label": "Share of this stage that is done" }));
      }
      parts.push(h("small", {}, `The run wrote its progress ${span(now.silent)} ago.`));
    } else if (now) parts.push(h("p", {}, `The run has written no progress for ${span(now.silent)}. It has stopped or was interrupted. Repeat its command to continue.`));
    else if (alive) {
      const figure = (value, text) => h("div", {}, h("span", { class: "big" }, value), h("small", {}, text));
      const left = alive.steps && alive.rate ? ((alive.steps - alive.step) * (alive.images / alive.step)) / alive.rate : null;
      parts.push(h("p", {}, alive.title), h("div", { class: "figures" }, figure(alive.rate, "images per second"), figure(span(left), "left"), figure(short(alive.images), "images done")));
    } else if (report) parts.push(h("p", {}, "Finished. The report is below."));
    else if (stages.length) parts.push(h("p", {}, "Nothing is running. To continue, repeat the command that made this folder."));
    else parts.push(h("p", {}, "Nothing has been trained in this folder yet."));
    if (verdict.length) parts.push(h("h2", {}, "Verdict without labels"), h("ul", {}, ...verdict.map((sentence) => h("li", {}, sentence))));
    this.now.replaceChildren(...parts);
  }

  showStages({ stages, pairs, predictions }) {
    const rows = stages.map((stage) => {
      const chosen = stage.name === this.shown;
      const facts = [stage.images !== null && `${short(stage.images)} images`, stage.rate && `${stage.rate} per second`, stage.minutes !== null && `${stage.minutes} min`, stage.finished ? "weights written" : null].filter(Boolean).join(", ");
      return h("li", {}, h("button", { type: "button", "aria-pressed": String(chosen), onclick: () => ((this.stage = stage.name), this.read().catch(sayWrong)) }, h("b", {}, stage.title), h("span", {}, facts || "begun")));
    });
    const focused = this.stages.contains(document.activeElement) ? [...this.stages.querySelectorAll("button")].indexOf(document.activeElement) : -1;
    if (pairs) rows.push(h("li", { class: "soft" }, "Pairs of an image and its keypoints have been generated."));
    this.stages.replaceChildren(...rows);
    if (focused >= 0) this.stages.querySelectorAll("button")[focused]?.focus();
  }

  showSheet(stage) {
    const step = stage?.sheets.at(-1);
    this.sheet.hidden = step === undefined;
    const key = `${stage?.name}/${step}`;
    if (this.sheet.hidden || this.sheetKey === key) return;
    this.sheetKey = key;
    const image = h("img", { class: "sheet", src: `/api/project/sheet/${encodeURIComponent(stage.name)}/${step}`, alt: `Sample sheet of step ${step}` });
    const chosen = h("select", { "aria-label": "Sample sheet of step", onchange: () => (image.src = `/api/project/sheet/${encodeURIComponent(stage.name)}/${chosen.value}`) }, stage.sheets.toReversed().map((each) => h("option", { value: each }, `step ${each.toLocaleString("en")}`)));
    this.sheet.replaceChildren(h("div", { class: "row" }, h("h2", {}, `${stage.title}: newest sample sheet`), chosen), h("div", { class: "wide" }, image));
  }

  showCurves(stage) {
    this.curves.hidden = !stage || !Object.values(stage.curves).some((points) => points.length > 1);
    if (this.curves.hidden) return;
    const charts = Object.entries(stage.curves).filter(([, points]) => points.length > 1).map(([name, points]) => plot({ title: name.replaceAll("_", " "), lines: [{ points }] }));
    this.curves.replaceChildren(h("h2", {}, `${stage.title}: logged values over the steps`), h("div", { class: "charts" }, charts));
  }

  showReport({ report }) {
    this.report.hidden = !report;
    if (!report || this.reported) return;
    this.reported = true;
    const alone = h("a", { target: "_blank" }, "open in a separate tab");
    const frame = h("iframe", { class: "report", title: "Report of the project", sandbox: "" });
    const inTheme = () => (alone.href = frame.src = `/report#${document.documentElement.dataset.theme}`);
    document.addEventListener("kpdetect-theme", inTheme);
    inTheme();
    this.report.replaceChildren(h("div", { class: "row" }, h("h2", {}, "Report"), alone), frame);
  }
}

export async function open(host, about) {
  await new ProjectRoom(host).start(about);
}
