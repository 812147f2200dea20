// The Compare page: user studies, as in appendix D of the LatentKeypointGAN paper.
import { get, post, say, sayWrong, upload } from "./api.js";
import { fileButton, h, labelled } from "./dom.js";
import { Saves } from "./saves.js";
import { runTrial } from "./trial.js";

export const KEYS = [["← →", "in a study: the left or the right result is better"], ["↓", "in a study: both results are equal"], ["Tab, Enter", "go to a button or field, and use it"]];

// The answers of a participant, and those among them that are not saved yet.
class Answers {
  constructor(base, { participant, version }) {
    Object.assign(this, { base, participant, version, unsaved: null, other: null, saves: new Saves() });
    this.ask = (event) => event.preventDefault();
  }

  save(answers) {
    this.unsaved = answers;
    addEventListener("beforeunload", this.ask);
    return this.saves.add(() => this.send(answers));
  }

  async send(answers) {
    try {
      await this.post(answers);
    } catch (error) {
      if (error.status !== 409) throw error;
      const there = await get(`${this.base}/trial?participant=${encodeURIComponent(this.participant)}`);
      this.other = there.version;
      if (!Object.entries(there.answers).every(([number, answer]) => answers[number] === answer)) throw error;
      this.replace(); // nothing is lost
      await this.post(answers);
    }
  }

  async post(answers) {
    this.version = (await post(`${this.base}/answers`, { participant: this.participant, version: this.version, answers })).version;
    if (this.unsaved === answers) this.forget();
  }

  // Lets the next save replace the other answers of this participant.
  replace() {
    this.version = this.other;
    this.other = null;
  }

  // No answers are left to save: they are saved, or given up.
  forget() {
    this.unsaved = null;
    removeEventListener("beforeunload", this.ask);
  }

  // Waits for all saves, and runs the last one again if it failed. Returns whether all answers are saved.
  async settled() {
    await this.saves.settled();
    if (this.unsaved && !this.other) await this.save(this.unsaved);
    return !this.unsaved;
  }
}

class CompareRoom {
  constructor(host) {
    this.host = host;
  }

  async start() {
    this.data = await get("/api/compare");
    const cards = [...this.data.studies.map((study) => this.card(study)), this.form()];
    this.host.replaceChildren(h("h1", {}, "Compare results in a user study"), h("p", { class: "soft" }, "Participants see two results next to each other and prefer one of them or neither. The study and its table follow appendix D and Table 4 of the LatentKeypointGAN paper."), h("div", { class: "cards" }, cards));
  }

  card(study) {
    const people = Object.entries(study.participants);
    const name = h("input", { type: "text", "aria-label": `Participant of ${study.name}`, placeholder: "name or number" });
    const begin = () => this.ask(study, name.value).catch(sayWrong);
    name.addEventListener("keydown", (event) => event.key === "Enter" && begin());
    const table = h("div", { class: "wide" });
    const taking = fileButton("Import answers…", ".json,application/json", (file) => this.take(study, file));
    const show = async () => {
      try {
        this.showTally(table, await get(`/api/compare/${encodeURIComponent(study.name)}/tally`));
      } catch (error) {
        sayWrong(error);
      }
    };
    if (people.length) show();
    return h(
      "section",
      { class: "panel", dataset: { study: study.name } },
      h("h2", {}, study.name),
      h("p", {}, `${study.methods.join(" against ")}; ${study.items} comparisons in ${study.questions.length} ${study.questions.length === 1 ? "question" : "questions"}; seed ${study.seed}.`),
      h("div", { class: "row" }, name, h("button", { type: "button", class: "main", dataset: { begin: study.name }, onclick: begin }, "Answer")),
      h("p", { class: "soft" }, people.length ? `Answered by ${people.map(([who, count]) => `${who} (${count})`).join(", ")}.` : "Nobody has answered yet."),
      table,
      h("div", { class: "row" }, h("a", { class: "button", href: `/api/compare/${encodeURIComponent(study.name)}/page`, download: `${study.name}.html` }, "Send elsewhere (one HTML file)"), ...taking),
      h("p", { class: "soft mono" }, `kpdetect study ${study.folder}`),
    );
  }

