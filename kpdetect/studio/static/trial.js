// A participant's comparisons, one after the other. This file imports nothing, because an exported page contains it.
function make(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith("on") || name === "disabled" || name === "value") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// trial: { questions, order, answers }. address(file) returns a picture's address, save(answers) saves them, done() ends the trial.
export function runTrial(host, { questions, order, answers, address, save, done }) {
  const given = { ...answers };
  let at = order.findIndex((_, number) => given[number] === undefined);
  if (at < 0) at = order.length - 1;
  document.body.classList.add("asking");

  let stopped = false;
  const choose = (answer) => {
    if (stopped) return;
    given[at] = answer;
    save({ ...given });
    if (at + 1 < order.length) {
      at += 1;
      show();
    } else stop(true);
  };
  const keys = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const answer = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "equal", 1: "left", 2: "equal", 3: "right" }[event.key];
    if (!answer) return;
    event.preventDefault();
    choose(answer);
  };
  const stop = (finished) => {
    if (stopped) return;
    stopped = true;
    document.removeEventListener("keydown", keys);
    Promise.resolve(done(finished, { ...given })).finally(() => document.body.classList.remove("asking"));
  };
  const side = (name, pictures) => {
    const shown = pictures.map(({ caption, file }) => make("figure", {}, make("img", { src: address(file), alt: `${name}: ${caption}` }), make("figcaption", {}, pictures.length > 1 ? caption : "")));
    return make("div", { class: given[at] === name ? "side chosen" : "side" }, make("h2", {}, name === "left" ? "Left" : "Right"), make("div", { class: "shown" }, ...shown));
  };
  const show = () => {
    const { question, left, right } = order[at];
    const button = (text, answer) => make("button", { type: "button", onclick: () => choose(answer), "data-answer": answer, "aria-pressed": String(given[at] === answer) }, text);
    const back = make("button", { type: "button", class: "quiet", disabled: at === 0, onclick: () => ((at -= 1), show()) }, "Back");
    const leave = make("button", { type: "button", class: "quiet", onclick: () => stop(false) }, "Stop here, continue later");
    host.replaceChildren(
      make("section", { class: "trial" },
        make("p", { class: "soft" }, `${at + 1} of ${order.length}`),
        make("h1", { class: "question", tabindex: "-1" }, questions[question].text),
        make("div", { class: "sides" }, side("left", left), side("right", right)),
        make("div", { class: "answers" }, button("← Left", "left"), button("Equal ↓", "equal"), button("Right →", "right")),
        make("div", { class: "answers" }, back, leave)),
    );
    host.querySelector("h1").focus();
  };
  document.addEventListener("keydown", keys);
  show();
}

// The number of the order that a participant sees: FNV-1a of the name, as in kpdetect.studio.study_order.
export function orderNumber(participant, orders) {
  let digest = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(participant)) digest = Math.imul(digest ^ byte, 0x01000193) >>> 0;
  return digest % orders;
}

// The exported page: asks for a name, keeps the answers in the browser, and saves them as a file.
export function runAlone(host, facts) {
  document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const name = make("input", { type: "text", id: "participant", "aria-label": "Your name or number" });
  const begin = () => {
    const participant = name.value.trim().split(/\s+/).join(" ");
    if (!/[\p{L}\p{N}]/u.test(participant)) return name.focus();
    const key = `kpdetect-study ${facts.study} ${facts.seed} ${participant}`;
    const stored = () => {
      try {
        return JSON.parse(localStorage.getItem(key)) || {};
      } catch {
        return {};
      }
    };
    const keep = (answers) => {
      try {
        localStorage.setItem(key, JSON.stringify(answers));
      } catch {
        // the browser's storage is switched off: the answers are kept until the page is closed
      }
    };
    const order = facts.orders[orderNumber(participant, facts.orders.length)];
    const done = (finished, answers) => finish(participant, answers, finished, Object.keys(answers).length, order.length);
    runTrial(host, { questions: facts.questions, order, answers: stored(), address: (file) => facts.pictures[file], save: keep, done });
  };
  const finish = (participant, answers, finished, count, all) => {
    const record = JSON.stringify({ study: facts.study, seed: facts.seed, participant, answers }, null, 2);
    const link = make("a", { class: "button", id: "answers", href: `data:application/json,${encodeURIComponent(record)}`, download: `answers-${participant.replace(/[^\p{L}\p{N}-]+/gu, "-")}.json` }, "Save my answers");
    host.replaceChildren(make("section", { class: "empty" }, make("h1", {}, finished ? "Thank you" : "Stopped"), make("p", {}, `You have given ${count} of ${all} answers. Save them as a file, and send it to the person who gave you this page.`), make("p", {}, link), make("p", {}, make("button", { type: "button", onclick: start }, "Continue, or start with another participant"))));
  };
  const start = () => {
    host.replaceChildren(make("section", { class: "empty" }, make("h1", {}, facts.study), make("p", {}, `${facts.orders[0].length} comparisons. Each shows two results next to each other. Answer which one is better, or that they are equal. The arrow keys answer too: left, right, and down for equal.`), make("p", {}, "Your name or number ", name, " ", make("button", { type: "button", id: "begin", onclick: begin }, "Begin"))));
  };
  name.onkeydown = (event) => event.key === "Enter" && begin();
  start();
}
