// The history of edits, with unlimited undo and redo. A state is a value that is never changed.
export class History {
  constructor(first) {
    this.past = [];
    this.now = first;
    this.future = [];
  }

  commit(state) {
    if (JSON.stringify(state) === JSON.stringify(this.now)) return;
    this.past.push(this.now);
    this.now = state;
    this.future = [];
  }

  undo() {
    if (!this.past.length) return false;
    this.future.push(this.now);
    this.now = this.past.pop();
    return true;
  }

  redo() {
    if (!this.future.length) return false;
    this.past.push(this.now);
    this.now = this.future.pop();
    return true;
  }
}

// The keys of a page for undo (Ctrl-Z) and redo (Ctrl-Shift-Z or Ctrl-Y).
export function undoKeys(history, show) {
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.target.matches?.("input[type=text], textarea")) return;
    const key = event.key.toLowerCase();
    const redo = key === "y" || (key === "z" && event.shiftKey);
    if (key !== "z" && !redo) return;
    event.preventDefault();
    if (redo ? history.redo() : history.undo()) show();
  });
}