  showTally(place, { lines }) {
    const cell = (share) => h("td", { class: "number" }, `${share.percent.toFixed(1)} %`, h("br"), h("small", {}, `${share.low.toFixed(1)} to ${share.high.toFixed(1)}`));
    const head = ["Aspect", "Compared", "Ours", "Other", "Equal", "Answers"].map((text) => h("th", { scope: "col" }, text));
    const rows = lines.map((line) => h("tr", {}, h("td", {}, line.question), h("td", {}, `${line.ours} against ${line.other}`), cell(line.favour), cell(line.against), cell(line.equal), h("td", { class: "number" }, line.votes)));
    place.replaceChildren(h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, rows)), h("p", { class: "soft" }, "Shares of the answers for each result and for neither, with 95 % intervals."));
  }

  form() {
    const { sources, questions } = this.data;
    if (sources.length < 2) {
      return h("section", { class: "panel" }, h("h2", {}, "A new study"), h("p", {}, "A study needs two folders of results. Each is a folder of kpdetect edit, or a folder of images with the same names. For example:"), h("pre", { class: "code" }, "kpdetect edit OURS --out ours --samples 0-31 --appearance-from 40\nkpdetect edit OTHER --out other --samples 0-31 --appearance-from 40\nkpdetect studio --compare ours --compare other"));
    }
    const rows = sources.map((source, number) => {
      const taken = h("input", { type: "checkbox", checked: number < 2, "aria-label": `Compare ${source.folder}` });
      const name = h("input", { type: "text", value: source.name, "aria-label": `Name of ${source.folder}` });
      return { taken, name, row: h("tr", {}, h("td", {}, taken), h("td", {}, name), h("td", { class: "soft" }, source.folder)) };
    });
    const name = h("input", { type: "text", value: "study", id: "study-name" });
    const seed = h("input", { type: "number", min: 0, value: 1 });
    const count = h("input", { type: "number", min: 1, value: 5 });
    let own = null;
    const asked = h("ul", { class: "soft" }, questions.map((question) => h("li", {}, `${question.name}: ${question.text}`)));
    const choose = fileButton("Questions of your own (YAML)…", ".yaml,.yml", async (file) => {
      own = await file.text();
      asked.replaceChildren(h("li", {}, `The questions of ${file.name}.`));
    });
    const make = async () => {
      const chosen = rows.filter((row) => row.taken.checked);
      const names = chosen.map((row) => row.name.value.trim());
      if (chosen.length < 2) return say("Choose at least two folders.", { wrong: true });
      if (new Set(names).size < names.length || names.includes("")) return say("Give each folder a different name.", { wrong: true });
      const wanted = Object.fromEntries(chosen.map((row) => [row.name.value.trim(), rows.indexOf(row)]));
      try {
        await post("/api/compare", { name: name.value, sources: wanted, seed: Number(seed.value), per_question: Number(count.value), questions: own });
        await this.start();
      } catch (error) {
        sayWrong(error);
      }
    };
    return h(
      "section",
      { class: "panel" },
      h("h2", {}, "A new study"),
      labelled("Name", name),
      h("h3", {}, "Results to compare, your own method first"),
      h("table", {}, h("tbody", {}, rows.map((row) => row.row))),
      h("h3", {}, "Questions"),
      asked,
      h("div", { class: "row" }, ...choose),
      h("div", { class: "row" }, labelled("Comparisons of each question", count), labelled("Random seed of order and sides", seed)),
      h("button", { type: "button", class: "main", id: "make", onclick: make }, "Make the study"),
    );
  }

  async ask(study, participant) {
    if (!participant.trim()) return say("Give a name or number of the participant.", { wrong: true });
    const base = `/api/compare/${encodeURIComponent(study.name)}`;
    const trial = await get(`${base}/trial?participant=${encodeURIComponent(participant)}`);
    document.getElementById("messages").replaceChildren(); // earlier messages do not concern the participant
    const answers = new Answers(base, trial);
    const done = async (finished) => {
      if (!(await answers.settled())) return this.askToSave(answers, () => done(finished));
      await this.start();
      say(finished ? `Thank you, ${trial.participant}. All answers are saved.` : "Stopped. The answers so far are saved.");
    };
    runTrial(this.host, { questions: trial.questions, order: trial.order, answers: trial.answers, address: (file) => `${base}/picture/${file}`, save: (given) => answers.save(given), done: (finished) => done(finished).catch(sayWrong) });
  }

  // The last answers could not be saved: keeps them until they are, or until somebody gives them up.
  askToSave(answers, again) {
    const text = answers.other ? "Other answers were saved under this name in the meantime, from another tab or a file. These answers differ, and are not saved yet." : "The last answers are not saved yet. They stay on this page. Try again when the studio answers.";
    const save = () => {
      if (answers.other) answers.replace();
      again().catch(sayWrong);
    };
    const leave = () => {
      answers.forget();
      this.start().catch(sayWrong);
    };
    this.host.replaceChildren(h("section", { class: "empty" }, h("h1", {}, `Thank you, ${answers.participant}`), h("p", {}, text), h("button", { type: "button", class: "main", id: "again", onclick: save }, answers.other ? "Replace the other answers" : "Save the answers"), h("button", { type: "button", onclick: leave }, "Give up these answers")));
  }

  async take(study, file) {
    try {
      const { participant } = await upload(`/api/compare/${encodeURIComponent(study.name)}/import`, file);
      await this.start();
      say(`Imported the answers of ${participant}.`);
    } catch (error) {
      sayWrong(error);
    }
  }
}

export async function open(host) {
  await new CompareRoom(host).start();
}
