// One way back for the whole page: each change says how it is taken back.

export class Undo {
  #steps = [];

  constructor(button) {
    this.button = button;
    button.addEventListener("click", () => this.undo());
    document.addEventListener("keydown", (event) => {
      const isTyping = event.target.matches?.("input:not([type=range], [type=checkbox]), textarea");
      if (event.key !== "z" || !(event.ctrlKey || event.metaKey) || event.shiftKey || isTyping) return;
      event.preventDefault();
      this.undo();
    });
  }

  did(back) {
    this.#steps.push(back);
    this.button.disabled = false;
  }

  undo() {
    this.#steps.pop()?.();
    this.button.disabled = !this.#steps.length;
  }
}
