// The panels next to the picture of the Review page: what is shown, curves over time, and export.
import { post, say, sayWrong } from "./api.js";
import { h, labelled } from "./dom.js";
import { plot } from "./plot.js";
import { thinned } from "./review-order.js";

const ORDERS = [["time", "by time or name"], ["unsure", "least confident first"], ["jump", "largest jump first"]];
const FORMATS = {
  coco: "COCO", "dlc-csv": "DeepLabCut (CSV)", "dlc-h5": "DeepLabCut (HDF5)", "label-studio": "Label Studio", sleap: "SLEAP", yolo: "YOLO", parquet: "Parquet",
};
const FIRST = ["coco", "dlc-csv", "label-studio"];

export class Shown {
  // room: openSet(number), sort(), showPoints()
  constructor(room, sets) {
    const slider = (text, given) => {
      const output = h("output", {});
      const input = h("input", { type: "range", value: 0, ...given, oninput: () => room.showPoints() });
      return { input, output, row: h("div", { class: "slider" }, h("span", {}, text), input, output) };
    };
    this.setBox = h("select", { onchange: () => room.openSet(Number(this.setBox.value)).catch(sayWrong) }, sets.map((each, number) => h("option", { value: number }, each.folder)));
    this.sortBox = h("select", { onchange: () => room.sort() }, ORDERS.map(([value, text]) => h("option", { value }, text)));
    this.undoneBox = h("input", { type: "checkbox", onchange: () => room.sort() });
    this.namesBox = h("input", { type: "checkbox", checked: true, onchange: () => room.showPoints() });
    this.least = slider("Least confidence", { min: 0, max: 1, step: 0.01, "aria-label": "Least confidence" });
    this.trail = slider("Trail", { min: 0, max: 50, step: 1, "aria-label": "Trail" });
    this.element = h("section", { class: "panel" }, h("h2", {}, "Show"), labelled("Predictions", this.setBox), labelled("Order", this.sortBox), h("label", {}, this.undoneBox, "Only unchecked pictures"), this.least.row, this.trail.row, h("label", {}, this.namesBox, "Names"));
  }

  get leastConfidence() {
    return Number(this.least.input.value);
  }

  get trailLength() {
    return Number(this.trail.input.value);
  }

  show() {
    this.least.output.textContent = `${Math.round(this.leastConfidence * 100)} %`;
    this.trail.output.textContent = this.trail.input.value;
  }
}

export class Curves {
  // room: data, row, chosen, jumps; place(row, place), choose(place), go(row)
  constructor(room) {
    this.room = room;
    this.pointBox = h("select", { "aria-label": "Keypoint", onchange: () => room.choose(Number(this.pointBox.value)) });
    this.charts = h("div", {});
    this.element = h("section", { class: "panel" }, h("div", { class: "row" }, h("h2", {}, "Over time"), this.pointBox), this.charts);
  }

  setNames(names) {
    this.pointBox.replaceChildren(...names.map((name, place) => h("option", { value: place }, name)));
  }

  show() {
    const { room } = this;
    const { data, chosen } = room;
    const rows = data.points.map((_, row) => row);
    const axis = (row) => (data.frames ? data.frames[row] : row);
    const lines = (value) => [{ points: thinned(rows.map((row) => [axis(row), value(row)])), colour: null }];
    const nearest = (at) => rows.reduce((best, row) => (Math.abs(axis(row) - at) < Math.abs(axis(best) - at) ? row : best), 0);
    const common = { cursor: axis(room.row), marks: room.jumps.length <= 60 ? room.jumps.map(axis) : [], onpick: (at) => room.go(nearest(at)) };
    this.charts.replaceChildren(
      plot({ title: `x in pixels ${data.frames ? "over the frame" : "over the images"}`, lines: lines((row) => room.place(row, chosen).at?.[0]), ...common }),
      plot({ title: "y in pixels", lines: lines((row) => room.place(row, chosen).at?.[1]), ...common }),
      plot({ title: "confidence", lines: lines((row) => data.confidence[row][chosen]), range: [0, 1], ...common }),
    );
  }
}

export class Export {
  // room: set, saves, shown
  constructor(room) {
    this.room = room;
    this.formats = h("div", { class: "row" });
    const note = h("p", { class: "soft" }, "Checked keypoints are exported as annotations made by a person. kpdetect benchmark table:FILE reads corrections.csv as annotations.");
    this.nameless = h("p", { class: "hint" }, "The keypoints have no names yet. ", h("a", { href: "/name" }, "Name them first"), ", so that the files contain the names.");
    this.element = h("section", { class: "panel" }, h("h2", {}, "Export"), this.nameless, this.formats, h("button", { type: "button", id: "export", onclick: () => this.write() }, "Write the files"), note);
  }

  set(formats, names) {
    this.formats.replaceChildren(...formats.map((name) => h("label", {}, h("input", { type: "checkbox", value: name, checked: FIRST.includes(name) }), FORMATS[name] || name)));
    this.nameless.hidden = !names.every((name) => /^keypoint\d+$/.test(name));
  }

  async write() {
    const formats = [...this.formats.querySelectorAll("input:checked")].map((box) => box.value);
    if (!formats.length) return say("Choose a format.", { wrong: true });
    try {
      await this.room.saves.done();
      const { files, others } = await post(`/api/review/${this.room.set}/export`, { formats, min_confidence: this.room.shown.leastConfidence });
      say(`Written: ${files.join(", ")}`);
      if (others) say(`${others} keypoints that were corrected on the predictions of other weights are left out. Confirm them with “All right, next”, and write the files again.`, { wrong: true });
    } catch (error) {
      sayWrong(error);
    }
  }
}
